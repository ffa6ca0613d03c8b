"""Choose the rows that show what a cluster is, and those that lie at its border."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.segments.explanation.sizes import CERTAIN

__all__ = ["borderline_rows", "typical_rows"]

CANDIDATES = 300  # certain rows of a cluster whose density is computed
SAMPLES = 20  # importance samples of a density


def typical_rows(
    fitted: FittedModel,
    x: Shaped[Tensor, "N *event"],
    q: np.ndarray,
    count: int,
    *,
    w: Shaped[Tensor, "N Q"] | None = None,
    seed: int = 0,
) -> dict[int, list[int]]:
    """Find rows of high responsibility and high density p(x) in each cluster.

    Among up to 300 rows of a cluster, drawn from those whose responsibility is above 0.9 and who
    have no more gaps than most, the densest are taken; equal rows once. A cluster without such
    rows gives those of its highest responsibility.

    Args:
        fitted: the model.
        x: rows in raw units.
        q: ``(N, K)`` their responsibilities.
        count: rows for each cluster.
        w: covariates of the rows, of a model that has some.
        seed: fixes the choice of candidates and the samples of densities.

    Returns:
        The places of the rows by cluster, for clusters that have rows.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(8.0, dtype=torch.float64).view(4, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> typical_rows(fitted, x, np.array([[0.99, 0.01], [0.6, 0.4], [0.0, 1.0], [0.3, 0.7]]), 1)
    {0: [0], 1: [2]}
    """
    generator = np.random.default_rng(seed)
    gaps = x.flatten(1).isnan().sum(1).numpy() if x.is_floating_point() else np.zeros(len(x))
    candidates: dict[int, np.ndarray] = {}
    for k, rows in _rows_of(q).items():
        fewest = rows[gaps[rows] <= np.median(gaps[rows])]
        certain = fewest[q[fewest, k] > CERTAIN]
        if len(certain) < count:
            certain = fewest[np.argsort(-q[fewest, k], kind="stable")[: 3 * count]]
        chosen = generator.permutation(certain)[:CANDIDATES]
        candidates[k] = chosen
    every = np.concatenate(list(candidates.values()))
    chosen_rows = torch.from_numpy(every)
    figures = fitted.log_likelihood(
        x[chosen_rows],
        None if w is None else w[chosen_rows],
        num_samples=SAMPLES,
        seed=seed,
        diagnostics=False,
    )
    density = dict(zip(every.tolist(), figures.log_p.tolist(), strict=True))
    found = {}
    for k, rows in candidates.items():
        ordered = sorted(rows.tolist(), key=lambda i: -density[i])
        found[k] = _different(x, ordered, count)
    return found


def borderline_rows(q: np.ndarray, count: int) -> dict[int, list[int]]:
    """Find the rows of each cluster whose second cluster is nearly as likely as the first.

    >>> borderline_rows(np.array([[0.9, 0.1], [0.55, 0.45], [0.2, 0.8]]), 1)
    {0: [1], 1: [2]}
    """
    top = np.partition(q, -2, axis=1)[:, -2:] if q.shape[1] > 1 else np.c_[0 * q, q]
    margin = top[:, 1] - top[:, 0]
    return {
        k: rows[np.argsort(margin[rows], kind="stable")[:count]].tolist()
        for k, rows in _rows_of(q).items()
    }


def _rows_of(q: np.ndarray) -> dict[int, np.ndarray]:
    """Return the rows whose likeliest cluster each one is, for clusters that have any."""
    likeliest = q.argmax(1)
    return {k: np.flatnonzero(likeliest == k) for k in range(q.shape[1]) if (likeliest == k).any()}


def _different(x: Tensor, ordered: list[int], count: int) -> list[int]:
    """Take the first rows that do not equal one another."""
    seen: set[bytes] = set()
    found: list[int] = []
    for i in ordered:
        key = x[i].contiguous().numpy().tobytes()
        if key not in seen and len(found) < count:
            seen.add(key)
            found.append(i)
    return found
