"""Say how stable clusters are in the number of rows that they were found on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Int64
from torch import Tensor

from pyro_gmvae.evaluation.stability import pairwise_ari

__all__ = ["SampleStability"]


@dataclass(frozen=True)
class SampleStability:
    """Hold what is known of a training on a uniform sample of the rows.

    Attributes:
        rows: rows of the sample.
        of: rows that it was drawn from.
        seed: the seed of the draw.
        half: the adjusted Rand index between the clusters of the sample and those of half of it.
        quarter: the index between the clusters of the half and those of half of that.
        shares: the share of each cluster among the rows that were not drawn.

    >>> print(SampleStability(100, 1000, 0, 0.95, 0.9, (0.5, 0.5)).sentence)
    Trained on 100 of 1,000 rows, drawn uniformly (seed 0). On the other rows, the clusters of half
    of the sample agree with its own by an adjusted Rand index of 0.95, those of a quarter with
    those of the half by 0.90.
    """

    rows: int
    of: int
    seed: int
    half: float
    quarter: float
    shares: tuple[float, ...] = ()

    @classmethod
    def of_clusters(
        cls,
        clusters: Sequence[Int64[Tensor, " N"]],
        *,
        n_clusters: int,
        rows: int,
        of: int,
        seed: int,
    ) -> SampleStability:
        """Compare the clusters of the other rows by three models.

        Args:
            clusters: by the model of the sample, that of half of it and that of a quarter.
            n_clusters: K.
            rows, of, seed: the attributes.
        """
        table = pairwise_ari(clusters)
        sizes = clusters[0].bincount(minlength=n_clusters).double()
        shares = tuple((sizes / sizes.sum()).tolist())
        return cls(rows, of, seed, table[0, 1].item(), table[1, 2].item(), shares)

    @property
    def sentence(self) -> str:
        """Return the figures as a line of text."""
        return (
            f"Trained on {self.rows:,} of {self.of:,} rows, drawn uniformly (seed {self.seed}). On "
            "the other rows, the clusters of half of the sample agree with its own by an adjusted "
            f"Rand index of {self.half:.2f}, those of a quarter with those of the half by "
            f"{self.quarter:.2f}."
        )
