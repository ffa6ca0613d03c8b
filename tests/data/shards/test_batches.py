"""Batches of shards: every row once, the same for the same seed, resumed bit for bit."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pyro_gmvae.data import BatchSource, Schema
from pyro_gmvae.data.schema import Column
from pyro_gmvae.data.shards.batches import ShardBatches
from pyro_gmvae.data.shards.groups import groups_of
from pyro_gmvae.data.shards.parts import ParquetPart, parts_of
from pyro_gmvae.errors import InputError
from tests.helpers.shards import mixed, write_shards

SCHEMA = Schema((Column("row"), Column("height")))
N, HELD = 1_000, np.array([0, 1, 7, 199, 200, 555, 999])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_shards(mixed(N), tmp_path / "t", n=3, group=70)


def source(folder: Path, *, lanes: int = 1, batch: int = 64, rows: int = 150) -> ShardBatches:
    parts = [p for p in parts_of(folder) if isinstance(p, ParquetPart)]
    made = ShardBatches(
        groups_of(parts, HELD),
        SCHEMA,
        batch,
        sampled=torch.zeros(3, 2, dtype=torch.float64),
        lanes=lanes,
        block_bytes=rows * 16,
    )
    made.generator = torch.Generator().manual_seed(3)
    return made


def rows_of(batches: list[Tensor]) -> list[int]:
    return torch.cat(batches)[:, 0].long().tolist()


def same(a: Tensor, b: Tensor) -> bool:
    """Bit for bit, gaps too."""
    return torch.equal(a.view(torch.int64), b.view(torch.int64))


def epoch(batches: ShardBatches, **options: object) -> list[Tensor]:
    return [x for x, _ in batches.epoch(**options)]  # type: ignore[arg-type]


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_each_epoch_has_every_training_row_once_in_another_order(folder: Path, lanes: int) -> None:
    batches = source(folder, lanes=lanes)
    assert isinstance(batches, BatchSource)
    first, second = epoch(batches), epoch(batches)
    wanted = sorted(set(range(N)) - set(HELD.tolist()))
    assert len(first) == len(batches) == 16
    assert [len(x) for x in first] == [batches.size(i) for i in range(16)]
    assert sorted(rows_of(first)) == sorted(rows_of(second)) == wanted
    assert rows_of(first) != rows_of(second)
    # Rows of a file that follow one another do not follow one another in a batch.
    assert np.mean(np.diff(rows_of(first)) == 1) < 0.05


def test_rows_keep_their_cells(folder: Path) -> None:
    found = torch.cat(epoch(source(folder, lanes=2)))
    heights = mixed(N)["height"].to_numpy()[found[:, 0].long().numpy()]
    np.testing.assert_array_equal(found[:, 1].numpy(), heights)


def test_the_same_seed_is_the_same_epoch(folder: Path) -> None:
    assert rows_of(epoch(source(folder))) == rows_of(epoch(source(folder)))


@pytest.mark.parametrize("skip", [1, 7, 15])
@pytest.mark.parametrize("lanes", [1, 2])
def test_a_resumed_epoch_is_the_rest_of_it(folder: Path, lanes: int, skip: int) -> None:
    whole, resumed = source(folder, lanes=lanes), source(folder, lanes=lanes)
    rest = epoch(resumed, skip=skip)
    all_ = epoch(whole)
    assert len(rest) == 16 - skip
    assert all(map(same, rest, all_[skip:]))
    # The next epoch is the same too.
    assert rows_of(epoch(whole)) == rows_of(epoch(resumed))


@pytest.mark.parametrize("batch", [64, 61])
def test_processes_share_each_batch_and_read_their_own(folder: Path, batch: int) -> None:
    whole = epoch(source(folder, lanes=2, batch=batch))
    shares = [
        epoch(source(folder, lanes=2, batch=batch), share=slice(rank, None, 2)) for rank in (0, 1)
    ]
    assert len(shares[0]) == len(shares[1]) == len(whole)
    for both, first, second in zip(whole, *shares, strict=True):
        assert same(both, torch.cat([first, second]))
    assert abs(len(torch.cat(shares[0])) - len(torch.cat(shares[1]))) <= len(whole)


def test_a_last_batch_that_cannot_be_shared_is_left_out(folder: Path) -> None:
    n = N - len(HELD)  # 993 = 62 * 16 + 1
    batches = source(folder, lanes=2, batch=16)
    assert batches.n_rows == n - 1
    assert len(batches) == 62 and all(len(x) == 16 for x in epoch(batches))


def test_blocks_mix_groups(folder: Path) -> None:
    first = torch.stack(list(islice(epoch(source(folder, rows=300)), 4)))[:, :, 0].flatten()
    groups = (first // 70).unique()
    assert len(groups) >= 4


def test_a_file_that_goes_away_is_an_error_where_it_is_used(folder: Path) -> None:
    batches = source(folder, rows=70)
    with pytest.raises(InputError, match="not a readable parquet file"):
        for _ in batches.epoch():
            (folder / "part-1.parquet").unlink(missing_ok=True)
            (folder / "part-2.parquet").unlink(missing_ok=True)


def test_lanes_that_cannot_be(folder: Path) -> None:
    with pytest.raises(ValueError, match="cannot share a batch"):
        source(folder, lanes=65)
    with pytest.raises(ValueError, match="more processes than"):
        next(source(folder).epoch(share=slice(1, None, 2)))
