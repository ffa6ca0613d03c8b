"""Choose the order of the rows of an epoch: row groups at random, then rows within blocks of them.

A lane is what one process reads. The groups of an epoch, one after another in a new order, are cut
into as many stretches of rows as there are lanes. A lane takes its stretch in blocks of some groups
and shuffles the rows of a block. Nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Block", "Piece", "blocks_of", "lane_rows", "stretch"]


class Piece(NamedTuple):
    """Name some of the training rows of a group: those from ``low`` up to below ``high``.

    >>> piece = Piece(group=2, low=3, high=5)
    >>> piece.high - piece.low  # rows
    2
    """

    group: int
    low: int
    high: int


class Block(NamedTuple):
    """Hold pieces whose rows are shuffled together.

    Attributes:
        pieces: the pieces.
        n_rows: all their rows.
        number: the number of the block in its lane.

    >>> Block((Piece(0, 0, 6), Piece(1, 0, 3)), n_rows=9, number=0).n_rows
    9
    """

    pieces: tuple[Piece, ...]
    n_rows: int
    number: int


def lane_rows(n_rows: int, batch_size: int, lanes: int) -> list[int]:
    """Count the rows of each lane of an epoch; lane l takes row l, l + lanes, ... of each batch.

    >>> lane_rows(10, 4, lanes=2), lane_rows(9, 3, lanes=2)
    ([5, 5], [6, 3])
    """
    whole, rest = divmod(n_rows, batch_size)
    return [
        whole * len(range(lane, batch_size, lanes)) + len(range(lane, rest, lanes))
        for lane in range(lanes)
    ]


def stretch(order: np.ndarray, sizes: np.ndarray, first: int, count: int) -> list[Piece]:
    """Cut ``count`` rows from the row ``first`` on out of groups that follow one another.

    Args:
        order: the groups in their order.
        sizes: ``(G,)`` the training rows of each group, by its number.
        first: the first row of the stretch.
        count: its rows.

    >>> stretch(np.array([2, 0, 1]), np.array([10, 10, 5]), first=3, count=6)
    [Piece(group=2, low=3, high=5), Piece(group=0, low=0, high=4)]
    """
    ends = np.cumsum(sizes[order])
    found = []
    for place in range(int(np.searchsorted(ends, first, side="right")), len(order)):
        begin = int(ends[place] - sizes[order[place]])
        low, high = max(first, begin), min(first + count, int(ends[place]))
        if low >= first + count:
            break
        if high > low:
            found.append(Piece(int(order[place]), low - begin, high - begin))
    return found


def blocks_of(pieces: Sequence[Piece], most_rows: int) -> list[Block]:
    """Join pieces to blocks of ``most_rows`` at most, or of one piece that has more.

    >>> [b.n_rows for b in blocks_of([Piece(0, 0, 6), Piece(1, 0, 3), Piece(2, 0, 5)], 9)]
    [9, 5]
    """
    blocks: list[Block] = []
    joined: list[Piece] = []
    rows = 0
    for piece in pieces:
        size = piece.high - piece.low
        if joined and rows + size > most_rows:
            blocks.append(Block(tuple(joined), rows, len(blocks)))
            joined, rows = [], 0
        joined.append(piece)
        rows += size
    if joined:
        blocks.append(Block(tuple(joined), rows, len(blocks)))
    return blocks
