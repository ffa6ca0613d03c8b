"""Explain the clusters of a fitted model by the rows that are given."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

import numpy as np
import torch

from pyro_gmvae.data import Dataset, Schema
from pyro_gmvae.data.columns.profiles import ColumnProfile, profiles_of
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.segments.explanation.evidence import Evidence, row_evidence
from pyro_gmvae.segments.explanation.first_step import Refitted, refitted
from pyro_gmvae.segments.explanation.imputation import DRAWS, Memberships, draw_memberships
from pyro_gmvae.segments.explanation.members import borderline_rows, typical_rows
from pyro_gmvae.segments.explanation.sizes import (
    Size,
    expected_confusion,
    nearest_clusters,
    sizes_of,
)
from pyro_gmvae.segments.explanation.telling import telling_traits
from pyro_gmvae.segments.explanation.traits import Trait, Traits, pairs_of, traits_of
from pyro_gmvae.segments.refitting.refit import FirstStep
from pyro_gmvae.segments.rows import responsibilities_of_rows

__all__ = ["Explanation", "Member", "Segment", "explain"]

SHOWN = 3  # typical and borderline rows of each cluster


@dataclass(frozen=True)
class Member:
    """Hold a row that shows a cluster.

    Attributes:
        row: its place among the rows that were given.
        probability: its responsibility of the cluster.
        evidence: why it is in the cluster rather than in the next one; None for images.

    >>> Member(row=7, probability=0.98).to_dict()
    {'row': 7, 'probability': 0.98, 'evidence': None}
    """

    row: int
    probability: float
    evidence: Evidence | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        own = None if self.evidence is None else self.evidence.to_dict()
        return {"row": self.row, "probability": self.probability, "evidence": own}


@dataclass(frozen=True)
class Segment:
    """Hold what is known about one cluster.

    Attributes:
        cluster: its number.
        size: how large it is and how certain its rows are.
        traits: how it differs from all other rows, the strongest first; empty for images.
        nearest: the cluster that is most like it; None for images.
        nearest_traits: how it differs from the nearest one.
        telling: the few traits that describe it best: the strongest clear ones, without those that
            say nearly the same of each row.
        typical: rows of high responsibility and density.
        borderline: rows that might as well be in another cluster.

    >>> size = Size(share=0.4, low=0.3, high=0.5, n_rows=40, certainty=0.9, certain_share=0.75)
    >>> segment = Segment(0, size, typical=(Member(row=7, probability=0.98),))
    >>> segment.to_dict()["size"]["n_rows"], segment.typical[0].row
    (40, 7)
    """

    cluster: int
    size: Size
    traits: tuple[Trait, ...] = ()
    nearest: int | None = None
    nearest_traits: tuple[Trait, ...] = ()
    telling: tuple[Trait, ...] = ()
    typical: tuple[Member, ...] = ()
    borderline: tuple[Member, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "cluster": self.cluster,
            "size": {n: _plain(v) for n, v in asdict(self.size).items()},
            "traits": [trait.to_dict() for trait in self.traits],
            "nearest": self.nearest,
            "nearest_traits": [trait.to_dict() for trait in self.nearest_traits],
            "telling": [trait.to_dict() for trait in self.telling],
            "typical": [member.to_dict() for member in self.typical],
            "borderline": [member.to_dict() for member in self.borderline],
        }


@dataclass(frozen=True, eq=False)
class Explanation:
    """Hold the explanation of all clusters.

    Attributes:
        n_rows: the number of rows.
        segments: the clusters that have rows, the largest first.
        empty: the clusters that have none.
        confusion: ``(K, K)`` where the rows of each cluster may belong
            (see `pyro_gmvae.segments.explanation.sizes.expected_confusion`).
        likeliest: ``(N,)`` the likeliest cluster of each row.
        probability: ``(N,)`` its responsibility.
        comparisons: how many effects were looked at; the intervals of all hold together.
        draws: how often the clusters of the rows were drawn.
        profiles: the columns by cluster; empty for images.
        weighted: whether rows count by weights.
        first_step: how far the segments are known, by fits to resampled rows, which the intervals
            of traits count; None if they take the segments as known.

    >>> one = np.ones(3)
    >>> Explanation(3, (), (0,), np.ones((1, 1)), 0 * one.astype(int), one, 0).to_dict()["n_rows"]
    3
    """

    n_rows: int
    segments: tuple[Segment, ...]
    empty: tuple[int, ...]
    confusion: np.ndarray
    likeliest: np.ndarray = field(repr=False)
    probability: np.ndarray = field(repr=False)
    comparisons: int
    draws: int = DRAWS
    profiles: tuple[ColumnProfile, ...] = field(default=(), repr=False)
    weighted: bool = False
    first_step: FirstStep | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; what is not finite is null."""
        return {
            "n_rows": self.n_rows,
            "weighted": self.weighted,
            "segments": [segment.to_dict() for segment in self.segments],
            "empty": list(self.empty),
            "confusion": [[_plain(v) for v in row] for row in self.confusion.tolist()],
            "comparisons": self.comparisons,
            "draws": self.draws,
            "first_step": None if self.first_step is None else self.first_step.to_dict(),
        }


