"""The graph of a model gives what the model gives, from the same raw columns."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.exceptions import ConvergenceWarning

from pyro_gmvae import GMVAE
from pyro_gmvae.data.tables import from_frame
from pyro_gmvae.errors import InputError
from pyro_gmvae.serving.onnx import onnx_model
from pyro_gmvae.training import ClusterWarning

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

NEAR = {"atol": 1e-5, "rtol": 1e-5}
BRIEF: dict[str, Any] = {"hidden": (8,), "max_iter": 2, "random_state": 0}
METHODS = ("sparse", "exact", "concrete", "marginal")
slow = pytest.mark.slow


def every_kind(rows: int = 300) -> pandas.DataFrame:
    """Rows of three kinds, with a column for each kind and gaps in all of them."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, rows)
    days = pandas.to_timedelta(rng.integers(0, 900, rows) + 900 * y, "D")
    frame = pandas.DataFrame(
        {
            "tier": np.array(["gold", "silver", "tin"])[np.where(rng.random(rows) < 0.8, y, 0)],
            "visits": rng.poisson(1 + 8 * y),
            "spend": rng.lognormal(1 + 2 * y, 0.5),
            "age": rng.normal(20 + 20 * y, 5),
            "far": np.where(rng.random(rows) < 0.02, 1e6, rng.normal(y, 1)),
            "gain": np.where(rng.random(rows) < 0.6, 0.0, rng.lognormal(5 + y, 1)),
            "stars": rng.integers(1, 6, rows).astype(float),
            "member": rng.random(rows) < 0.2 + 0.3 * y,
            "since": pandas.Timestamp("2015-01-01") + days,
            "born": (pandas.Timestamp("1960-01-31") + days).strftime("%d/%m/%Y"),
        }
    )
    return frame.mask(rng.random(frame.shape) < 0.1)


def fitted(x: Any, n_components: int = 3, **options: Any) -> GMVAE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", ClusterWarning)
        return GMVAE(n_components, **BRIEF | options).fit(x)


def mixed(method: str = "sparse") -> GMVAE:
    return fitted(every_kind(), method=method, schema={"stars": "ordinal"})


def run(model: Any, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


def as_feed(gmvae: GMVAE, frame: pandas.DataFrame, dates: str = "text") -> dict[str, np.ndarray]:
    """What another program gives: text, or numbers, with an empty text or NaN for a gap."""
    feed = {}
    for column in gmvae.encoding_.schema.columns:
        cells = frame[column.name]
        if column.cells == "date" and dates == "number":
            times = pandas.to_datetime(cells, format=column.format)
            feed[column.name] = ((times - pandas.Timestamp(0)) / pandas.Timedelta("1D")).to_numpy()
        elif column.cells in ("text", "date"):
            if cells.dtype.kind == "M":
                cells = cells.dt.strftime("%Y-%m-%d")
            feed[column.name] = cells.fillna("").astype(object).to_numpy()
        else:
            feed[column.name] = cells.astype(float).to_numpy()
    return feed


def agree(gmvae: GMVAE, found: dict[str, np.ndarray], x: Any) -> None:
    """As the command predicts: in the precision of the run."""
    data = from_frame(x, purpose="apply") if hasattr(x, "columns") else None
    if data is None:
        data = gmvae._ready(x)[0]
    rows = gmvae.fitted_.conform(data).x
    r = gmvae.fitted_.responsibilities(rows).numpy()
    np.testing.assert_allclose(found["responsibilities"], r, **NEAR)
    np.testing.assert_allclose(found["latent"], gmvae.fitted_.embed(rows).numpy(), **NEAR)
    assert (found["cluster"] == r.argmax(-1)).all()


@pytest.mark.slow
def test_every_kind_of_column_and_what_the_file_says() -> None:
    gmvae = mixed()
    frame = every_kind(200)[::-1].reset_index(drop=True)
    frame.loc[:3, "tier"] = ["platinum", "Gold", "", "?"]  # no levels of training
    model = onnx_model(gmvae.fitted_)
    found = run(model, as_feed(gmvae, frame))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that unseen levels become gaps
        agree(gmvae, found, frame)
        np.testing.assert_allclose(found["responsibilities"], gmvae.predict_proba(frame), **NEAR)
        log_p = gmvae.score_samples(frame)
    # The bound lies below log p, up to the noise of 100 importance samples, and near it.
    assert ((found["elbo"] - log_p) < 0.1).all() and (log_p - found["elbo"]).mean() < 0.5
    (entry,) = model.metadata_props
    said = json.loads(entry.value)
    assert (said["clusters"], said["method"], said["rows"]) == (3, "sparse", "table")
    assert [c["name"] for c in said["schema"]["columns"]] == list(frame)
    alone = run(model, {name: cells[7:8] for name, cells in as_feed(gmvae, frame).items()})
    np.testing.assert_allclose(alone["elbo"], found["elbo"][7:8], **NEAR)
    # A cell that predict refuses is a gap.
    odd = as_feed(gmvae, frame.iloc[:2].assign(visits=[2.5, -1.0], far=[np.inf, -np.inf]))
    gone = as_feed(gmvae, frame.iloc[:2].assign(visits=np.nan, far=np.nan))
    np.testing.assert_array_equal(run(model, odd)["elbo"], run(model, gone)["elbo"])


def test_numbers_without_names_and_a_row_with_a_gap() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3)) + 4 * (np.arange(200) % 2)[:, None]
    gmvae = fitted(x, 2)
    model = onnx_model(gmvae.fitted_, elbo_at="mean")
    found = run(model, {"x": x})
    agree(gmvae, found, x)
    assert "elbo_at_mean" in found
    x[1, 2] = np.nan
    lacking = run(model, {"x": x[:3]})
    assert np.isnan(lacking["responsibilities"][1]).all() and lacking["cluster"][1] == -1
    np.testing.assert_array_equal(lacking["latent"][[0, 2]], found["latent"][[0, 2]])


