"""Generate groups of unit-length rows whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["rings", "unit", "von_mises_fisher"]

COMMON = 0.5  # length of the part that all mean directions share, as embeddings of one model do
HARMONICS = 4  # of a ring


def unit(x: np.ndarray) -> np.ndarray:
    """Divide each row by its length; a row of zeros stays zero.

    >>> unit(np.array([[3.0, 4.0]])).tolist()
    [[0.6, 0.8]]
    """
    return x / np.linalg.norm(x, axis=-1, keepdims=True).clip(min=1e-300)


def von_mises_fisher(
    rng: np.random.Generator, width: int, concentration: float, sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a mixture of von Mises-Fisher laws about random directions.

    Args:
        rng: draws.
        width: D.
        concentration: kappa of each law.
        sizes: rows of each group.

    Returns:
        The rows ``(N, D)`` in random order, and their groups ``(N,)``.

    >>> x, y = von_mises_fisher(np.random.default_rng(0), 64, 40, [5, 3])
    >>> x.shape, np.bincount(y).tolist()
    ((8, 64), [5, 3])
    """
    shared = COMMON * unit(rng.normal(size=width))
    means = unit(shared + unit(rng.normal(size=(len(sizes), width))))
    pairs = zip(means, sizes, strict=True)
    x = np.concatenate([_about(rng, mean, concentration, size) for mean, size in pairs])
    return _shuffled(rng, x, np.repeat(np.arange(len(sizes)), sizes))


def _about(rng: np.random.Generator, mean: np.ndarray, kappa: float, n: int) -> np.ndarray:
    """Draw by rejection of the cosine (Wood 1994, doi 10.1080/03610919408813161)."""
    d = len(mean) - 1
    b = (np.sqrt(4 * kappa**2 + d**2) - 2 * kappa) / d
    top = (1 - b) / (1 + b)
    level = kappa * top + d * np.log(1 - top**2)
    cosine = np.empty(0)
    while len(cosine) < n:
        z = rng.beta(d / 2, d / 2, n)
        w = (1 - (1 + b) * z) / (1 - (1 - b) * z)
        taken = kappa * w + d * np.log(1 - top * w) - level >= np.log(rng.uniform(size=n))
        cosine = np.concatenate([cosine, w[taken]])
    w = cosine[:n, None]
    across = rng.normal(size=(n, len(mean)))
    across = unit(across - (across @ mean)[:, None] * mean)
    return w * mean + np.sqrt(1 - w**2) * across


def rings(
    rng: np.random.Generator, width: int, objects: int, views: int, noise: float = 0.15
) -> tuple[np.ndarray, np.ndarray]:
    """Draw objects that are each a smooth closed curve, seen at equal angles, with noise.

    Args:
        rng: draws.
        width: D.
        objects: curves.
        views: rows on each.
        noise: length of the noise of a row, about, before it is divided by its length.

    Returns:
        The rows ``(N, D)`` in random order, and their objects ``(N,)``.

    >>> x, y = rings(np.random.default_rng(0), 64, 2, 8)
    >>> x.shape, np.bincount(y).tolist()
    ((16, 64), [8, 8])
    """
    angle = 2 * np.pi * np.arange(views) / views
    shared, made = 0.7 * unit(rng.normal(size=width)), []
    for _ in range(objects):
        curve = shared + 0.45 * unit(rng.normal(size=width)) + np.zeros((views, 1))
        for h in range(1, HARMONICS + 1):
            a, b = 0.75 / h * unit(rng.normal(size=(2, width)))
            curve = curve + np.outer(np.cos(h * angle), a) + np.outer(np.sin(h * angle), b)
        made.append(unit(curve) + noise * unit(rng.normal(size=(views, width))))
    x = unit(np.concatenate(made))
    return _shuffled(rng, x, np.repeat(np.arange(objects), views))


def _shuffled(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    order = rng.permutation(len(y))
    return x[order], y[order]
