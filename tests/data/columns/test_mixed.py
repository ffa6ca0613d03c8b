"""The scale of mixed columns: there and back, and densities in raw units."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from torch.distributions import Normal

from pyro_gmvae.data import TableEncoding, encoding_from_config, from_array, from_frame
from pyro_gmvae.data.columns.quantiles import Knots, fit_knots, padded, straighten
from pyro_gmvae.errors import InputError

ROWS = 300
RNG = np.random.default_rng(1)


def frame() -> pandas.DataFrame:
    """A column of each kind, with gaps in all of them."""
    columns: dict[str, Any] = {
        "real": RNG.normal(50, 7, ROWS),
        "far": RNG.standard_t(1.5, ROWS) * 10,
        "amount": RNG.lognormal(4, 1, ROWS),
        "huge": RNG.lognormal(4, 1, ROWS) * np.where(RNG.random(ROWS) < 0.02, 1e30, 1),
        "count": RNG.poisson(5, ROWS).astype(float),
        "rooms": RNG.choice([1.0, 2.0, 4.0], ROWS),
        "flag": RNG.random(ROWS) < 0.3,
        "tier": RNG.choice(["bronze", "gold", "silver"], ROWS),
        "gain": np.where(RNG.random(ROWS) < 0.7, -1.0, RNG.lognormal(6, 2, ROWS)),
    }
    made = pandas.DataFrame(columns).astype({"flag": object})
    days = pandas.to_timedelta(RNG.integers(0, 900, ROWS), unit="D")
    made["since"] = pandas.Timestamp("2020-01-01") + days
    return made.mask(RNG.random(made.shape) < 0.1)


DATA = from_frame(frame())
ENCODING = TableEncoding.fit(DATA, "mixed")


def place(name: str) -> int:
    assert DATA.feature_names is not None
    return DATA.feature_names.index(name)


def test_what_the_model_sees() -> None:
    assert TableEncoding.support_of(DATA) == "mixed"
    assert dict(zip(ENCODING.model_names or (), ENCODING.columns, strict=True)) == {
        "real": "real",
        "far": "real",
        "amount": "real",
        "huge": "real",
        "count": "count",
        "rooms": "levels:3",
        "flag": "levels:2",
        "tier": "levels:3",
        "gain is unusual": "levels:2",
        "gain": "real",
        "since": "real",
    }
    assert ENCODING.model_shape == (11,) and ENCODING.event_shape == (10,)
    x = ENCODING(DATA.x)
    assert x.dtype == torch.float32 and x.shape == (ROWS, 11)
    raw = DATA.x
    for name in ("real", "far", "amount", "huge", "since"):
        cells = x[:, (ENCODING.model_names or ()).index(name)]
        assert torch.equal(cells.isnan(), raw[:, place(name)].isnan())
        assert cells.nan_to_num().abs().max() < 7
        assert 0.5 < cells[~cells.isnan()].std() < 1.5
    answers, values = x[:, 8], x[:, 9]
    gain = raw[:, place("gain")]
    assert torch.equal(answers.isnan(), gain.isnan())
    assert torch.equal(answers == 1, (gain != -1) & ~gain.isnan())
    assert torch.equal(values.isnan(), (gain == -1) | gain.isnan())


def test_decoding_undoes_encoding() -> None:
    back = ENCODING.decode(ENCODING(DATA.x))
    assert torch.equal(back.isnan(), DATA.x.isnan())
    for name in ("count", "rooms", "flag", "tier"):
        assert torch.equal(
            back[:, place(name)].nan_to_num(-9), DATA.x[:, place(name)].nan_to_num(-9)
        )
    torch.testing.assert_close(back, DATA.x, rtol=1e-3, atol=1e-3, equal_nan=True)
    batched = ENCODING.decode(ENCODING(DATA.x).expand(2, 3, -1, -1))
    torch.testing.assert_close(batched[1, 2], back, equal_nan=True)


def test_codes_and_counts_of_means_are_brought_to_levels() -> None:
    x = ENCODING(DATA.x)[:1].nan_to_num().repeat(3, 1)
    names = ENCODING.model_names or ()
    x[:, names.index("rooms")] = torch.tensor([-0.3, 1.6, 9.0])
    x[:, names.index("count")] = torch.tensor([-0.3, 1.6, 9.0])
    x[:, names.index("gain is unusual")] = torch.tensor([0.4, 0.6, torch.nan])
    back = ENCODING.decode(x)
    assert back[:, place("rooms")].tolist() == [1, 4, 4]
    torch.testing.assert_close(back[:, place("count")], torch.tensor([0, 1.6, 9]).double())
    gain = back[:, place("gain")]
    assert gain[0] == -1 and gain[1] > 0 and gain[2].isnan()


def test_frames_are_given_back_as_they_came() -> None:
    given = frame()
    data = ENCODING.conform(from_frame(given, purpose="apply"))
    back = ENCODING.to_frame(data.x)
    for name in given:
        assert back[name].isna().tolist() == given[name].isna().tolist()
        known = given[name].notna()
        assert back[name][known].tolist() == given[name][known].tolist(), name
    assert back["since"].dtype.kind == "M" and back["tier"].dtype == "str"
    again = ENCODING.conform(from_frame(back, purpose="apply"))
    assert torch.equal(again.x.nan_to_num(-9), data.x.nan_to_num(-9))


@pytest.mark.parametrize("name", ["real", "far", "amount", "huge", "gain", "since"])
def test_the_volume_is_the_derivative(name: str) -> None:
    column = DATA.x[:, place(name)]
    cells = column[~column.isnan() & (column != -1)].unique()
    # Corners have two slopes.
    cells = cells[:-1] + 0.37 * torch.diff(cells)
    raw = DATA.x.new_full((len(cells), 10), torch.nan)
    raw[:, place(name)] = cells
    double = encoding_from_config(ENCODING.to_config()).double()
    double.load_state_dict(ENCODING.state_dict())
    double.double()
    step = cells.abs().clamp(min=1) * 1e-7
    above, below = raw.clone(), raw.clone()
    above[:, place(name)] += step
    below[:, place(name)] -= step
    model = (ENCODING.model_names or ()).index(name)
    width = above[:, place(name)] - below[:, place(name)]
    slope = (double(above) - double(below))[:, model] / width
    fits = (slope.log() - double.log_abs_det(raw)).abs() < 0.02
    assert fits.double().mean() > 0.97  # a step may cross a corner


@pytest.mark.parametrize("name", ["real", "far", "amount", "gain"])
def test_a_density_integrates_to_one(name: str) -> None:
    column = DATA.x[:, place(name)]
    known = column[~column.isnan() & (column != -1)]
    # Steps of one probability each, so that long tails take no more than others.
    grid = torch.linspace(-7, 7, 40_001).double()
    x = torch.full((len(grid), 11), torch.nan, dtype=torch.float64)
    names = ENCODING.model_names or ()
    x[:, names.index(name)] = grid
    if name == "gain":
        x[:, names.index("gain is unusual")] = 1
    double = encoding_from_config(ENCODING.to_config())
    double.load_state_dict(ENCODING.state_dict())
    double = double.double()
    raw = double.decode(x)
    cells = raw[:, place(name)]
    assert (torch.diff(cells) >= 0).all() and cells[0] < known.min() and cells[-1] > known.max()
    law = Normal(0.0, 1.0).log_prob(double(raw)[:, names.index(name)]) + double.log_abs_det(raw)
    assert torch.trapezoid(law.exp(), cells).item() == pytest.approx(1, abs=0.01)


def test_gaps_levels_and_counts_have_no_volume() -> None:
    raw = torch.full((2, 10), torch.nan, dtype=torch.float64)
    raw[1, [place(n) for n in ("count", "rooms", "flag", "tier")]] = 1.0
    assert ENCODING.log_abs_det(raw).tolist() == [0, 0]
    raw[1, place("gain")] = -1.0
    assert ENCODING.log_abs_det(raw).tolist() == [0, 0]


def test_it_comes_back_from_json_and_state() -> None:
    stored = json.loads(json.dumps(ENCODING.to_config()))
    again = encoding_from_config(stored)
    assert isinstance(again, TableEncoding)
    again.load_state_dict(ENCODING.state_dict())
    assert torch.equal(again(DATA.x).nan_to_num(-9), ENCODING(DATA.x).nan_to_num(-9))
    assert again.to_config() == ENCODING.to_config() and again.columns == ENCODING.columns
    with torch.device("meta"):
        blank = encoding_from_config(stored)
    shapes = {name: t.shape for name, t in ENCODING.state_dict().items()}
    assert {name: t.shape for name, t in blank.state_dict().items()} == shapes
    assert not any(t.isnan().any() for t in ENCODING.state_dict().values())


@pytest.mark.parametrize(
    "wrong",
    [
        *(3, {}, {"logged": [99], "quantiles": [], "knots": 2}),
        {"logged": [], "quantiles": [0, 0], "knots": 2},
        {"logged": [], "quantiles": [], "knots": 10**9},
        {"logged": [7], "quantiles": [], "knots": 2},
    ],
)
def test_a_tampered_config_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="train again"):
        encoding_from_config(ENCODING.to_config() | {"mixed": wrong})


def test_plain_numbers_are_encoded_as_ever() -> None:
    x = RNG.normal(size=(50, 3))
    data = from_array(x)
    assert TableEncoding.support_of(data) == "real"
    encoding = TableEncoding.fit(data, "real")
    assert set(encoding.state_dict()) == {"shift", "scale"}
    assert set(encoding.to_config()) == {"kind", "event_shape", "binarize", "columns", "left_out"}
    assert torch.equal(encoding.shift, data.x.mean(0))
    # The same numbers under "mixed", as gaps would have it, are on the same scale.
    gappy = x.copy()
    gappy[0, 0] = np.nan
    mixed = TableEncoding.fit(from_array(gappy), "mixed")
    assert mixed.columns == ("real",) * 3
    torch.testing.assert_close(mixed(data.x)[1:, 1:], encoding(data.x)[1:, 1:])


def test_other_likelihoods_take_neither_gaps_nor_text() -> None:
    with pytest.raises(InputError, match="not numbers: flag, tier.*; the gaussian likelihood"):
        TableEncoding.fit(DATA, "real", likelihood="gaussian")
    gappy = from_array(np.array([[1.0, np.nan], [2.0, 3.0], [4.0, 5.0]]))
    with pytest.raises(InputError, match=r"missing cells, in column 1 \(1\); the poisson .* table"):
        TableEncoding.fit(gappy, "count", likelihood="poisson")
    whole = from_array(np.array([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]]))
    plain = TableEncoding.fit(whole, "real")
    with pytest.raises(InputError, match=r"missing cells, in column 1 \(1\), and the model was"):
        plain.conform(gappy)


def test_straight_lines_pass_through_their_corners() -> None:
    values = np.sort(RNG.standard_cauchy(500))
    knots = fit_knots(values)
    assert len(knots.at) <= 100 and (np.diff(knots.scores) > 0).all()
    at, scores = torch.from_numpy(knots.at)[None], torch.from_numpy(knots.scores)[None]
    made, slope = straighten(at.T, at, scores)
    torch.testing.assert_close(made.T, scores)
    assert (slope > 0).all()
    back, _ = straighten(made, scores, at)
    torch.testing.assert_close(back, at.T)


def test_encoding_reads_nothing_back() -> None:
    # A meta tensor has no values: whatever looked at one would raise.
    blank = encoding_from_config(ENCODING.to_config()).to("meta")
    x = blank(DATA.x.to("meta"))
    assert x.shape == (ROWS, 11) and blank.decode(x).shape == DATA.x.shape


@pytest.mark.parametrize("last", [1e-12, 1.0, 1e15])
def test_more_corners_are_in_order_and_on_the_line(last: float) -> None:
    knots = Knots(np.array([0.0, last, np.nextafter(last, 2 * last)]), np.array([0.0, 1.0, 1.5]))
    made = padded(knots, 100)
    assert (np.diff(made.at) > 0).all() and (np.diff(made.scores) > 0).all()
    assert np.isfinite(made.scores).all() and len(made.at) == 100
