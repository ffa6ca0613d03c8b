"""The description as users see it: segments in use, gaps, weights, differences, words."""

from __future__ import annotations

import json

import numpy as np
import pandas
import pytest
from scipy import stats

from pyro_gmvae.errors import InputError
from pyro_gmvae.segments import SegmentDescription, describe_outcomes
from pyro_gmvae.segments.outcomes.equality import holm
from tests.helpers.known_segments import certain, draw_segments


def outcomes(rng: np.random.Generator, y: np.ndarray) -> pandas.DataFrame:
    n = len(y)
    return pandas.DataFrame(
        {
            "spend": rng.lognormal(3 + y, 0.5),
            "churn": np.where(rng.random(n) < 0.1 + 0.3 * y, "yes", "no"),
            "tier": rng.choice(["gold", "iron", "tin"], n),
            "joined": pandas.Timestamp("2024-01-01")
            + pandas.to_timedelta(y * 100 + rng.integers(0, 9, n), "D"),
        }
    )


@pytest.fixture
def described() -> SegmentDescription:
    rng = np.random.default_rng(0)
    y, q = draw_segments(rng, 500)
    return describe_outcomes(q, outcomes(rng, y))


def test_gaps_are_left_out_with_their_rows() -> None:
    rng = np.random.default_rng(1)
    y, q = draw_segments(rng, 400)
    frame = outcomes(rng, y)[["spend", "churn"]]
    gap = rng.random(400) < 0.3
    found = describe_outcomes(q, frame.mask(np.stack([gap, ~gap], 1)))
    for name, known in (("spend", ~gap), ("churn", gap)):
        alone = describe_outcomes(q[known], frame[known])[name]
        assert found[name].rows == known.sum() and found[name].gaps == 400 - known.sum()
        assert found[name].segments == alone.segments and found[name].pairs == alone.pairs


def test_weights_count_rows_and_their_errors_do_not_depend_on_their_unit() -> None:
    rng = np.random.default_rng(2)
    y, q = draw_segments(rng, 300)
    frame = outcomes(rng, y)[["spend", "churn"]]
    weights = rng.integers(0, 4, 300).astype(float)
    found = describe_outcomes(q, frame, weights=weights)
    again = describe_outcomes(q, frame, weights=7 * weights)
    repeated = np.arange(300).repeat(weights.astype(int))
    copied = describe_outcomes(q[repeated], frame.iloc[repeated])
    for name in ("spend", "churn"):
        for one, other, copy in zip(
            *(d[name].segments for d in (found, again, copied)), strict=True
        ):
            assert one.estimates[0].value == pytest.approx(copy.estimates[0].value)
            assert one.estimates[0].uncorrected == pytest.approx(copy.estimates[0].uncorrected)
            assert one.estimates[0].high == pytest.approx(other.estimates[0].high)
            # Rows that are drawn together tell less than rows that are drawn apart.
            assert one.estimates[0].standard_error > copy.estimates[0].standard_error


def test_segments_without_rows_are_left_out() -> None:
    rng = np.random.default_rng(3)
    y, q = draw_segments(rng, 200)
    wide = np.zeros((200, 5))
    wide[:, [0, 2, 4]] = q * (1 - 1e-6)
    wide[:, 1] = 1e-6
    found = describe_outcomes(wide, {"spend": rng.lognormal(3 + y, 0.5)})["spend"]
    assert [s.segment for s in found.segments] == [0, 2, 4]
    assert [(p.first, p.second) for p in found.pairs] == [(0, 2), (0, 4), (2, 4)]
    assert sum(s.rows for s in found.segments) == pytest.approx(200)


def test_uncorrected_values_are_those_of_the_likeliest_segment(
    described: SegmentDescription,
) -> None:
    rng = np.random.default_rng(0)
    y, q = draw_segments(rng, 500)
    frame = outcomes(rng, y)
    groups = frame.groupby(q.argmax(1))
    means = [s.estimates[0].uncorrected for s in described["spend"].segments]
    assert means == pytest.approx(groups["spend"].mean().tolist())
    shares = [s.estimates[1].uncorrected for s in described["churn"].segments]
    assert shares == pytest.approx(groups["churn"].apply(lambda c: (c == "yes").mean()).tolist())
    assert described.error.rate == pytest.approx(1 - q.max(1).mean())


