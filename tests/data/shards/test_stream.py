"""A table in stream: its sample, what is held out, and what a pass over all rows finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pyro_gmvae.data import Splits, load_splits
from pyro_gmvae.data.shards import sample
from pyro_gmvae.data.shards.sample import drawn_rows
from pyro_gmvae.errors import InputError
from tests.helpers.shards import mixed, write_shards

N = 3_000


@pytest.fixture(autouse=True)
def small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "SAMPLE_ROWS", 800)
    monkeypatch.setattr(sample, "HELD_OUT_ROWS", 150)


def splits_of(path: Path, **options: object) -> Splits:
    return load_splits(str(path), seed=0, stream=True, **options)  # type: ignore[arg-type]


def streamed_rows(splits: Splits) -> torch.Tensor:
    assert splits.stream is not None
    batches = splits.stream.batches(64, sampled=splits.train.x)
    return torch.cat([x for x, *_ in batches.epoch()])


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_no_held_out_row_is_trained_on(tmp_path: Path, suffix: str) -> None:
    frame = mixed(N).assign(key=np.random.default_rng(1).permutation(N) / 7)
    path = tmp_path / f"t.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, row_group_size=170)
    splits = splits_of(path)
    assert [len(part) for part in splits] == [800, 150, 150]
    assert splits.n_trained == N - 300
    names = splits.train.feature_names
    assert names is not None and "row" not in names  # a column that numbers the rows
    key = names.index("key")
    held_out = torch.cat([splits.validation.x, splits.test.x])[:, key]
    streamed = streamed_rows(splits)
    assert len(streamed) == N - 300
    assert not torch.isin(streamed[:, key], held_out).any()
    assert torch.isin(splits.train.x[:, key], streamed[:, key]).all()
    # Every row is as the frame has it, wherever it is read from.
    for rows in (streamed, splits.train.x):
        own = np.rint(rows[:, key].numpy() * 7).astype(int)
        place = np.argsort(frame["key"].to_numpy())[own]
        spend = frame["spend"].to_numpy()[place]
        np.testing.assert_array_equal(rows[:, names.index("spend")].numpy(), spend)


def test_a_sample_is_as_the_stream_reads_its_rows(tmp_path: Path) -> None:
    splits = splits_of(write_shards(mixed(900), tmp_path / "t"), test_fraction=0.0)
    assert splits.stream is not None and len(splits.train) == splits.n_trained - 10
    assert splits.train.schema == splits.stream.schema

    def rows(x: torch.Tensor) -> set[bytes]:
        return {row.tobytes() for row in x.nan_to_num(-1.5).numpy()}

    assert rows(splits.train.x) < rows(streamed_rows(splits))


def test_the_sample_is_uniform() -> None:
    options = {"validation_fraction": 0.1, "test_fraction": 0.1, "least_validation": 50}
    counts = np.zeros(5_000)
    for seed in range(200):
        drawn = drawn_rows(5_000, seed=seed, **options)  # type: ignore[arg-type]
        counts[drawn.train] += 1
        assert not set(drawn.train) & set(drawn.held_out)
    share = 800 / 5_000
    bins = counts.reshape(50, 100).sum(1) / (200 * 100)
    # Places are drawn without replacement, so that the error is a little below the binomial one.
    assert np.abs(bins - share).max() < 4 * np.sqrt(share * (1 - share) / (200 * 100))


def test_the_same_seed_is_the_same_sample_and_fingerprint(tmp_path: Path) -> None:
    folder = write_shards(mixed(N), tmp_path / "t")
    first, second = splits_of(folder), splits_of(folder)
    assert first.fingerprint() == second.fingerprint() != first.train.fingerprint()
    again = splits_of(folder, schema=first.train.schema)
    assert again.fingerprint() == first.fingerprint()
    write_shards(mixed(10), folder / "more", n=1)
    assert splits_of(folder).fingerprint() != first.fingerprint()


def test_gaps_and_extremes_are_those_of_all_rows(tmp_path: Path) -> None:
    frame = mixed(N)[["height", "spend", "visits"]].fillna({"height": 0.0})
    frame.loc[1_234, "height"] = np.nan
    frame.loc[77, "spend"] = 1e9
    splits = splits_of(write_shards(frame, tmp_path / "t"))
    assert splits.train.schema is not None and splits.stream is not None
    assert not splits.train.x.isnan().any()  # the seed leaves the gap out
    assert [c.gaps for c in splits.train.schema.columns] == [0.0003, 0.0, 0.0]
    assert splits.stream.extremes is not None
    np.testing.assert_array_equal(splits.stream.extremes.numpy()[0], frame.min().to_numpy())
    np.testing.assert_array_equal(splits.stream.extremes.numpy()[1], frame.max().to_numpy())
    # Such rows need a likelihood that takes gaps.
    assert splits.train.kind.support_of(splits.train) == "mixed"


def test_a_level_that_the_sample_lacks_is_a_gap(tmp_path: Path) -> None:
    frame = mixed(N)
    frame["tier"] = frame["tier"].fillna("gold")
    frame.loc[41, "tier"] = "platinum"
    splits = splits_of(write_shards(frame, tmp_path / "t"))
    told = [note for note in splits.train.notes if "platinum" in note]
    assert told == ["cells like none of the sample are taken for gaps: 'platinum' in tier (1 cell)"]


def test_another_column_set_is_refused(tmp_path: Path) -> None:
    folder = write_shards(mixed(N), tmp_path / "t")
    mixed(50).rename(columns={"spend": "spent"}).to_parquet(folder / "part-9.parquet")
    with pytest.raises(InputError, match=r"part-9\.parquet lacks the column spend, which .*part-0"):
        splits_of(folder)


def test_late_text_in_a_column_of_numbers_is_refused(tmp_path: Path) -> None:
    folder = write_shards(mixed(N), tmp_path / "t")
    late = mixed(50).astype({"spend": object})
    late["spend"] = late["spend"].map(str)
    late.to_parquet(folder / "part-9.parquet")
    splits = splits_of(folder)  # numbers as text are numbers
    assert splits.train.schema is not None
    kinds = {c.name: c.kind for c in splits.train.schema.columns}
    assert kinds["spend"] == "amount"
    late.loc[7, "spend"] = "a lot"
    late.to_parquet(folder / "part-9.parquet", row_group_size=5)
    with pytest.raises(InputError, match=r"part-9\.parquet holds 'a lot' in row 7 of spend"):
        splits_of(folder)


@pytest.mark.parametrize(
    "option", [{"weight_column": "spend"}, {"labels": "l.csv"}, {"must_link": "m.csv"}]
)
def test_what_a_stream_does_not_take(tmp_path: Path, option: dict[str, str]) -> None:
    folder = write_shards(mixed(100), tmp_path / "t")
    with pytest.raises(InputError, match="read in stream, which takes no"):
        splits_of(folder, **option)
