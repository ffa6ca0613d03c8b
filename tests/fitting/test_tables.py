"""What a training needs to know of a table's columns."""

from __future__ import annotations

from math import sqrt

import pytest
import torch

from pyro_gmvae.data import Dataset, TableEncoding
from pyro_gmvae.data.schema import Column, Schema
from pyro_gmvae.fitting.tables import LINEAR_ROWS, structure_of
from pyro_gmvae.likelihoods.table import LEAST_SCALE


def structure(x: torch.Tensor, *columns: Column):
    data = Dataset("rows", x, None, TableEncoding, schema=Schema(columns))
    encoding = TableEncoding.fit(data, "mixed")
    return structure_of(encoding, x), encoding


def test_the_floor_is_that_of_rounding_to_the_grid() -> None:
    years = torch.randint(20, 90, (300, 1)).double()
    years[0] = torch.nan
    made, encoding = structure(years, Column("age"))
    # On model scale a year is 1 / scale wide, and rounding is uniform over it.
    assert made.floors[0] == pytest.approx(1 / encoding.scale.item() / sqrt(12), rel=1e-4)


@pytest.mark.parametrize("fill", [torch.nan, 3.0])
def test_columns_without_a_grid_have_the_least_floor(fill: float) -> None:
    fine = torch.randn(100, 1).double()
    assert structure(fine, Column("height"))[0].floors == (LEAST_SCALE,)
    same = torch.full((50, 1), fill, dtype=torch.float64)
    assert structure(same, Column("height"))[0].floors == (LEAST_SCALE,)


def test_weights_that_are_all_one_are_left_out() -> None:
    x = torch.randint(0, 3, (60, 2)).double()
    levels = (0.0, 1.0, 2.0)
    plain, _ = structure(x, Column("a", "count"), Column("b", "category", levels=levels))
    assert plain.columns == ("count", "levels:3") and plain.weights == () and plain.floors == ()
    heavy = Column("b", "category", levels=levels, weight=0.5)
    assert structure(x, Column("a", "count"), heavy)[0].weights == (1.0, 0.5)


def test_many_rows_bend() -> None:
    few = torch.randn(100, 1).double()
    assert structure(few, Column("a"))[0].linear
    assert not structure(few.repeat(LINEAR_ROWS // 100, 1), Column("a"))[0].linear