def test_differences_have_the_intervals_of_newcombe_for_certain_rows() -> None:
    rng = np.random.default_rng(4)
    y, q = certain(rng, 200)
    churn = rng.random(200) < 0.2 + 0.2 * y
    found = describe_outcomes(q, {"churn": churn}, assignment="modal")["churn"]
    for pair in found.pairs:
        own, other = churn[y == pair.first], churn[y == pair.second]
        (w1, w2) = (
            stats.binomtest(int(c.sum()), len(c)).proportion_ci(0.95, "wilson")
            for c in (own, other)
        )
        p1, p2 = own.mean(), other.mean()
        low = p1 - p2 - np.hypot(p1 - w1.low, w2.high - p2)
        high = p1 - p2 + np.hypot(w1.high - p1, p2 - w2.low)
        assert (pair.differences[1].low, pair.differences[1].high) == pytest.approx((low, high))
        assert pair.differences[1].value == pytest.approx(p1 - p2)


def test_pairs_of_numbers_are_tested_as_welch_does_and_adjusted_by_holm() -> None:
    rng = np.random.default_rng(5)
    y, q = certain(rng, 4_000)
    spend = rng.normal(0.1 * y, 1 + y)
    found = describe_outcomes(q, {"spend": spend})["spend"]
    expected = [
        stats.ttest_ind(spend[y == p.first], spend[y == p.second], equal_var=False).pvalue
        for p in found.pairs
    ]
    assert [p.p_value for p in found.pairs] == pytest.approx(expected, rel=0.02)
    assert [p.p_holm for p in found.pairs] == holm([p.p_value for p in found.pairs])


def test_intervals_of_differences_cover() -> None:
    rng = np.random.default_rng(6)
    held, times = np.zeros(2), 150
    for _ in range(times):
        y, q = draw_segments(rng, 500)
        frame = {"spend": rng.exponential(1 + y), "churn": rng.random(500) < 0.05 + 0.2 * y}
        found = describe_outcomes(q, frame)
        for i, (name, at, truth) in enumerate((("spend", 0, -1.0), ("churn", 1, -0.2))):
            difference = found[name].pairs[0].differences[at]
            held[i] += difference.low <= truth <= difference.high
    assert (held / times >= 0.88).all()


def test_maximum_likelihood_and_modal_assignment_agree_with_the_default() -> None:
    rng = np.random.default_rng(7)
    y, q = draw_segments(rng, 3_000)
    frame = outcomes(rng, y)[["churn"]]
    usual = describe_outcomes(q, frame)["churn"]
    for options in ({"correction": "ml"}, {"assignment": "modal"}):
        other = describe_outcomes(q, frame, **options)["churn"]
        for one, two in zip(usual.segments, other.segments, strict=True):
            spread = one.estimates[1].standard_error
            assert abs(one.estimates[1].value - two.estimates[1].value) < 2 * spread


def test_the_result_is_json_and_a_frame(described: SegmentDescription) -> None:
    values = json.loads(json.dumps(described.to_dict(), allow_nan=False))
    assert [o["name"] for o in values["outcomes"]] == ["spend", "churn", "tier", "joined"]
    frame = described.to_frame()
    assert len(frame) == 3 * (1 + 2 + 3 + 1)
    assert frame["value"][0] == described["spend"].segments[0].estimates[0].value
    with pytest.raises(InputError, match="choose from spend, churn"):
        described["spent"]


def test_the_tables_say_what_the_figures_say(described: SegmentDescription) -> None:
    text = str(described)
    first = described["churn"].segments[0].estimates[1]
    assert f"{first.value:.1%}  {first.low:.1%} to {first.high:.1%}" in text
    assert "churn: shares by segment, 500 of 500 rows known" in text
    assert "  yes  " in text and "   no  " not in text  # one of two levels is enough
    assert "2024-01-0" in text and "All segments alike: p < 0.001." in text
    assert f"{described.error.rate:.1%} of the rows" in text


def test_names_cannot_steer_a_terminal() -> None:
    rng = np.random.default_rng(8)
    y, q = draw_segments(rng, 100)
    text = str(describe_outcomes(q, {"a\x1b[2J\nb": rng.choice(["x\x1b]0;", "y", "z"], 100)}))
    assert "\x1b" not in text and r"a\x1b[2J\nb: shares" in text


def test_what_is_refused() -> None:
    rng = np.random.default_rng(9)
    y, q = draw_segments(rng, 50)
    spend = {"spend": rng.normal(y)}
    with pytest.raises(InputError, match="choose from bch, ml"):
        describe_outcomes(q, spend, correction="em")
    with pytest.raises(InputError, match="confidence must be above 0.5"):
        describe_outcomes(q, spend, confidence=0.05)
    with pytest.raises(InputError, match="kinds names spent"):
        describe_outcomes(q, spend, kinds={"spent": "real"})
    with pytest.raises(InputError, match="spend is known in too few rows"):
        describe_outcomes(q, {"spend": [1.0, 2.0] + [np.nan] * 48})
