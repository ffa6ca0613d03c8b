"""Texts are the same days in a graph as in a table that is read."""

from __future__ import annotations

import numpy as np
import pytest

from pyro_gmvae.data.columns.dates import DAY, TIME, parse_dates
from pyro_gmvae.errors import InputError
from pyro_gmvae.serving.onnx.dates import days_of_texts, pattern_of
from pyro_gmvae.serving.onnx.graph import ML, Graph, Value

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

FORMATS = (
    *("%d/%m/%Y", "%m-%d-%Y", "%d.%m.%y", "%d %b %Y", "%B %d, %Y", "%d. %B %Y", "%Y/%m/%d"),
    *("%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%d.%m.%Y %H:%M:%S.%f", "%Y/%m/%dT%H:%M:%S"),
)
ODD = ("", "soon", "?", "31-02-2024x", "2024", "2024-13-01", "2024-02-30", "99/99/9999")


def days(texts: list[str], format: str) -> np.ndarray:
    graph = Graph()
    made = days_of_texts(graph, Value(graph, "texts"), format)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "dates",
            [onnx.helper.make_tensor_value_info("texts", onnx.TensorProto.STRING, ["n"])],
            [onnx.helper.make_tensor_value_info(made.name, onnx.TensorProto.DOUBLE, ["n"])],
            graph.constants,
        ),
        opset_imports=[onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid(ML, 4)],
        ir_version=9,
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"texts": np.array(texts, dtype=object)})[0]


def read(texts: list[str], format: str) -> np.ndarray:
    """As `match_column` reads them: by the format of training, then by ISO 8601."""
    own = parse_dates(texts, format)
    return np.where(np.isnan(own), parse_dates(texts, DAY), own)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read_as_in_a_table(format: str) -> None:
    rng = np.random.default_rng(0)
    first, last = (np.datetime64(d, "us").astype("int64") for d in ("1969-01-01", "2068-12-31"))
    times = rng.integers(first, last, 60).astype("datetime64[us]").astype(object)
    texts = [time.strftime(format) for time in times]
    leap = [time.replace(month=2, day=29).strftime(format) for time in times if time.year % 4 == 0]
    texts += [*leap, *ODD, *(text.upper() for text in texts[:5])]
    np.testing.assert_array_equal(days(texts, format), read(texts, format))
    assert np.isfinite(days(texts[:60], format)).all()


@pytest.mark.parametrize("format", [DAY, TIME])
def test_iso_in_its_variants(format: str) -> None:
    texts = ["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "0001-01-01", "0000-01-01"]
    texts += ["9999-12-31", "2024-01-31 10:30", "2024-01-31T10:30:15", "2024-01-31T10:30:15.25"]
    texts += ["1969-12-31T23:59:59.999999", "2024-01-31 24:00", "2024-1-31", *ODD]
    expected = parse_dates(texts, format)
    expected[texts.index("2024-1-31")] = 19753.0  # a graph takes a month of one digit too
    np.testing.assert_array_equal(days(texts, format), expected)


@pytest.mark.parametrize("format", ["%d%b%Y", "%c", "%j-%Y", "today"])
def test_a_format_that_no_graph_reads_is_refused(format: str) -> None:
    with pytest.raises(InputError, match="dates as numbers"):
        pattern_of(format)