@slow
@pytest.mark.parametrize("method", METHODS)
def test_mixed_columns_by_every_method(method: str) -> None:
    gmvae, frame = mixed(method), every_kind()
    for dates in ("text", "number"):
        found = run(onnx_model(gmvae.fitted_, dates=dates), as_feed(gmvae, frame, dates))
        agree(gmvae, found, frame)


@slow
@pytest.mark.parametrize("method", METHODS)
def test_numbers_with_names_by_every_method(method: str) -> None:
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.normal(size=(200, 4)) + 3 * (np.arange(200) % 3)[:, None])
    frame.columns = ["a", "b", "c d", "é"]
    gmvae = fitted(frame, method=method)
    agree(gmvae, run(onnx_model(gmvae.fitted_), as_feed(gmvae, frame)), frame)


@slow
@pytest.mark.parametrize("method", METHODS)
def test_grey_images_by_every_method(method: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (80, 7, 5), dtype=np.uint8)
    gmvae = fitted(images, method=method, regularize="none", init_params="random")
    agree(gmvae, run(onnx_model(gmvae.fitted_), {"x": images[:, None]}), images)


@slow
@pytest.mark.parametrize(
    "likelihood",
    ["bernoulli", "discretized_logistic", "discretized_logistic_mixture", "gaussian_predicted"],
)
def test_every_likelihood_of_pixels(likelihood: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (80, 3, 6, 5), dtype=np.uint8)
    options = {"regularize": "none", "init_params": "random", "likelihood": likelihood}
    gmvae = fitted(images, **options)
    found = run(onnx_model(gmvae.fitted_), {"x": images})
    agree(gmvae, found, images)
    # The bound by draws of z, as training has it, is near that by points.
    drawn = gmvae.fitted_.log_likelihood(gmvae._ready(images)[0].x, diagnostics=False)
    if likelihood != "bernoulli":  # whose draws of pixels differ
        np.testing.assert_allclose(found["elbo"], drawn.elbo_per_datum.numpy(), atol=3, rtol=0.01)


@slow
def test_convolutions() -> None:
    from sklearn.datasets import load_digits

    images = (load_digits().images * 15.9).astype(np.uint8)[:150]
    gmvae = fitted(images, n_init=1, max_iter=1)
    assert gmvae.model_.options["cluster_network"] == "conv"
    agree(gmvae, run(onnx_model(gmvae.fitted_), {"x": images[:, None]}), images)


def test_a_column_that_is_called_as_an_output_is_refused() -> None:
    frame = pandas.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "latent"])
    with pytest.raises(InputError, match="the column latent has the name of an output"):
        onnx_model(fitted(frame, 2).fitted_)
