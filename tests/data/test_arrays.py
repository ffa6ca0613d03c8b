import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pyro_gmvae.data import ImageEncoding, TableEncoding, from_array, load
from pyro_gmvae.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
TABLE = np.random.default_rng(0).normal(size=(5, 3))


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_npy_table(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", TABLE)
    data = load(str(tmp_path / "a.npy"))
    assert (data.name, data.kind, data.class_labels) == ("a", TableEncoding, None)
    assert data.x.dtype == torch.float64
    np.testing.assert_allclose(data.x.numpy(), TABLE, rtol=1e-6)


@pytest.mark.parametrize("savez", [np.savez, np.savez_compressed])
def test_npz_with_labels(tmp_path: Path, savez) -> None:
    savez(tmp_path / "a.npz", x=TABLE, y=np.array([4, 4, 2, 0, -1]))
    data = load(str(tmp_path / "a.npz"))
    assert data.class_labels is not None and data.class_labels.tolist() == [4, 4, 2, 0, -1]


def test_npz_without_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=TABLE)
    assert load(str(tmp_path / "a.npz")).class_labels is None


@pytest.mark.parametrize("layout", ["last", "first"])
def test_colour_images_become_channels_first(layout: str) -> None:
    expected = PIXELS.transpose(0, 3, 1, 2)
    data = from_array(PIXELS if layout == "last" else expected)
    assert data.kind is ImageEncoding
    assert data.x.dtype == torch.uint8
    assert data.event_shape == (3, 6, 7)
    np.testing.assert_array_equal(data.x.numpy(), expected)


def test_grey_images_get_a_channel() -> None:
    assert from_array(PIXELS[..., 0]).x.shape == (5, 1, 6, 7)


def test_apply_accepts_what_fit_refuses() -> None:
    assert len(from_array(PIXELS[:1], purpose="apply")) == 1
    assert from_array(np.ones((3, 2)), purpose="apply").x.tolist() == [[1.0, 1.0]] * 3


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(4), r"shape \(4,\): give a table"),
        (np.zeros((2, 1, 1, 1, 1), np.uint8), "give a table"),
        (np.zeros((4, 5, 5)), "type float64: store images as uint8"),
        (np.zeros((4, 5, 5, 2), np.uint8), "1, 3 or 4 channels"),
        (np.array([["a"], ["b"]]), "store numbers"),
        (np.zeros((2, 2), complex), "store numbers"),
        (PIXELS[:1], "1 row: give it 2"),
        (np.zeros((0, 3)), "no rows"),
        (np.array([[1.0, np.nan], [2.0, 3.0]]), r"in column 1 \(1\): missing"),
        (np.array([[1.0, -np.inf], [2.0, 3.0]]), r"in column 1 \(1\)"),
        (np.array([[1.0, 7.0], [2.0, 7.0]]), "drop column 1"),
    ],
)
def test_refuses(x: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_array(x)


def test_refuses_labels_of_another_length() -> None:
    with pytest.raises(InputError, match="5 rows but 4 labels"):
        from_array(TABLE, np.zeros(4, int))


def test_never_unpickles(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    np.save(tmp_path / "object.npy", np.array([Trap(sprung)], dtype=object))
    np.savez(tmp_path / "object.npz", x=np.array([Trap(sprung)], dtype=object))
    np.savez(tmp_path / "label.npz", x=TABLE, y=np.array([Trap(sprung)] * 5, dtype=object))
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Trap(sprung)))
    for name in ("object.npy", "object.npz", "label.npz", "pickle.npy"):
        with pytest.raises(InputError, match="holds Python objects or is not a NumPy file"):
            load(str(tmp_path / name))
    assert not sprung.exists()
    pickle.loads((tmp_path / "pickle.npy").read_bytes())
    assert sprung.exists(), "the trap itself does not work"


def test_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "empty.npy").touch()
    with pytest.raises(InputError, match=r"empty.npy is empty"):
        load(str(tmp_path / "empty.npy"))
    for name, save in (("a.npy", np.save), ("a.npz", lambda p, x: np.savez_compressed(p, x=x))):
        path = tmp_path / name
        save(path, np.random.default_rng(0).normal(size=(100, 3)))
        whole = path.read_bytes()
        for cut in (1, 3, 7, 40, len(whole) // 2, len(whole) - 30):
            path.write_bytes(whole[:cut])
            with pytest.raises(InputError):
                load(str(path))
        path.write_bytes(whole)
        load(str(path))


def test_flipped_bytes_in_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).normal(size=(100, 3)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        load(str(path))


def test_npz_without_x_names_what_it_has(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=TABLE)
    with pytest.raises(InputError, match="no array x but images: write it with numpy.savez"):
        load(str(tmp_path / "a.npz"))
