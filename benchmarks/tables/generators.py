"""Draw tables of mixed columns with known clusters, gaps and columns of noise.

Each generator takes a seed, from which a table of its own is drawn: other seeds give tables that no
method was chosen on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["DEPENDENT", "GENERATORS", "Generated", "a", "b", "bar", "c", "d", "out"]

CHANNELS = ("web", "shop", "phone", "mail", "app", "fair")
DEPENDENT = ("b",)  # tables whose columns depend on one another within a cluster


class Generated(NamedTuple):
    """Hold a table that was drawn.

    Attributes:
        frame: N rows; gaps are NaN.
        kinds: of each column, in the words of `pyro_gmvae.data.schema`.
        labels: the cluster of each row, shape ``(N,)``.
        clusters: the number of clusters.
    """

    frame: pd.DataFrame
    kinds: dict[str, str]
    labels: np.ndarray
    clusters: int


Columns = dict[str, tuple[str, np.ndarray]]  # kind and cells of each column


def bar(seed: int, n: int = 3000, *, gaps: float = 0.2, noise: int = 3) -> Generated:
    """Draw five clusters of customers: two amounts, an age, visits, a channel, a yes or no."""
    rng, k = np.random.default_rng(77 + seed), 5
    y = rng.integers(0, k, n)
    v = rng.normal(0, 2.2, (k, 3))[y] + rng.normal(size=(n, 3))
    visits = rng.poisson(np.exp(rng.normal(1.2, 0.9, k))[y])
    channel = _levels(y, rng.dirichlet(np.full(6, 0.5), k), rng)
    loyal = rng.random(n) < rng.beta(0.6, 0.6, k)[y]
    columns: Columns = {
        "spend": ("amount", np.exp(4 + v[:, 0] * 0.7).round(2)),
        "age": ("real", (45 + 9 * v[:, 1]).round()),
        "tenure": ("real", v[:, 2]),
        "visits": ("count", visits),
        "channel": ("category", np.array(CHANNELS)[channel]),
        "loyal": ("binary", np.where(loyal, "yes", "no")),
    }
    return _finished(columns, y, k, rng, gaps, noise)


def a(seed: int, n: int = 3000, *, gaps: float = 0.2, noise: int = 3) -> Generated:
    """Draw eight clusters of 28 % to 4 % of the rows; one of the columns has 40 levels."""
    rng, k = np.random.default_rng(500 + seed), 8
    shares = 0.75 ** np.arange(k)
    y = rng.choice(k, n, p=shares / shares.sum())
    centres = rng.normal(0, 1.6, (k, 6))
    v = centres[y] + rng.normal(size=(n, 6)) * rng.uniform(0.6, 1.4, (k, 6))[y]
    columns: Columns = {f"r{j}": ("real", v[:, j]) for j in range(4)}
    columns |= {f"a{j}": ("amount", np.exp(3 + v[:, j] * 0.8)) for j in (4, 5)}
    for j in range(2):
        means = np.exp(rng.normal(1, 0.8, k))[y]
        columns[f"n{j}"] = ("count", rng.negative_binomial(3, 3 / (3 + means)))
    for j, levels in enumerate([2, 2, 4, 8, 40]):
        law = rng.dirichlet(np.full(levels, 0.6 if levels < 40 else 0.3), k)
        columns[f"c{j}"] = _named(_levels(y, law, rng), levels)
    return _finished(columns, y, k, rng, gaps, noise)


def b(seed: int, n: int = 3000, *, gaps: float = 0.2, noise: int = 3) -> Generated:
    """Draw four clusters within which the columns depend on one another.

    Each cluster is long and bent, in a direction of its own of six real columns. The place along it
    also moves an amount, a count and two columns of levels.
    """
    rng, k = np.random.default_rng(900 + seed), 4
    y = rng.integers(0, k, n)
    along = rng.normal(size=n) * 1.5
    centres, axes = rng.normal(0, 1.3, (k, 6)), rng.normal(0, 1.0, (k, 6))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True) / 1.6
    bend = rng.normal(0, 0.25, (k, 6))[y]
    v = centres[y] + along[:, None] * axes[y] + (along**2 / 2.25 - 1)[:, None] * bend * 1.5
    v = v + rng.normal(size=(n, 6)) * 0.45
    columns: Columns = {f"r{j}": ("real", v[:, j]) for j in range(6)}
    spend = rng.normal(0, 0.8, k)[y] + 0.7 * along * rng.choice([-1, 1], k)[y]
    spend = spend + rng.normal(size=n) * 0.5
    columns["amount"] = ("amount", np.exp(3 + 0.8 * spend))
    rate = 1 + rng.normal(0, 0.5, k)[y] + 0.4 * along * rng.choice([-1, 1], k)[y]
    columns["count"] = ("count", rng.poisson(np.exp(np.clip(rate, -3, 5))))
    for j, levels in enumerate([2, 5]):
        base, slopes = rng.normal(0, 0.8, (k, levels)), rng.normal(0, 1.0, (k, levels))
        logits = base[y] + along[:, None] * slopes[y]
        law = np.exp(logits - logits.max(1, keepdims=True))
        law /= law.sum(1, keepdims=True)
        columns[f"c{j}"] = _named((law.cumsum(1) > rng.random((n, 1))).argmax(1), levels)
    return _finished(columns, y, k, rng, gaps, noise)


def c(seed: int, n: int = 3000, *, gaps: float = 0.2, noise: int = 3) -> Generated:
    """Draw six latent classes of 25 % to 8 %, in twenty columns of 3 to 12 levels."""
    rng, k = np.random.default_rng(1300 + seed), 6
    y = rng.choice(k, n, p=[0.25, 0.22, 0.18, 0.15, 0.12, 0.08])
    columns: Columns = {}
    for j in range(20):
        levels = int(rng.integers(3, 13))
        shared = rng.dirichlet(np.full(levels, 2.0))
        law = 0.55 * shared + 0.45 * rng.dirichlet(np.full(levels, 0.5), k)
        columns[f"c{j}"] = _named(_levels(y, law, rng), levels)
    return _finished(columns, y, k, rng, gaps, noise)


def d(
    seed: int, n: int = 3000, *, gaps: float = 0.0, noise: int = 0, wide: str = "noise"
) -> Generated:
    """Draw four clusters in five columns, beside a column of 200 levels that knows nothing of them.

    Args:
        wide: ``"noise"`` draws the wide column alone; ``"pair"`` adds a region of twelve that the
            city of 200 tells, so that the two make groups sharper than the clusters; ``"none"``
            leaves both out.
    """
    rng, k = np.random.default_rng(1700 + seed), 4
    y = rng.integers(0, k, n)
    v = rng.normal(0, 1.5, (k, 3))[y] + rng.normal(size=(n, 3))
    columns: Columns = {f"r{j}": ("real", v[:, j]) for j in range(3)}
    for j, levels in enumerate([3, 5]):
        columns[f"c{j}"] = _named(_levels(y, rng.dirichlet(np.full(levels, 0.5), k), rng), levels)
    if wide != "none":
        city = rng.choice(200, n, p=rng.dirichlet(np.ones(200)))
        columns["city"] = ("category", np.array([f"t{i}" for i in range(200)])[city])
        if wide == "pair":
            columns["region"] = ("category", np.array([f"g{i}" for i in range(12)])[city % 12])
    return _finished(columns, y, k, rng, gaps, noise)


def out(
    seed: int, n: int = 3000, *, gaps: float = 0.2, noise: int = 3, share: float = 0.02
) -> Generated:
    """Draw the table ``bar`` with a share of its numbers far off: ten deviations, Cauchy."""
    table, rng = bar(seed, n, gaps=gaps, noise=noise), np.random.default_rng(2100 + seed)
    frame = table.frame.copy()
    for name in ("age", "tenure"):
        cells = frame[name].to_numpy(copy=True)
        far = rng.random(n) < share
        cells[far] += np.nanstd(cells) * 10 * rng.standard_cauchy(far.sum())
        frame[name] = cells
    cells = frame["spend"].to_numpy(copy=True)
    far = rng.random(n) < share
    cells[far] *= np.exp(rng.normal(0, 4, far.sum()))
    frame["spend"] = cells
    return table._replace(frame=frame)


GENERATORS: dict[str, Callable[..., Generated]] = {
    "bar": bar,
    "a": a,
    "b": b,
    "c": c,
    "d-noise": partial(d, wide="noise"),
    "d-pair": partial(d, wide="pair"),
    "out": out,
}


def _levels(y: np.ndarray, law: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a level for each row by its cluster's law, shape ``(K, L)``."""
    cumulative = law.cumsum(1)
    cumulative /= cumulative[:, -1:]
    return (cumulative[y] <= rng.random(len(y))[:, None]).sum(1)


def _named(codes: np.ndarray, levels: int) -> tuple[str, np.ndarray]:
    kind = "binary" if levels == 2 else "category"
    return kind, np.array([f"l{i}" for i in range(levels)])[codes]


def _finished(
    columns: Columns, y: np.ndarray, k: int, rng: np.random.Generator, gaps: float, noise: int
) -> Generated:
    """Add columns of noise, a third of them of three levels, and take cells out at random."""
    n, columns = len(y), dict(columns)
    for j in range(noise):
        if j % 3 == 2:
            columns[f"noise{j}"] = ("category", rng.integers(0, 3, n).astype(str))
        else:
            columns[f"noise{j}"] = ("real", rng.normal(size=n))
    frame = {}
    for name, (kind, cells) in columns.items():
        whole = kind in ("category", "binary")
        typed = pd.Series(cells.astype(object if whole else float))
        frame[name] = typed.mask(rng.random(n) < gaps)
    kinds = {name: kind for name, (kind, _) in columns.items()}
    return Generated(pd.DataFrame(frame), kinds, y, k)
