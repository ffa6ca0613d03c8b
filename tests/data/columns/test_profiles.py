"""What clusters are like in a column, against figures that pandas and NumPy give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyro_gmvae.data.columns.profiles import ColumnProfile, profiles_of
from pyro_gmvae.data.schema import Column, Schema

RNG = np.random.default_rng(0)
CLUSTERS = np.repeat([0, 1, 2], [30, 50, 20])


def profile(column: Column, cells: np.ndarray, weights: np.ndarray | None = None) -> ColumnProfile:
    x, clusters = torch.from_numpy(cells[:, None].astype(float)), torch.from_numpy(CLUSTERS)
    mass = None if weights is None else torch.from_numpy(weights)
    return profiles_of(Schema((column,)), x, clusters, 4, mass)[0]


def test_means_and_medians_leave_gaps_out() -> None:
    cells = np.where(RNG.random(100) < 0.3, np.nan, RNG.lognormal(3, 1, 100))
    each = [cells[k == CLUSTERS] for k in range(3)]
    found = profile(Column("x"), cells)
    assert found.typical[:3] == pytest.approx([np.nanmean(c) for c in each])
    assert found.gaps[:3] == pytest.approx([np.isnan(c).mean() for c in each])
    assert np.isnan([found.typical[3], found.deviation[3], found.gaps[3]]).all()
    amounts = profile(Column("x", "amount"), cells)
    assert amounts.typical[:3] == pytest.approx([np.nanmedian(c) for c in each])
    logs = np.log1p(cells)
    wanted = [(np.nanmean(np.log1p(c)) - np.nanmean(logs)) / np.nanstd(logs) for c in each]
    assert amounts.deviation[:3] == pytest.approx(wanted)


def test_a_far_cell_does_not_set_the_scale() -> None:
    cells = CLUSTERS + RNG.normal(size=100) / 10
    plain = profile(Column("x"), cells).deviation
    cells[0] = 1e300
    assert profile(Column("x"), cells).deviation[1:3] == pytest.approx(plain[1:3], abs=0.4)


@pytest.mark.parametrize("kind", ["real", "amount", "category", "spike"])
def test_a_weight_of_three_is_three_rows(kind: str) -> None:
    levels = (0.0, 1.0, 2.0) if kind == "category" else ()
    column = Column("x", kind, levels=levels, usual=0.0 if kind == "spike" else None)  # type: ignore[arg-type]
    cells = RNG.integers(0, 3, 100).astype(float)
    weights = RNG.integers(0, 4, 100)
    weighted = profile(column, cells, weights.astype(float))
    rows = np.repeat(np.arange(100), weights)
    x, clusters = torch.from_numpy(cells[rows, None]), torch.from_numpy(CLUSTERS[rows])
    repeated = profiles_of(Schema((column,)), x, clusters, 4)[0]
    for name in ("typical", "deviation", "shares", "gaps", "tells"):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name), nan_ok=True)


def test_shares_of_levels_and_of_unusual_cells() -> None:
    sizes = Column("size", "ordinal", levels=(1.0, 5.0, 9.0))
    found = profile(sizes, np.array([1.0, 5.0, 9.0])[CLUSTERS])
    assert np.array_equal(found.shares[:3], np.eye(3)) and found.tells == 1
    assert np.isnan(found.shares[3]).all()
    gain = profile(Column("gain", "spike", usual=-1.0), np.where(CLUSTERS == 1, 40.0, -1.0))
    assert gain.shares[:3, 1].tolist() == [0, 1, 0]
    assert gain.typical[1] == 40 and np.isnan(gain.typical[[0, 2]]).all()


def test_columns_tell_what_they_share_with_clusters() -> None:
    noise, told = RNG.normal(size=100), CLUSTERS + RNG.normal(size=100) / 100
    assert profile(Column("x"), noise).tells < 0.1 < 0.9 < profile(Column("x"), told).tells
    levels = (0.0, 1.0, 2.0)
    codes = Column("x", "category", levels=levels)
    assert profile(codes, RNG.integers(0, 3, 100)).tells < 0.15
    assert profile(codes, CLUSTERS).tells == 1
