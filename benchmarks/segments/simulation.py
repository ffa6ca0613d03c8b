"""Draw tables of three segments that overlap, with columns that were not clustered on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["CHURN", "OVERLAPS", "SLOPES", "SPEND", "TABLES", "Drawn", "draw"]

OVERLAPS = {"apart": 4.0, "near": 3.0, "torn": 2.0}  # standard deviations between segments
TABLES = ("numbers", "mixed")
CONSTANTS, SLOPES = np.array([0.0, -0.5, -1.0]), np.array([0.0, 0.5, -0.8])
SPEND, SPREADS = np.array([10.0, 12.0, 20.0]), np.array([1.0, 3.0, 6.0])
CHURN = np.array([0.1, 0.3, 0.7])


@dataclass(frozen=True, eq=False)
class Drawn:
    """Hold N rows.

    Attributes:
        frame: the columns to cluster on.
        segment: the segment of each row.
        outcomes: columns that depend on the segment alone.
        covariate: what the segment depends on.
    """

    frame: pd.DataFrame
    segment: np.ndarray
    outcomes: pd.DataFrame
    covariate: np.ndarray


def draw(table: str, overlap: str, n: int, rng: np.random.Generator) -> Drawn:
    """Draw rows.

    The segment follows a multinomial logit of the covariate. Spend is skewed, and its spread
    differs by segment; churn is yes or no.

    Args:
        table: ``"numbers"``, two numbers; or ``"mixed"``, two numbers, a count, three levels, and a
            yes or no, all independent within a segment.
        overlap: how far segments are apart, a name in `OVERLAPS`.
        n: N.
        rng: the source of all that is drawn.
    """
    covariate = rng.normal(size=n)
    p = np.exp(CONSTANTS + SLOPES * covariate[:, None])
    p /= p.sum(1, keepdims=True)
    y = (rng.random((n, 1)) > p.cumsum(1)[:, :2]).sum(1)
    far = OVERLAPS[overlap]
    outcomes = pd.DataFrame(
        {
            "spend": SPEND[y] + SPREADS[y] * (rng.exponential(size=n) - 1),
            "churn": np.where(rng.random(n) < CHURN[y], "yes", "no"),
        }
    )
    columns = _numbers(y, far, rng) if table == "numbers" else _mixed(y, far, rng)
    return Drawn(pd.DataFrame(columns), y, outcomes, covariate)


def _numbers(y: np.ndarray, far: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "width": rng.normal(far * (y == 1)),
        "height": rng.normal(far * (y == 2)),
    }


def _mixed(y: np.ndarray, far: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Let each column tell less than a number of `_numbers`, and all of them about as much."""
    part = 0.75 * far
    tier = np.array([[0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.1, 0.3, 0.6]])[y]
    return {
        "width": rng.normal(part * (y == 1)),
        "height": rng.normal(part * (y == 2)),
        "visits": rng.poisson(4 * np.exp(0.2 * part * (y == 1))),
        "tier": np.array(["gold", "silver", "tin"])[
            (rng.random((len(y), 1)) > tier.cumsum(1)[:, :2]).sum(1)
        ],
        "paid": np.where(rng.random(len(y)) < np.array([0.2, 0.5, 0.6])[y], "yes", "no"),
    }
