"""Say what a reader of a report should be careful about."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pyro_gmvae.report.words import numbered, percent_text
from pyro_gmvae.segments.explanation.explain import Explanation
from pyro_gmvae.visible import visible

__all__ = ["BLURRED", "blurs_of", "cautions_of"]

BLURRED = 0.05  # expected share of a segment's rows that belong to another one
SMALL = 30  # rows of a segment, below which its figures are rough
UNSURE = 0.8  # mean responsibility of a segment's rows, below which it is vague
TORN = 0.05  # of all rows in another segment than their likeliest; intervals hold less
GAPPY = 0.2
NAMED = 5  # columns that are named


def blurs_of(explanation: Explanation) -> list[tuple[int, int, float]]:
    """List the pairs of segments that blur: of the first one's rows, a share is the second's.

    >>> confusion = np.array([[0.9, 0.1], [0.02, 0.98]])
    >>> none = np.zeros(0)
    >>> blurs_of(Explanation(0, (), (), confusion, none, none, 0))
    [(0, 1, 0.1)]
    """
    confusion = np.nan_to_num(explanation.confusion)
    k = len(confusion)
    pairs = [(i, j, float(confusion[i, j])) for i in range(k) for j in range(k) if i != j]
    return sorted((p for p in pairs if p[2] >= BLURRED), key=lambda p: -p[2])


def cautions_of(
    explanation: Explanation,
    names: Mapping[int, str],
    gaps: Mapping[str, float],
    n_left_out: int,
    bad_k: float,
    k_matters: bool,
    sample: str | None = None,
) -> tuple[str, ...]:
    """Write the cautions.

    Args:
        explanation: the segments.
        names: a name for each segment, by its cluster.
        gaps: the share of gaps of each column.
        n_left_out: how many columns were left out.
        bad_k: the share of rows whose Pareto k-hat is above 0.7.
        k_matters: whether so many make the log-likelihood untrustworthy.
        sample: how stable the segments are in the number of rows, if they are those of a sample.

    >>> from pyro_gmvae.segments.explanation.explain import Segment
    >>> from pyro_gmvae.segments.explanation.sizes import Size
    >>> sizes = [Size(0.6, 0.5, 0.7, 60, 0.95, 0.9), Size(0.4, 0.3, 0.5, 40, 0.6, 0.5)]
    >>> segments = tuple(Segment(k, size) for k, size in enumerate(sizes))
    >>> found = Explanation(100, segments, (), np.eye(2), np.zeros(0), np.zeros(0), 0)
    >>> said = cautions_of(found, {0: "young", 1: "old"}, {}, 0, bad_k=0.0, k_matters=False)
    >>> said[1].split(": ")[0]
    'The rows of segment 1 are assigned with a probability below 80% on average'
    """
    segments = explanation.segments
    said = [
        "The columns that made the segments also describe them. The intervals say how precisely "
        "the differences are known, not that such segments exist."
    ]
    if sample is not None:
        said.append(sample)
    vague = [s.cluster for s in segments if s.size.certainty < UNSURE]
    if vague:
        said.append(
            f"The rows of {numbered('segment', vague)} are assigned with a probability below "
            f"{percent_text(UNSURE)} on average: treat single rows there as a guess."
        )
    torn = sum(s.size.n_rows * (1 - s.size.certainty) for s in segments) / explanation.n_rows
    if torn >= TORN and explanation.profiles:
        first = explanation.first_step
        narrow = "sizes and traits" if first is None else "sizes"
        said.append(
            f"By the model, {percent_text(torn)} of the rows are not in their likeliest segment. "
            f"Where so many are not, the intervals of {narrow} are too narrow: they take the "
            "segments as known."
        )
        if first is not None and not first.trusted:
            said.append(
                f"Other rows would give other segments: a resample puts {first.spread:.0%} of the "
                "rows elsewhere. The intervals of traits count that, and may still be too narrow."
            )
    small = [s.cluster for s in segments if s.size.n_rows < SMALL]
    if small:
        said.append(
            f"There are fewer than {SMALL} rows in {numbered('segment', small)}: the intervals "
            "there are rough."
        )
    untold = [s.cluster for s in segments if not s.telling]
    if untold and explanation.profiles and len(segments) > 1:
        said.append(
            f"No single column sets {numbered('segment', untold)} apart clearly. Combinations of "
            "columns may, or there is no difference."
        )
    if explanation.empty:
        said.append(
            f"There is no row in {numbered('cluster', explanation.empty)}: the model needs fewer "
            "clusters than it was given."
        )
    gappy = [name for name, share in gaps.items() if share >= GAPPY]
    if gappy:
        shown = ", ".join(map(visible, gappy[:NAMED]))
        more = f" and {len(gappy) - NAMED} more" if len(gappy) > NAMED else ""
        said.append(
            f"A fifth or more of the cells are missing in {shown}{more}. Means and shares are "
            "those of the cells that are there."
        )
    if n_left_out:
        said.append(
            f"{n_left_out} column{'s were' if n_left_out > 1 else ' was'} left out of the model; "
            "the last section names them."
        )
    if k_matters:
        said.append(
            f"For {percent_text(bad_k)} of the rows Pareto k-hat is above 0.7: the "
            "log-likelihood is too low there. The segments do not depend on it."
        )
    if explanation.weighted:
        said.append("Rows count by their weights in all shares and means, but not in row counts.")
    return tuple(said)
