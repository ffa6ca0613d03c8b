import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from pyro_gmvae.data import load
from pyro_gmvae.data.cifar100 import SUPERCLASS_NAMES, SUPERCLASS_OF
from pyro_gmvae.data.images import TORCHVISION_CLASSES
from pyro_gmvae.errors import InputError
from tests.helpers.idx_files import write_idx

RNG = np.random.default_rng(0)


@pytest.fixture(params=["mnist", "fashion-mnist"])
def idx_set(request, tmp_path: Path):
    """A name and, in torchvision's layout, 6 training and 4 test images of it."""
    raw = (
        tmp_path / datasets.__dict__[{"mnist": "MNIST"}.get(request.param, "FashionMNIST")].__name__
    )
    raw = raw / "raw"
    raw.mkdir(parents=True)
    arrays = {}
    for part, n in (("train", 6), ("t10k", 4)):
        x = RNG.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        y = RNG.integers(0, 10, n, dtype=np.uint8)
        write_idx(raw / f"{part}-images-idx3-ubyte", x)
        write_idx(raw / f"{part}-labels-idx1-ubyte", y)
        arrays[part] = x, y
    return request.param, raw, arrays


def test_digits_are_images_of_0_to_255() -> None:
    data = load("digits")
    assert data.x.shape == (1797, 1, 8, 8)
    assert data.x.dtype == torch.uint8
    assert (data.x.min(), data.x.max()) == (0, 255)
    assert data.x.unique().numel() == 17
    assert data.class_labels is not None and data.class_labels.bincount().min() >= 170
    assert data.class_names == tuple("0123456789")


@pytest.mark.parametrize("split", ["train", "test"])
def test_idx_split(idx_set, tmp_path: Path, split: str) -> None:
    name, _, arrays = idx_set
    data = load(name, split=split, data_dir=tmp_path)
    x, y = arrays["train" if split == "train" else "t10k"]
    np.testing.assert_array_equal(data.x.numpy(), x[:, None])
    assert data.class_labels is not None and data.class_labels.tolist() == y.tolist()
    assert data.class_names is not None and len(data.class_names) == 10


def test_idx_all_is_train_then_test(idx_set, tmp_path: Path) -> None:
    name, _, arrays = idx_set
    data = load(name, data_dir=tmp_path)
    expected = np.concatenate([arrays["train"][0], arrays["t10k"][0]])[:, None]
    np.testing.assert_array_equal(data.x.numpy(), expected)


def test_cut_idx_file(idx_set, tmp_path: Path) -> None:
    name, raw, _ = idx_set
    path = raw / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=f"{name} is missing or incomplete in the folder"):
        load(name, data_dir=tmp_path)


@pytest.mark.parametrize("name", TORCHVISION_CLASSES)
def test_absent_set_names_both_ways_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pass --download to fetch it or --data-dir"):
        load(name, data_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_failed_download_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(self) -> None:
        raise RuntimeError("no route")

    monkeypatch.setattr(datasets.MNIST, "download", no_network)
    with pytest.raises(InputError, match=r"could not be downloaded into .*\(no route\): check"):
        load("mnist", data_dir=tmp_path, download=True)


def write_cifar(reader, root: Path, monkeypatch: pytest.MonkeyPatch, label_key: str, classes: int):
    """Four images in each batch file that `reader` wants, whose checksums it is told to expect."""
    folder = root / reader.base_folder
    folder.mkdir()
    written: dict[str, tuple[np.ndarray, list[int]]] = {}

    def dump(name: str, content: object) -> str:
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    for part in ("train_list", "test_list"):
        entries = []
        for name, _ in getattr(reader, part):
            x = RNG.integers(0, 256, (4, 3072), dtype=np.uint8)
            y = RNG.integers(0, classes, 4).tolist()
            written[name] = x, y
            entries.append([name, dump(name, {"data": x, label_key: y})])
        monkeypatch.setattr(reader, part, entries)
    names = [f"class {i}" for i in range(classes)]
    meta = dict(reader.meta)
    meta["md5"] = dump(meta["filename"], {meta["key"]: names})
    monkeypatch.setattr(reader, "meta", meta)
    return written


def test_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_cifar(datasets.CIFAR10, tmp_path, monkeypatch, "labels", 10)
    data = load("cifar10", data_dir=tmp_path, split="train")
    assert data.x.shape == (20, 3, 32, 32)
    x, y = written["data_batch_2"]
    np.testing.assert_array_equal(data.x[4:8].numpy().reshape(4, -1), x)
    assert data.class_labels is not None and data.class_labels[4:8].tolist() == y
    assert data.class_names is not None and data.class_names[3] == "class 3"


def test_cifar100_has_superclasses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_cifar(datasets.CIFAR100, tmp_path, monkeypatch, "fine_labels", 100)
    data = load("cifar100", data_dir=tmp_path, split="test")
    assert data.class_labels is not None
    assert data.class_labels.tolist() == [SUPERCLASS_OF[fine] for fine in written["test"][1]]
    assert data.class_names == SUPERCLASS_NAMES


def test_cifar100_fine_has_the_classes_of_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_cifar(datasets.CIFAR100, tmp_path, monkeypatch, "fine_labels", 100)
    fine, coarse = (load(name, data_dir=tmp_path) for name in ("cifar100-fine", "cifar100"))
    assert fine.class_labels is not None
    assert fine.class_labels.tolist() == written["train"][1] + written["test"][1]
    assert fine.class_names == tuple(f"class {i}" for i in range(100))
    assert torch.equal(fine.x, coarse.x)


def test_every_superclass_has_five_classes() -> None:
    assert np.bincount(SUPERCLASS_OF).tolist() == [5] * 20
    # The fine classes go by the alphabet: 0 apple, 2 baby, 8 bicycle, 99 worm.
    named = [SUPERCLASS_NAMES[SUPERCLASS_OF[i]] for i in (0, 2, 8, 99)]
    assert named == [
        "fruit_and_vegetables",
        "people",
        "vehicles_1",
        "non-insect_invertebrates",
    ]
