"""The reference mixture has the densities of its laws, and their volumes in raw units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp

from benchmarks.tables.encoding import Scale
from benchmarks.tables.generators import bar
from benchmarks.tables.mixture import Laws, Mixture, log_joint

KINDS = {"r": "real", "a": "amount", "n": "count", "s": "spike", "c": "category"}


def table(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "r": rng.normal(3, 2, n),
            "a": np.exp(rng.normal(1, 1, n)),
            "n": rng.poisson(4, n),
            "s": np.where(rng.random(n) < 0.6, 0, rng.exponential(9, n)),
            "c": np.array(["x", "y", "z"])[rng.integers(0, 3, n)],
        }
    )
    return frame.mask(rng.random(frame.shape) < 0.1)


def laws() -> Laws:
    levels = np.log(np.array([[0.3, 0.7, 0.2, 0.3, 0.5], [0.6, 0.4, 0.1, 0.1, 0.8]]))
    return Laws(
        log_shares=np.log([0.25, 0.75]),
        means=np.array([[0.5, -1.0, 0.2], [-0.5, 0.3, 0.0]]),
        variances=np.array([[0.4, 1.5, 1.0], [2.0, 0.7, 0.5]]),
        rates=np.array([[2.0], [6.0]]),
        dispersions=np.array([3.0]),
        log_levels=levels,
    )


def test_the_joint_is_that_of_the_laws() -> None:
    encoded, law = Scale.of(table(), KINDS)(table()), laws()
    expected = np.tile(law.log_shares, (len(encoded), 1))
    for k in range(2):
        scales = np.sqrt(law.variances[k])
        expected[:, k] += np.nansum(stats.norm.logpdf(encoded.numbers, law.means[k], scales), 1)
        size, rate = law.dispersions[0], law.rates[k, 0]
        count = stats.nbinom.logpmf(np.nan_to_num(encoded.counts[:, 0]), size, size / (size + rate))
        expected[:, k] += np.where(np.isnan(encoded.counts[:, 0]), 0, count)
        for start, codes in zip(encoded.offsets, encoded.codes.T, strict=False):
            known = law.log_levels[k, start + np.maximum(codes, 0)]
            expected[:, k] += np.where(codes < 0, 0, known)
    np.testing.assert_allclose(log_joint(encoded, law), expected, rtol=1e-9)


@pytest.mark.parametrize("column", ["r", "a"])
def test_the_density_of_raw_cells_integrates_to_one(column: str) -> None:
    frame = table()[[column]]
    scale = Scale.of(frame, {column: KINDS[column]})
    mixture = Mixture(2, starts=2).fit(scale(frame))

    def density(x: float) -> float:
        return float(np.exp(mixture.log_density(scale(pd.DataFrame({column: [x]})))[0]))

    low, high = (-20, 30) if column == "r" else (-200, 1000)
    assert integrate.quad(density, low, high, limit=400, points=[0, 5])[0] == pytest.approx(
        1, abs=1e-3
    )


def test_a_spike_has_mass_at_the_usual_value_and_density_elsewhere() -> None:
    frame = table()[["s"]]
    scale = Scale.of(frame, {"s": "spike"})
    mixture = Mixture(1, starts=1).fit(scale(frame))

    def density(x: float) -> float:
        return float(np.exp(mixture.log_density(scale(pd.DataFrame({"s": [x]})))[0]))

    elsewhere = sum(
        integrate.quad(density, *ends, limit=400)[0] for ends in ((-300, -1e-6), (1e-6, 3000))
    )
    assert density(0.0) == pytest.approx(0.6, abs=0.1)
    assert density(0.0) + elsewhere == pytest.approx(1, abs=0.01)
    assert density(np.nan) == 1


def test_a_gap_counts_for_nothing() -> None:
    frame, law = table(), laws()
    scale = Scale.of(frame, KINDS)
    empty = scale(frame.iloc[:3].mask(np.ones((3, 5), bool)))
    np.testing.assert_allclose(logsumexp(log_joint(empty, law), 1), 0, atol=1e-12)
    assert empty.log_volume.tolist() == [0, 0, 0]
    unseen = scale(frame.iloc[:1].assign(c="never seen"))
    assert unseen.codes[0, -1] == -1


def test_the_mixture_recovers_the_likelihood_of_the_truth() -> None:
    drawn = bar(0, 600)
    encoded = Scale.of(drawn.frame, drawn.kinds)(drawn.frame)
    truth = Mixture(5).fit_from(encoded, drawn.labels)
    found = Mixture(5, starts=4).fit(encoded)
    assert found.log_likelihood == pytest.approx(truth.log_likelihood, abs=0.05)
    before = found.log_likelihood
    assert found.fit_further(encoded).log_likelihood >= before - 1e-4
    own = found.log_density(encoded) - encoded.log_volume
    assert own.mean() == pytest.approx(found.log_likelihood, abs=1e-3)
    mean = found.expected(encoded)
    assert mean.shape == encoded.matrix.shape
    shares = mean[:, -encoded.offsets[-1] :]
    sums = [
        shares[:, a:b].sum(1) for a, b in zip(encoded.offsets, encoded.offsets[1:], strict=False)
    ]
    np.testing.assert_allclose(sums, 1)


def test_whole_numbers_are_the_same_levels_beside_gaps() -> None:
    full = pd.DataFrame({"o": [3, 1, 10, 1]})
    scale = Scale.of(full, {"o": "ordinal"})
    gappy = pd.DataFrame({"o": [3, None, 10, 1]})
    assert scale(full).codes[:, 0].tolist() == [2, 0, 1, 0]
    assert scale(gappy).codes[:, 0].tolist() == [2, -1, 1, 0]
    assert scale(full.astype(object)).codes[:, 0].tolist() == [2, 0, 1, 0]
    texts = pd.DataFrame({"o": ["x", None, "y"]})
    for typed in (texts, texts.astype("category"), texts.astype("string")):
        assert Scale.of(texts, {"o": "category"})(typed).codes[:, 0].tolist() == [0, -1, 1]