def explain(fitted: FittedModel, data: Dataset, *, seed: int = 0) -> Explanation:
    """Explain the clusters of a model by rows, which count by their weights.

    Args:
        fitted: the model.
        data: rows that conform to it (see `FittedModel.conform`); a table has traits and evidence
            by columns, images have sizes, certainty and members.
        seed: fixes every draw.

    Raises:
        InputError: for no rows.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = Dataset("points", torch.randn(50, 2), None, TableEncoding)
    >>> found = explain(FittedModel(gmvae.eval(), TableEncoding.standardize(data.x)), data)
    >>> sum(segment.size.n_rows for segment in found.segments)
    50
    """
    if not len(data):
        raise InputError(f"{data.name} has no rows: name data that has some")
    q, mass = responsibilities_of_rows(fitted, data)
    if not mass.sum() > 0:
        raise InputError(f"all {len(q)} rows of {data.name} have the weight 0: name other rows")
    draws = draw_memberships(q, seed=seed)
    sizes = sizes_of(q, draws, mass)
    used = [k for k, size in enumerate(sizes) if size.n_rows]
    schema = fitted.encoding.schema
    again = None if schema is None or len(used) < 2 else refitted(fitted, data, q, seed=seed)
    if again is not None:
        drawn = draw_memberships(again.responsibilities, seed=seed)
    profiles, nearest, traits = _columns(
        schema, data, q, draws if again is None else drawn, mass, used, again
    )
    members = _members(fitted, data, q, schema is not None and q.shape[1] > 1, seed)
    segments = [
        Segment(
            k,
            sizes[k],
            traits.by_pair.get((k, None), ()),
            nearest.get(k),
            traits.by_pair.get((k, nearest.get(k, -1)), ()),
            telling_traits(schema, data.x, traits.by_pair.get((k, None), ())) if schema else (),
            *(tuple(each[k]) for each in members),
        )
        for k in sorted(used, key=lambda k: -sizes[k].share)
    ]
    return Explanation(
        len(q),
        tuple(segments),
        tuple(k for k, size in enumerate(sizes) if not size.n_rows),
        expected_confusion(q, mass),
        q.argmax(1),
        q.max(1),
        traits.comparisons,
        len(draws.members),
        tuple(profiles),
        data.weights is not None,
        None if again is None else again.summary,
    )


def _columns(
    schema: Schema | None,
    data: Dataset,
    q: np.ndarray,
    draws: Memberships,
    mass: np.ndarray,
    used: list[int],
    again: Refitted | None,
) -> tuple[list[ColumnProfile], dict[int, int], Traits]:
    """Compare the clusters in the columns of a table."""
    if schema is None:
        return [], {}, Traits({}, 0)
    members = torch.from_numpy(q.argmax(1))
    profiles = profiles_of(schema, data.x, members, q.shape[1], data.weights)
    nearest = nearest_clusters(profiles, used)
    pairs = pairs_of(used, nearest)
    if not pairs:
        return profiles, nearest, Traits({}, 0)
    return profiles, nearest, traits_of(schema, data.x.double().numpy(), draws, pairs, mass, again)


def _members(
    fitted: FittedModel, data: Dataset, q: np.ndarray, with_evidence: bool, seed: int
) -> tuple[dict[int, list[Member]], dict[int, list[Member]]]:
    """Choose the typical and the borderline rows of each cluster."""
    chosen = typical_rows(fitted, data.x, q, SHOWN, w=data.w, seed=seed), borderline_rows(q, SHOWN)
    rows = sorted({i for each in chosen for places in each.values() for i in places})
    evidence: dict[int, Evidence] = {}
    if with_evidence:
        shown = data.subset(torch.tensor(rows))
        found = row_evidence(fitted, shown.x, shown.w)
        evidence = dict(zip(rows, found, strict=True))
    typical, borderline = (
        {k: [Member(i, float(q[i, k]), evidence.get(i)) for i in places] for k, places in e.items()}
        for e in chosen
    )
    return typical, borderline


def _plain(value: float) -> float | None:
    return value if isfinite(value) else None
