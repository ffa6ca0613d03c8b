"""What a report says of rows whose segments are known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import torch

from pyro_gmvae.data import Dataset, ImageEncoding
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.models import ExactGMVAE
from pyro_gmvae.report.html import html_of
from pyro_gmvae.report.markdown import markdown_of
from pyro_gmvae.report.report import Report, make_report
from tests.report.conftest import customers, fitted_to


def test_segments_of_generated_customers_are_found_and_named(report: Report) -> None:
    segments = report.explanation.segments
    assert len(segments) == 3
    told = {t.column for s in segments for t in s.telling}
    assert {"age", "spend"} <= told
    names = " / ".join(report.names.values())
    assert "high age" in names or "low age" in names
    assert len(set(report.names.values())) == 3
    truth = np.bincount(np.random.default_rng(0).integers(3, size=240)) / 240
    shares = sorted(s.size.share for s in segments)
    assert np.allclose(shares, sorted(truth), atol=0.03)
    for s in segments:
        assert s.size.low <= s.size.share <= s.size.high


def test_rows_that_are_shown_have_the_cells_of_their_place(report: Report) -> None:
    frame = customers()
    for row, cells in report.cells.items():
        place = report.places[row]
        assert cells["tier"] == frame.tier[place]
        assert cells["visits"] == str(frame.visits[place])


def test_the_json_is_plain_and_has_all_parts(report: Report) -> None:
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert {
        "segments",
        "confusion",
        "map",
        "fit",
        "profiles",
        "cautions",
        "origin",
    } <= values.keys()
    assert values["n_rows"] == 240
    assert np.allclose(np.sum(values["confusion"], 1), 1)


def test_cautions_name_small_and_empty_segments_gaps_and_left_out_columns() -> None:
    frame = customers()
    frame["customer_id"] = [f"c{i}" for i in range(len(frame))]
    frame.loc[frame.index[:120], "spend"] = np.nan
    report = make_report(*fitted_to(frame, "customers", 12))
    said = " ".join(report.cautions)
    assert "fewer than 30 rows" in said
    assert "missing in spend" in said
    assert "1 column was left out" in said
    assert "Segments are" not in markdown_of(report)


def test_one_segment_has_nothing_to_be_compared_with() -> None:
    report = make_report(*fitted_to(customers(80), "customers", 1))
    (segment,) = report.explanation.segments
    assert segment.telling == () and segment.nearest is None
    assert "in one segment" in html_of(report) and "in one segment" in markdown_of(report)


def test_weights_count() -> None:
    fitted, data = fitted_to(customers(), "customers")
    young = (data.x[:, 0] < 35).double()
    weighed = Dataset(data.name, data.x, None, data.kind, schema=data.schema, weights=1 + 4 * young)
    plain, heavy = (make_report(fitted, d).explanation for d in (data, weighed))
    share = {s.cluster: s.size.share for s in plain.segments}
    youngest = max(
        share, key=lambda k: heavy.segments[[s.cluster for s in heavy.segments].index(k)].size.share
    )
    at_heavy = next(s.size.share for s in heavy.segments if s.cluster == youngest)
    assert heavy.weighted and at_heavy > share[youngest] + 0.1
    assert "weights" in " ".join(make_report(fitted, weighed).cautions)


def test_images_have_sizes_members_and_pictures() -> None:
    torch.manual_seed(0)
    gmvae = ExactGMVAE((1, 4, 4), n_components=2, latent_dim=2, hidden=(8,), likelihood="gaussian")
    x = torch.randint(0, 256, (30, 1, 4, 4), dtype=torch.uint8)
    data = Dataset("tiles", x, None, ImageEncoding)
    fitted = FittedModel(gmvae.eval(), ImageEncoding((1, 4, 4)))
    report = make_report(fitted, data)
    assert not report.explanation.profiles
    html = html_of(report)
    assert html.count("data:image/png;base64,") >= 3 and 'id="profiles"' not in html
    assert sum(s.size.n_rows for s in report.explanation.segments) == 30


def test_numbers_alone_and_frames_without_gaps() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 3)) + 6 * rng.integers(2, size=200)[:, None]
    report = make_report(*fitted_to(pd.DataFrame(x, columns=["a", "b", "c"]), "numbers", 2))
    assert len(report.explanation.segments) == 2
    assert all(s.telling for s in report.explanation.segments)
