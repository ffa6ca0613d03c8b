"""The generated tables are those that earlier figures were measured on."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tables.generators import GENERATORS, Generated, d

LEVELS = ("category", "binary")
# By the program that the first figures are from: seed 1, 400 rows, 20 % gaps. The sum of all
# numbers cut at 1000, the gaps, the cells at their column's first level, the labels times their
# rows, and the number of clusters.
KNOWN = {
    "bar": (69881.88396846077, 737, 325, 171102, 5),
    "a": (19432.638199945977, 1294, 528, 160074, 8),
    "b": (12596.107508179706, 1045, 293, 120295, 4),
    "c": (-25.129753986046353, 1833, 1214, 139410, 6),
    "d-pair": (-266.9059021673374, 568, 155, 119349, 4),
    "out": (68609.70924867025, 737, 325, 171102, 5),
}


def drawn(name: str) -> Generated:
    noise = 0 if name == "d-pair" else 3
    return GENERATORS[name](1, 400, gaps=0.2, noise=noise)


@pytest.mark.parametrize("name", KNOWN)
def test_the_table_is_the_known_one(name: str) -> None:
    table = drawn(name)
    levels = [c for c in table.frame if table.kinds[c] in LEVELS]
    numbers = table.frame.drop(columns=levels).astype(float)
    firsts = sum((table.frame[c] == min(table.frame[c].dropna())).sum() for c in levels)
    total, gaps, first, labels, clusters = KNOWN[name]
    assert numbers.clip(-1e3, 1e3).sum().sum() == pytest.approx(total, rel=1e-9)
    assert (int(table.frame.isna().sum().sum()), firsts) == (gaps, first)
    assert (table.labels @ np.arange(400), table.clusters) == (labels, clusters)
    assert list(table.kinds) == list(table.frame)


@pytest.mark.parametrize("name", GENERATORS)
def test_gaps_and_noise_are_as_asked_for(name: str) -> None:
    full = GENERATORS[name](3, 300, gaps=0, noise=0)
    noisy = GENERATORS[name](3, 300, gaps=0.4, noise=20)
    assert not full.frame.isna().any(axis=None)
    assert noisy.frame.shape[1] == full.frame.shape[1] + 20
    assert noisy.frame.isna().mean(axis=None) == pytest.approx(0.4, abs=0.03)
    assert (noisy.labels == full.labels).all()
    assert (GENERATORS[name](4, 300).labels != full.labels).any()
    numbers = [c for c in full.frame if full.kinds[c] not in LEVELS]
    assert all(full.frame[c].dtype == float for c in numbers)


def test_the_city_tells_the_region() -> None:
    frame = d(0, 500, wide="pair").frame
    assert (frame.groupby("city")["region"].nunique() == 1).all()
    assert frame["region"].nunique() == 12
    assert not {"city", "region"} & set(d(0, 100, wide="none").frame)
