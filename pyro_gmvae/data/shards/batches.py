"""Batch the rows of a table that is larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from pyro_gmvae.data.batches import ALL, Batch, ResidentBatches
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.shards.ahead import ahead
from pyro_gmvae.data.shards.conform import Conformer
from pyro_gmvae.data.shards.groups import Group
from pyro_gmvae.data.shards.order import Block, blocks_of, lane_rows, stretch

__all__ = ["BLOCK_BYTES", "ShardBatches"]

BLOCK_BYTES = 2**27  # of rows that are shuffled together; three such blocks are in memory


class ShardBatches:
    """Batch rows that are read from row groups in a new order every epoch.

    Row groups are read in a random order, some of them at a time, and the rows of such a block are
    shuffled (see `pyro_gmvae.data.shards.order`). A thread reads the next block while the last one
    is trained on. Each epoch has every training row once. It is a
    `pyro_gmvae.data.BatchSource`.

    Args:
        groups: the row groups.
        schema: the columns.
        batch_size: rows in a batch, over all processes; the last one may have fewer.
        sampled: ``(n, D)`` training rows that are in memory, for `sample`.
        lanes: into how many parts the reading is divided: the number of processes, or a multiple.
            The batches depend on it. A process reads the row groups of its own lanes only.
        transform: applied to each batch, such as an `Encoding`.
        device: where batches are wanted.
        block_bytes: the bytes of rows that are shuffled together, at most; a row group is not
            divided.

    Raises:
        ValueError: for a ``batch_size`` below ``lanes``, or fewer rows than lanes.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> from pyro_gmvae.data.schema import Column
    >>> from pyro_gmvae.data.shards.groups import groups_of
    >>> from pyro_gmvae.data.shards.parts import ParquetPart
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.parquet")
    ...     pandas.DataFrame({"age": range(25)}).to_parquet(path, row_group_size=10)
    ...     groups, schema = groups_of([ParquetPart(path)], np.array([7])), Schema((Column("age"),))
    ...     sampled = torch.zeros(2, 1, dtype=torch.float64)
    ...     batches = ShardBatches(groups, schema, 16, sampled=sampled)
    ...     rows = [len(x) for x, *_ in batches.epoch()]
    >>> rows  # row 7 is held out
    [16, 8]
    """

    def __init__(
        self,
        groups: Sequence[Group],
        schema: Schema,
        batch_size: int,
        *,
        sampled: Float64[Tensor, "n columns"],
        lanes: int = 1,
        transform: Callable[[Tensor], Tensor] | None = None,
        device: torch.device | str = "cpu",
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        if not 1 <= lanes <= batch_size:
            raise ValueError(f"{lanes} lanes cannot share a batch of {batch_size} rows")
        self.groups = [g for g in groups if g.n_trained]
        self.schema = schema
        self.batch_size = batch_size
        self.lanes = lanes
        self.transform = transform
        self.device = torch.device(device)
        self.generator: torch.Generator | None = None
        self.event_shape: tuple[int, ...] = (len(schema),)
        self._sizes = np.array([g.n_trained for g in self.groups], dtype=np.int64)
        n_rows = int(self._sizes.sum())
        if n_rows < lanes:
            raise ValueError(f"{n_rows} rows are fewer than the {lanes} lanes that share them")
        # A last batch with fewer rows than lanes is left out.
        rest = n_rows % batch_size
        self.n_rows = n_rows - (rest if rest < lanes else 0)
        self._block_rows = max(1, block_bytes // (8 * len(schema)))
        self._resident = ResidentBatches(sampled, batch_size)

    def __len__(self) -> int:
        return -(-self.n_rows // self.batch_size)

    def size(self, step: int) -> int:
        """Count the rows of a step of an epoch; see `BatchSource`."""
        return min(self.batch_size, self.n_rows - step * self.batch_size)

    def epoch(self, skip: int = 0, share: slice = ALL) -> Iterator[Batch]:
        """Give an epoch's batches; see `BatchSource`.

        Raises:
            ValueError: for more processes than lanes.
            InputError: if a file cannot be read any more.
        """
        seed = int(torch.randint(2**62, (), generator=self.generator, device=self._drawn_on))
        own = range(self.lanes)[share]
        if not own:
            raise ValueError(f"there are more processes than the {self.lanes} lanes")
        with ExitStack() as stack:
            rows = [stack.enter_context(closing(self._lane(seed, lane, skip))) for lane in own]
            for _ in range(skip, len(self)):
                raw = torch.cat([next(each) for each in rows]).to(self.device)
                yield (raw if self.transform is None else self.transform(raw)), None

    def sample(self, n: int) -> tuple[Tensor, *tuple[Tensor, ...]]:
        """Give rows of those in memory; see `BatchSource`."""
        return self._resident.sample(n)

    @property
    def _drawn_on(self) -> torch.device:
        return torch.device("cpu") if self.generator is None else self.generator.device

    def _lane(self, seed: int, lane: int, skip: int) -> Generator[Tensor, None, None]:
        """Give the rows of one lane of each batch, from the batch ``skip`` on."""
        order = np.random.default_rng(seed).permutation(len(self.groups))
        counts = lane_rows(self.n_rows, self.batch_size, self.lanes)
        pieces = stretch(order, self._sizes, sum(counts[:lane]), counts[lane])
        blocks = blocks_of(pieces, self._block_rows)
        share = len(range(lane, self.batch_size, self.lanes))
        left = skip * share  # rows that are not wanted
        while blocks and left >= blocks[0].n_rows:
            left -= blocks.pop(0).n_rows
        with closing(ahead(self._shuffled(block, seed, lane) for block in blocks)) as ready:
            rest = next(ready, torch.zeros(0, len(self.schema), dtype=torch.float64))[left:]
            for step in range(skip, len(self)):
                wanted = len(range(lane, self.size(step), self.lanes))
                while len(rest) < wanted:
                    rest = torch.cat([rest, next(ready)])
                yield rest[:wanted]
                rest = rest[wanted:]

    def _shuffled(self, block: Block, seed: int, lane: int) -> Tensor:
        """Read the rows of a block, each to its place in a random order."""
        conformer = Conformer(self.schema, takes_gaps=True)
        places = np.random.default_rng([seed, lane, block.number]).permutation(block.n_rows)
        rows = np.empty((block.n_rows, len(self.schema)))
        done = 0
        for group, low, high in block.pieces:
            read = self.groups[group].read(conformer)[low:high]
            rows[places[done : done + len(read)]] = read
            done += len(read)
        return torch.from_numpy(rows)
