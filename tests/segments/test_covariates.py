"""The logit of the segments against closed forms, and against coefficients that are known."""

from __future__ import annotations

import json

import numpy as np
import pandas
import pytest

from pyro_gmvae.errors import InputError
from pyro_gmvae.segments import SegmentLogit, segment_logit
from tests.helpers.known_segments import draw_segments

CONSTANTS, SLOPES = np.array([0.0, -0.6, -1.0]), np.array([0.0, 0.05, -0.08])  # by year of age


def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Ages, and responsibilities of a mixture that does not know them."""
    age = rng.normal(40, 12, n)
    logits = CONSTANTS + SLOPES * (age[:, None] - 40)
    p = np.exp(logits)
    _, q = draw_segments(rng, n, p / p.sum(1, keepdims=True))
    return age, q


def slopes(found: SegmentLogit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    own = [c for c in found.coefficients if c.covariate == "age"]
    assert [c.segment for c in own] == [1, 2]
    return tuple(np.array([getattr(c, n) for c in own]) for n in ("value", "low", "high"))


def simulate(times: int, n: int, assignment: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors, whether intervals hold, and errors of a logit of the likeliest segments."""
    rng = np.random.default_rng(times)
    errors, held, plain = [], [], []
    for _ in range(times):
        age, q = draw(rng, n)
        value, low, high = slopes(segment_logit(q, {"age": age}, assignment=assignment))
        errors.append(value - SLOPES[1:])
        held.append((low <= SLOPES[1:]) & (SLOPES[1:] <= high))
        hard = np.eye(3)[q.argmax(1)]
        plain.append(slopes(segment_logit(hard, {"age": age}))[0] - SLOPES[1:])
    return np.array(errors), np.array(held), np.array(plain)


def test_coefficients_are_recovered_where_plain_ones_are_drawn_to_zero() -> None:
    errors, held, plain = simulate(30, 1_500, "proportional")
    spread = errors.std(0) / 30**0.5
    assert (np.abs(errors.mean(0)) < 4 * spread).all()
    assert (held.mean(0) >= 0.8).all()  # of 30, at 95 %
    assert (plain.mean(0) * np.sign(SLOPES[1:]) < -5 * plain.std(0) / 30**0.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("assignment", ["proportional", "modal"])
def test_intervals_of_coefficients_cover(assignment: str) -> None:
    errors, held, _ = simulate(600, 2_000, assignment)
    assert (np.abs(errors.mean(0)) < (4 / 600**0.5 + 0.1) * errors.std(0)).all()
    covered = held.mean(0)
    assert (covered >= 0.92).all() and (covered <= 0.98).all()


def test_certain_rows_and_a_truth_value_give_the_log_odds_of_a_table() -> None:
    counts = np.array([[30, 50], [60, 20]])  # segment by truth value
    segment = np.repeat([0, 0, 1, 1], counts.ravel())
    answer = np.repeat([False, True, False, True], counts.ravel())
    found = segment_logit(np.eye(2)[segment], {"paid": answer}, assignment="modal")
    # The largest segment is the first of two of one size; most answers are False.
    constant, slope = found.coefficients
    assert (found.reference, slope.segment, slope.level, slope.base) == (0, 1, "true", "false")
    assert slope.value == pytest.approx(np.log(20 * 30 / (60 * 50)), abs=0.02)
    assert constant.value == pytest.approx(np.log(60 / 30), abs=0.02)
    assert slope.standard_error == pytest.approx((1 / counts).sum() ** 0.5, rel=0.02)


@pytest.mark.slow
def test_bootstrap_and_sandwich_agree() -> None:
    age, q = draw(np.random.default_rng(3), 800)
    found = segment_logit(q, {"age": age}, bootstrap=30)
    for c in found.coefficients:
        # An error by 30 resamples has a relative error of 1 / sqrt(60).
        assert c.bootstrap_error == pytest.approx(c.standard_error, rel=4 / 60**0.5)
    again = segment_logit(q, {"age": age}, bootstrap=30)
    assert again == found
    assert segment_logit(q, {"age": age}).coefficients[0].bootstrap_error is None


def test_units_of_a_column_change_its_coefficient_alone() -> None:
    rng = np.random.default_rng(4)
    age, q = draw(rng, 800)
    tier = rng.choice(["gold", "iron", "tin"], 800, p=[0.2, 0.5, 0.3])
    frame = pandas.DataFrame({"age": age, "tier": tier})
    found = segment_logit(q, frame)
    other = segment_logit(q, frame.assign(age=365 * age - 1e6))
    named = [(c.segment, c.covariate, c.level, c.base) for c in found.coefficients]
    assert named[1:4] == [
        (1, "age", None, None),
        (1, "tier", "gold", "iron"),
        (1, "tier", "tin", "iron"),
    ]
    for one, two in zip(found.coefficients, other.coefficients, strict=True):
        if one.covariate == "age":
            assert two.value == pytest.approx(one.value / 365, rel=1e-4)
        elif one.covariate == "tier":
            assert (two.value, two.high) == pytest.approx((one.value, one.high), abs=1e-4)
    for one, two in zip(found.tests, other.tests, strict=True):
        assert two.test.p_value == pytest.approx(one.test.p_value, abs=1e-4)
    assert found.tests[0].test.p_value < 1e-6 and found.tests[1].test.p_value > 1e-3


def test_rows_with_gaps_are_left_out() -> None:
    rng = np.random.default_rng(5)
    age, q = draw(rng, 500)
    gap = rng.random(500) < 0.2
    found = segment_logit(q, {"age": np.where(gap, np.nan, age)})
    alone = segment_logit(q[~gap], {"age": age[~gap]})
    assert found.coefficients == alone.coefficients
    assert (found.rows, found.gaps) == ((~gap).sum(), gap.sum())


def test_a_column_that_parts_the_segments_has_finite_coefficients() -> None:
    segment = np.repeat([0, 1], 50)
    found = segment_logit(np.eye(2)[segment], {"sign": segment + np.linspace(0, 0.5, 100)})
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["coefficients"][1]["value"] > 5


def test_the_table_says_what_the_figures_say() -> None:
    age, q = draw(np.random.default_rng(6), 600)
    found = segment_logit(q, {"age": age})
    text = str(found)
    assert "p(segment) against segment 0, 600 rows" in text
    assert f"{found.coefficients[1].value:.3g}" in text and "age: p < 0.001." in text


def test_what_is_refused() -> None:
    age, q = draw(np.random.default_rng(7), 100)
    with pytest.raises(InputError, match="follows from the others"):
        segment_logit(q, {"age": age, "months": 12 * age})
    with pytest.raises(InputError, match="only one segment has rows"):
        segment_logit(np.eye(2)[[0] * 100], {"age": age})
    with pytest.raises(InputError, match="tier does not vary"):
        segment_logit(
            q, {"age": np.where(age > 40, age, np.nan), "tier": np.where(age > 40, "b", "a")}
        )
