"""Map numbers with far cells to normal scores, by straight lines between quantiles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import ndtri
from torch import Tensor

__all__ = ["FAR", "MOST_KNOTS", "Knots", "draw_near", "fit_knots", "has_far_cells", "straighten"]

FAR = 20.0  # robust standard deviations from the median
MOST_KNOTS = 100
FEW_CELLS = 20


class Knots(NamedTuple):
    """Hold the corners of one increasing map of pieces of straight lines.

    Attributes:
        at: ``(M,)`` numbers, increasing.
        scores: ``(M,)`` what they are mapped to, increasing.

    >>> knots = Knots(at=np.array([0.0, 1.0, 100.0]), scores=np.array([-1.0, 0.0, 1.0]))
    >>> dict(zip(knots.at.tolist(), knots.scores.tolist(), strict=True))
    {0.0: -1.0, 1.0: 0.0, 100.0: 1.0}
    """

    at: np.ndarray
    scores: np.ndarray


def robust(values: np.ndarray) -> tuple[float, float]:
    """Return the median and a standard deviation that a few far cells do not move.

    >>> robust(np.array([1.0, 2.0, 3.0, 4.0, 1e9]))[0]
    3.0
    """
    middle = float(np.median(values))
    for low, high, width in ((25, 75, 1.349), (5, 95, 3.29)):
        below, above = np.percentile(values, [low, high])
        if above > below:
            return middle, float(above / width - below / width)
    return middle, float(np.abs(values / 2 - middle / 2).max()) * 2


def draw_near(values: np.ndarray, far: float) -> np.ndarray:
    """Draw cells beyond ``far`` robust standard deviations from the median to there.

    >>> draw_near(np.r_[np.arange(5.0), 1e9], 2.0).round(1).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 6.2]
    """
    middle, spread = robust(values)
    return np.clip(values, middle - far * spread, middle + far * spread)


def has_far_cells(values: np.ndarray) -> bool:
    """Return True if a cell is farther than `FAR` robust standard deviations from the median.

    >>> has_far_cells(np.r_[np.arange(100.0), 1e4]), has_far_cells(np.arange(100.0))
    (True, False)
    """
    if len(values) < FEW_CELLS:
        return False
    middle, spread = robust(values)
    far = max(float(values.max()) / FAR - middle / FAR, middle / FAR - float(values.min()) / FAR)
    return far > spread > 0


def fit_knots(values: np.ndarray) -> Knots:
    """Find the map that takes the training cells ``(n,)`` to normal scores.

    >>> knots = fit_knots(np.array([0.0, 1.0, 1.0, 1e6]))
    >>> knots.at, knots.scores.round(2)
    (array([0.e+00, 1.e+00, 1.e+06]), array([-1.15,  0.  ,  1.15]))
    """
    ordered = np.sort(values)
    places = np.unique(np.linspace(0, len(ordered) - 1, MOST_KNOTS).round().astype(np.int64))
    at = np.unique(ordered[places])
    left, right = np.searchsorted(ordered, at, "left"), np.searchsorted(ordered, at, "right")
    return Knots(at, ndtri((left + right) / (2 * len(ordered))))


def padded(knots: Knots, size: int) -> Knots:
    """Bring a map to ``size`` corners, by more corners on the straight line beyond the last one.

    >>> padded(Knots(np.array([0.0, 1.0]), np.array([0.0, 2.0])), 4).scores
    array([0., 2., 3., 4.])
    """
    more = size - len(knots.at)
    if not more:
        return knots
    at, scores = knots
    last = at[-1] - at[-2]
    # Corners that are too near to one another would be rounded to one.
    step = np.arange(1, more + 1) / more * max(last, abs(at[-1]) * 1e-9)
    rise = step * ((scores[-1] - scores[-2]) / last)
    return Knots(np.r_[at, at[-1] + step], np.r_[scores, scores[-1] + rise])


def straighten(
    x: Float[Tensor, "*batch columns"],
    at: Float[Tensor, "columns knots"],
    to: Float[Tensor, "columns knots"],
) -> tuple[Float[Tensor, "*batch columns"], Float[Tensor, "*batch columns"]]:
    """Map numbers by the lines through the corners, and return the slopes there as well.

    The first and the last line go on beyond their corners. NaN stays NaN.

    >>> corners = torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[0.0, 10.0, 11.0]])
    >>> straighten(torch.tensor([[0.5], [4.0]]), *corners)[0]
    tensor([[ 5.],
            [13.]])
    """
    flat = x.reshape(-1, x.shape[-1]).T.contiguous()
    line = torch.searchsorted(at, flat, right=True).clamp(1, at.shape[1] - 1)
    left, right = at.gather(1, line - 1), at.gather(1, line)
    low, high = to.gather(1, line - 1), to.gather(1, line)
    slope = (high - low) / (right - left)
    # From the nearer corner, so that a long line loses no digits there.
    near = (flat - left).abs() <= (right - flat).abs()
    made = torch.where(near, low + (flat - left) * slope, high + (flat - right) * slope)
    return made.T.reshape(x.shape), slope.T.reshape(x.shape)
