"""Write what a cluster has in a column as a short text and a colour."""

from __future__ import annotations

from datetime import date, timedelta
from math import isfinite

import numpy as np

from pyro_gmvae.data.columns.profiles import ColumnProfile

__all__ = ["heading", "is_yes_no", "level_colours", "level_text", "number_text", "percent", "short"]

# Colours of the most frequent levels; what they leave is of the last one.
PALETTE = ("#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#edc948")
REST = "#d1d5db"
CLOSE_DAYS = 120
FEW_ORDERED = 12  # levels that an order of colours can tell apart


def number_text(value: float, profile: ColumnProfile) -> str:
    """Write a number in about five characters, and a date as year and month.

    >>> from pyro_gmvae.data import Column
    >>> spend = ColumnProfile(Column("spend", "amount"), "spend", *[np.zeros(1)] * 4, 0.0)
    >>> [number_text(v, spend) for v in (0.1234, 12.34, 1234.5, 56789.0, 999_999.0, 1e20)]
    ['0.123', '12.3', '1,234', '56.8k', '1M', '1.0e+20']
    """
    if not isfinite(value):
        return ""
    if profile.column.kind == "date":
        if profile.column.cells == "date":
            return _date_text(value, profile.typical)
        return f"{value:.0f}"  # a year
    size = abs(value)
    # Three digits are rounded up at 999.5 to the next unit.
    for least, unit, letter in (
        (1e12, 1e12, "T"),
        (1e9, 1e9, "G"),
        (1e6, 1e6, "M"),
        (1e4, 1e3, "k"),
    ):
        if size >= 0.9995 * least:
            large = size >= 999.5 * unit and letter == "T"
            return f"{value:.1e}" if large else f"{value / unit:.3g}{letter}"
    return f"{value:,.0f}" if size >= 999.5 else f"{value:z.3g}"


def _date_text(days: float, all_days: np.ndarray) -> str:
    """Write a date with its day where the clusters' dates are close."""
    close = np.nanmax(all_days) - np.nanmin(all_days) < CLOSE_DAYS
    try:
        return (date(1970, 1, 1) + timedelta(days=days)).strftime("%Y-%m-%d" if close else "%Y-%m")
    except OverflowError:
        return f"{days:.0f} d"


def is_yes_no(profile: ColumnProfile) -> bool:
    """Return True if one share says all: a column of two levels, or a spike.

    >>> from pyro_gmvae.data import Column
    >>> tier = Column("tier", "category", "text", levels=("a", "b"))
    >>> is_yes_no(ColumnProfile(tier, "tier", *[np.zeros(1)] * 2, np.ones((1, 2)), np.zeros(1), 0))
    True
    """
    return profile.shares.shape[1] == 2


def level_text(shares: np.ndarray, profile: ColumnProfile, most: int) -> str:
    """Write the commonest level with its share.

    Args:
        shares: ``(L,)`` shares of the levels.
        profile: the column.
        most: characters that there is room for.

    >>> from pyro_gmvae.data import Column
    >>> tier = Column("tier", "category", "text", levels=("gold", "silver", "tin"))
    >>> made = ColumnProfile(tier, "tier", *[np.zeros(1)] * 2, np.ones((1, 3)), np.zeros(1), 0)
    >>> level_text(np.array([0.2, 0.5, 0.3]), made, 20)
    'silver: 50%'
    """
    if np.isnan(shares).any():
        return ""
    place = int(shares.argmax())
    return f"{short(profile.column.level_names[place], most - 6)}: {shares[place]:.0%}"


def level_colours(profile: ColumnProfile, mass: np.ndarray) -> tuple[list[int], list[str]]:
    """Return the order in which levels are drawn, and the colour of each.

    Args:
        profile: a column of levels.
        mass: ``(K,)`` the share of each cluster, by which frequent levels are found.

    >>> from pyro_gmvae.data import Column
    >>> tier = ColumnProfile(
    ...     Column("tier", "category", "text", levels=("a", "b")), "tier", *[np.zeros(2)] * 2,
    ...     np.array([[0.9, 0.1], [0.2, 0.8]]), np.zeros(2), 0.5,
    ... )
    >>> order, colours = level_colours(tier, np.array([0.2, 0.8]))
    >>> order, len(colours)  # level b is the more frequent one
    ([1, 0], 2)
    """
    overall = np.nansum(profile.shares * mass[:, None], 0)
    if profile.column.kind == "ordinal" and len(overall) <= FEW_ORDERED:
        from matplotlib import colormaps
        from matplotlib.colors import to_hex

        steps = np.linspace(0.15, 0.95, len(overall))
        return list(range(len(overall))), [to_hex(c) for c in colormaps["YlGnBu"](steps)]
    order = np.argsort(-overall, kind="stable").tolist()
    return order, [PALETTE[i] if i < len(PALETTE) else REST for i in range(len(order))]


def heading(profile: ColumnProfile, gaps: float, most: int) -> str:
    """Write the name of a column, the level that its shares are of, and its share of gaps.

    >>> from pyro_gmvae.data import Column
    >>> paid = Column("paid", "binary", "text", levels=("no", "yes"))
    >>> made = ColumnProfile(paid, "paid", *[np.zeros(1)] * 2, np.ones((1, 2)), np.zeros(1), 0)
    >>> heading(made, 0.125, 40)
    'paid = yes (12% gaps)'
    """
    column, name = profile.column, profile.name
    if column.kind == "spike":
        assert column.usual is not None
        name = f"{short(name, most - 10)} ≠ {column.usual:.4g}"
    elif is_yes_no(profile):
        level = short(column.level_names[1], most // 2)
        name = f"{short(name, most - len(level) - 3)} = {level}"
    else:
        name = short(name, most)
    return f"{name} ({percent(gaps)} gaps)" if gaps else name


def percent(part: float) -> str:
    """Write a share in whole percent, and a small one as such.

    >>> percent(0.42), percent(0.001), percent(0.0)
    ('42%', '<1%', '0%')
    """
    return "<1%" if 0 < part < 0.005 else f"{part:.0%}"


def short(text: str, most: int) -> str:
    """Cut a text that is too long.

    >>> short("Never-married", 8)
    'Never-m…'
    """
    return text if len(text) <= most else f"{text[: max(1, most - 1)]}…"
