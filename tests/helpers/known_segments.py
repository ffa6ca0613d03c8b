"""Rows of segments that are known, with their exact responsibilities."""

from __future__ import annotations

import numpy as np

SHARES = np.array([0.5, 0.3, 0.2])
CENTRES = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])


def draw_segments(
    rng: np.random.Generator, n: int, shares: np.ndarray = SHARES
) -> tuple[np.ndarray, np.ndarray]:
    """The segment of each row, and p(segment | x) of a mixture of normal laws that overlap.

    With shares for each row the mixture knows their mean only, as one without covariates does.
    """
    y = (rng.random((n, 1)) > np.broadcast_to(shares, (n, 3)).cumsum(1)[:, :2]).sum(1)
    x = CENTRES[y] + rng.normal(size=(n, 2))
    mean = np.broadcast_to(shares, (n, 3)).mean(0)
    log_joint = np.log(mean) - ((x[:, None] - CENTRES) ** 2).sum(-1) / 2
    q = np.exp(log_joint - log_joint.max(1, keepdims=True))
    return y, q / q.sum(1, keepdims=True)


def certain(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Segments of which every row is certain."""
    y = rng.choice(3, n, p=SHARES)
    return y, np.eye(3)[y]
