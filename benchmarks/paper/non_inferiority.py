"""Compare test log-likelihoods of one method with those of another, image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.stats import t

__all__ = ["Difference", "paired_difference"]


@dataclass(frozen=True)
class Difference:
    """Hold the mean difference between two methods' log p(x), with its uncertainty.

    Attributes:
        nats: the mean over images and seeds.
        standard_error: its standard error, in nats; a single seed counts the images alone.
        p: the probability of such a difference, or a larger one, if the method were worse by the
            margin. Below 0.05 the method counts as not inferior. None for a single seed, which
            does not tell how much trainings differ.
        seeds: how many seeds both methods have.
    """

    nats: float
    standard_error: float
    p: float | None
    seeds: int


def paired_difference(
    ours: Mapping[int, Sequence[float]], theirs: Mapping[int, Sequence[float]], *, margin: float
) -> Difference | None:
    """Compare log p(x) of the same images after trainings of the same seeds.

    The variance of the mean has two parts: the images' d_i, each a mean over seeds, and the seeds'
    d_s, each a mean over images. The degrees of freedom are those of Welch and Satterthwaite.

    Args:
        ours, theirs: log p(x) of the test images in nats, by seed.
        margin: the loss, in nats, that would matter.

    Returns:
        The difference, ours minus theirs; None if no seed is in both.

    Reference: Wellek 2010, Testing statistical hypotheses of equivalence and noninferiority.
    """
    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return None
    d = np.array([np.subtract(ours[seed], theirs[seed]) for seed in seeds])
    parts = [d.mean(0), d.mean(1)] if len(seeds) > 1 else [d.mean(0)]
    variances = [part.var(ddof=1) / len(part) for part in parts]
    error = sqrt(sum(variances))
    freedom = sum(variances) ** 2 / sum(
        variance**2 / (len(part) - 1) for variance, part in zip(variances, parts, strict=True)
    )
    mean = float(d.mean())
    p = float(t.sf((mean + margin) / error, freedom)) if len(seeds) > 1 else None
    return Difference(mean, error, p, len(seeds))
