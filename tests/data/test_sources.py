import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pyro_gmvae.data import Dataset, ImageEncoding, load, load_splits
from pyro_gmvae.data import sources as sources_module
from pyro_gmvae.data.images import TORCHVISION_CLASSES
from pyro_gmvae.errors import InputError
from tests.helpers.idx_files import write_mnist


@pytest.fixture
def numbered(tmp_path: Path) -> str:
    """A table of 400 rows whose first cell is the row's number, which is its label as well."""
    x = np.stack([np.arange(400.0), np.random.default_rng(0).normal(size=400)], axis=1)
    np.savez(tmp_path / "n.npz", x=x, y=np.arange(400))
    return str(tmp_path / "n.npz")


def rows(data: Dataset) -> list[float]:
    return data.x[:, 0].tolist()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("mnits", "no data set mnits: did you mean mnist"),
        ("Digits", "did you mean digits"),
        ("fashion_mnist", "did you mean fashion-mnist"),
        ("qqqq", r"use digits, mnist, .* a table \(.csv, .* or a folder of images"),
        ("nowhere/t.csv", "no file nowhere/t.csv: check its path"),
        ("nowhere/photos", "no file or folder nowhere/photos: check its path"),
        ("nowhere/t.npz", "no file nowhere/t.npz: check its path"),
    ],
)
def test_unknown_source(source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(source)


def test_unknown_type(tmp_path: Path) -> None:
    (tmp_path / "a.doc").touch()
    with pytest.raises(InputError, match=r"a file of an unknown type: use .* \(.csv, .*.parquet"):
        load(str(tmp_path / "a.doc"))


def test_suffix_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "T.CSV").write_text("a,b\n1,2\n3,4\n")
    assert load(str(tmp_path / "T.CSV")).x.shape == (2, 2)


def test_only_tables_have_a_label_column() -> None:
    with pytest.raises(InputError, match="digits is not a table, so it has no label column z"):
        load("digits", label_column="z")


def test_splits_are_disjoint_complete_and_labelled(numbered: str) -> None:
    splits = load_splits(numbered, seed=0, validation_fraction=0.25, test_fraction=0.2)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [240, 80, 80]
    together = rows(splits.train) + rows(splits.validation) + rows(splits.test)
    assert sorted(together) == list(range(400))
    for part in (splits.train, splits.validation, splits.test):
        assert part.class_labels is not None and part.class_labels.tolist() == rows(part)
        assert part.places is not None and part.places.tolist() == rows(part)


def test_the_rows_of_an_official_test_part_come_last(tmp_path: Path) -> None:
    write_mnist(tmp_path, 20, 6)
    splits, whole = (
        load_splits("mnist", seed=0, data_dir=tmp_path),
        load("mnist", data_dir=tmp_path),
    )
    for part in (splits.train, splits.validation, splits.test):
        assert part.places is not None and torch.equal(whole.x[part.places], part.x)


def test_splits_follow_the_seed(numbered: str) -> None:
    first, again, other = (
        load_splits(numbered, seed=s, validation_fraction=0.2) for s in (1, 1, 2)
    )
    assert rows(first.test) == rows(again.test)
    assert rows(first.validation) == rows(again.validation)
    assert rows(first.test) != rows(other.test)
    assert rows(first.validation) != rows(other.validation)


def test_splitting_leaves_the_global_generator_alone(numbered: str) -> None:
    before = torch.get_rng_state()
    load_splits(numbered, seed=0)
    assert torch.equal(before, torch.get_rng_state())


def test_a_fraction_of_0_gives_an_empty_part(numbered: str) -> None:
    splits = load_splits(numbered, seed=0, validation_fraction=0.0, test_fraction=0.0)
    assert rows(splits.train) == list(range(400))
    assert len(splits.validation) == len(splits.test) == 0


@pytest.mark.parametrize("name", TORCHVISION_CLASSES)
def test_official_test_part_is_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(name: str, *, split: str, **_) -> Dataset:
        n, start = (500, 0) if split == "train" else (10, 500)
        x = torch.arange(start, start + n).reshape(n, 1, 1, 1)
        return Dataset(name, x, None, ImageEncoding)

    monkeypatch.setattr(sources_module, "load_torchvision", fake)
    splits = load_splits(name, seed=0)
    assert splits.test.x.flatten().tolist() == list(range(500, 510))
    assert len(splits.validation) == 50
    rest = torch.cat([splits.train.x, splits.validation.x]).flatten()
    assert rest.sort().values.tolist() == list(range(500))


@pytest.mark.parametrize(("option", "column"), [("labels", "label"), ("must_link", "group")])
def test_rows_that_a_file_names_stay_in_training(
    numbered: str, tmp_path: Path, option: str, column: str
) -> None:
    known = list(range(0, 400, 4))
    path = tmp_path / "known.csv"
    path.write_text(f"row,{column}\n" + "".join(f"{row},{row // 8}\n" for row in known))
    splits = load_splits(numbered, seed=0, validation_fraction=0.25, **{option: path})
    assert splits.known_rows() == tuple(known)
    assert set(known) <= set(rows(splits.train))
    # Without the file, but told of the rows, the parts are the same.
    again = load_splits(numbered, seed=0, validation_fraction=0.25, known=known)
    assert [rows(part) for part in again] == [rows(part) for part in splits]
    assert again.known_rows() is None


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_refuses_fractions(numbered: str, fraction: float) -> None:
    with pytest.raises(InputError, match="test fraction is .*: choose one from 0"):
        load_splits(numbered, seed=0, test_fraction=fraction)


def test_too_few_rows_to_split(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(60.0).reshape(60, 1))
    with pytest.raises(InputError, match="too few rows to keep some for validation"):
        load_splits(str(tmp_path / "a.npy"), seed=0, validation_fraction=0.999, test_fraction=0.0)
    np.save(tmp_path / "b.npy", np.array([[0.0], [1.0]]))
    with pytest.raises(InputError, match="too few rows to keep some for test"):
        load_splits(str(tmp_path / "b.npy"), seed=0, test_fraction=0.9)


@pytest.mark.parametrize(("rows", "kept"), [(550, 50), (540, 0), (2, 0)])
def test_fewer_than_50_rows_are_not_held_out_to_validate(
    tmp_path: Path, rows: int, kept: int
) -> None:
    np.save(tmp_path / "a.npy", np.arange(float(rows)).reshape(rows, 1))
    splits = load_splits(str(tmp_path / "a.npy"), seed=0)
    held_out = max(1, rows // 10)
    assert [len(part) for part in splits] == [rows - held_out - kept, kept, held_out]


def test_import_is_light() -> None:
    heavy = "{'pandas', 'pyarrow', 'torchvision', 'sklearn', 'PIL'}"
    code = f"import sys, pyro_gmvae.data.sources; print(*sorted({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []
