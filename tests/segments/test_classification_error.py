"""D, its inverse, and what is said where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.errors import InputError
from pyro_gmvae.segments.classification_error import (
    Assignment,
    assigned,
    bch_weights,
    check_segments_differ,
    classification_error,
)
from tests.helpers.known_segments import draw_segments

BOTH: list[Assignment] = ["proportional", "modal"]


@pytest.mark.parametrize("assignment", BOTH)
def test_d_is_the_table_of_true_and_assigned_segments(assignment: Assignment) -> None:
    n = 40_000
    y, q = draw_segments(np.random.default_rng(0), n)
    a = assigned(q, assignment)
    seen = np.stack([a[y == t].mean(0) for t in range(3)])
    expected = np.array(classification_error(q, assignment).matrix)
    least = np.bincount(y).min()
    assert np.abs(seen - expected).max() < 4 * 0.5 / least**0.5
    rate = 1 - a[np.arange(n), y].mean()
    assert abs(classification_error(q, assignment).rate - rate) < 4 * 0.5 / n**0.5


@pytest.mark.parametrize("assignment", BOTH)
def test_bch_weights_are_those_of_the_inverse_of_d(assignment: Assignment) -> None:
    rng = np.random.default_rng(1)
    _, q = draw_segments(rng, 200)
    w = rng.uniform(0.5, 2.0, 200)
    a = assigned(q, assignment)
    inverse = np.linalg.inv(np.array(classification_error(q, assignment, w).matrix))
    expected = w[:, None] * (a @ inverse) / (w @ q)
    assert np.allclose(bch_weights(q, a, w), expected, rtol=1e-9)


def test_certain_rows_have_no_error() -> None:
    error = classification_error(np.eye(3)[[0, 1, 2, 2]], "modal")
    assert error.rate == 0 and error.matrix == ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    assert error.to_dict()["rate"] == 0


def test_segments_that_no_row_tells_apart() -> None:
    q = np.tile([[0.5, 0.25, 0.25]], (30, 1))
    q[:10] = [0.9, 0.05, 0.05]
    with pytest.raises(InputError, match="tells segment 4 from segment 7"):
        check_segments_differ(q, q, np.ones(30), (2, 4, 7), "churn")


def test_few_rows_come_with_a_warning() -> None:
    q = np.eye(2)[[0] * 30 + [1] * 3]
    with pytest.warns(DataWarning, match="of churn in segment 1"):
        check_segments_differ(q, q, np.ones(33), (0, 1), "churn")


def test_an_unknown_assignment_is_refused() -> None:
    with pytest.raises(InputError, match="choose from proportional, modal"):
        assigned(np.eye(2), "soft")
