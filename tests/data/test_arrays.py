import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from pyro_gmvae.data import ImageEncoding, TableEncoding, from_array, load
from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.data.columns.wishes import Wishes
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
        (np.zeros((4, 5, 5), int), "type int64: store images as uint8 in 0..255 or as floats in"),
        (np.full((4, 5, 5), 1.5), "type float64 with numbers from 1.5 to 1.5: store images as"),
        (np.full((4, 5, 5), np.nan), "type float64 with NaN: store images as uint8"),
        (np.zeros((4, 0, 5), np.uint8), "images without pixels"),
        (np.zeros((4, 0)), "no columns"),
        (np.array([(1.0, 2.0)] * 3, "f8,f8"), r"pandas.DataFrame\(array\) makes of it"),
        (np.array([[1, 2], [3, 4]], "M8[s]"), r"pandas.DataFrame\(array\) makes of it"),
        (np.array([[1, None], [3, 4]], object), "of type object: store numbers"),
        (np.array([[1.0, 1e308], [2.0, 3.0]]), r"too large, beyond 1e.307, in column 1 \(1\)"),
        (np.array([[1.0, 1e-310], [2.0, 0.0]]), "too small, all below 1e-300: multiply column 1"),
        (np.array([["1e4000", "2"], ["3", "4"]], np.longdouble), "too large for float64"),
        ([PIXELS[0], PIXELS[0, :3]], r"different shapes, \(6, 7, 3\), \(3, 7, 3\): resize"),
        (np.ma.masked_array(PIXELS, PIXELS > 9), "masked pixels"),
        (torch.zeros(3, 2, device="meta"), "without values, on the device meta"),
        (
            torch.zeros(10**6, 10**7, layout=torch.sparse_coo),
            "too little memory for array as a",
        ),
        (sparse.coo_array((10**6, 10**7)), "array as a dense array, .* such as the leading"),
        (sparse.csr_array(np.eye(3) * 1j), "store numbers"),
        (np.zeros((4, 5, 5, 2), np.uint8), "1, 3 or 4 channels"),
        (np.array([["a"], ["b"]]), "store numbers"),
        (np.zeros((2, 2), complex), "store numbers"),
        (PIXELS[:1], "1 row: give it 2"),
        (np.zeros((0, 3)), "no rows"),
        (np.array([[1.0, np.nan], [2.0, np.nan]]), "drop column 1"),
        (np.array([[1.0, -np.inf], [2.0, 3.0]]), r"in column 1 \(1\)"),
        (np.array([[1.0, 7.0], [2.0, 7.0]]), "drop column 1"),
    ],
)
def test_refuses(x: Any, message: str) -> None:
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


def test_npz_of_a_sparse_matrix_says_what_to_do(tmp_path: Path) -> None:
    sparse.save_npz(tmp_path / "a.npz", sparse.csr_matrix(TABLE))
    with pytest.raises(InputError, match=r"sparse matrix of scipy.sparse.save_npz: give the matri"):
        load(str(tmp_path / "a.npz"))


def test_npz_without_x_names_what_it_has(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", means=TABLE)
    with pytest.raises(InputError, match="no array x but means: write it with numpy.savez"):
        load(str(tmp_path / "a.npz"))


@pytest.mark.parametrize(
    ("rows", "labels"),
    [("X", "y"), ("data", "target"), ("images", "Labels"), ("arr_0", "label"), ("x", "targets")],
)
def test_npz_with_usual_names(tmp_path: Path, rows: str, labels: str) -> None:
    np.savez(tmp_path / "a.npz", **{rows: TABLE, labels: np.arange(5), "other": np.zeros(2)})
    data = load(str(tmp_path / "a.npz"))
    np.testing.assert_array_equal(data.x.numpy(), TABLE)
    assert data.class_labels is not None and data.class_labels.tolist() == list(range(5))


def test_npz_with_two_arrays_that_may_be_the_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", data=TABLE, images=PIXELS)
    with pytest.raises(InputError, match="data, images, of which one is to be read: name that one"):
        load(str(tmp_path / "a.npz"))
    np.savez(tmp_path / "a.npz", data=TABLE, X=TABLE + 1)
    np.testing.assert_array_equal(load(str(tmp_path / "a.npz")).x.numpy(), TABLE + 1)


def test_floats_and_truth_values_are_levels() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 4, 4)
    for dtype in (np.float16, np.float32, np.float64, ">f4", np.longdouble):
        data = from_array((levels / 255).astype(dtype))
        assert data.kind is ImageEncoding
        np.testing.assert_array_equal(data.x[:, 0].numpy(), levels)
    bits = from_array(levels > 99).x[:, 0].numpy()
    np.testing.assert_array_equal(bits, np.where(levels > 99, 255, 0))


@pytest.mark.parametrize(
    ("shape", "warns"),
    [
        ((4, 4, 3), True),
        ((4, 5, 3), True),
        ((3, 3, 3), True),
        ((3, 5, 1), True),
        ((3, 4, 4), False),  # as numpy.moveaxis brings the first one to
        ((1, 4, 4), False),
        ((1, 5, 1), False),  # either way the same pixels
        ((5, 5, 3), False),
        ((3, 5, 5), False),
    ],
)
def test_channels_that_may_be_the_second_or_the_last_axis(
    shape: tuple[int, int, int], warns: bool
) -> None:
    x = np.zeros((2, *shape), np.uint8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from_array(x)
        from_array(x, purpose="apply")
    assert [w.category for w in caught] == [DataWarning] * warns
    if warns:
        a, b, c = shape
        message = str(caught[0].message)
        assert f"images of {a} channels and {b}x{c} pixels: if it means {a}x{b} pixels" in message


def read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("x", [PIXELS, TABLE], ids=["images", "table"])
@pytest.mark.parametrize(
    "form",
    [
        read_only,
        list,
        torch.from_numpy,
        lambda x: [torch.from_numpy(row) for row in x],
        lambda x: np.flip(np.flip(x).copy()),  # negative strides
        np.asfortranarray,
        lambda x: np.ma.masked_array(x, False),
        lambda x: x.astype(x.dtype.newbyteorder(">")),
    ],
)
def test_any_form_of_an_array(x: np.ndarray, form: Callable[[np.ndarray], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = from_array(form(x))
    assert torch.equal(data.x, from_array(x).x)


def test_a_memory_map(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", PIXELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = from_array(np.load(tmp_path / "a.npy", mmap_mode="r"))
    assert torch.equal(data.x, from_array(PIXELS).x)


def test_memory_is_not_shared() -> None:
    x = PIXELS[..., 0].copy()
    data = from_array(x)
    x[:] = 0
    np.testing.assert_array_equal(data.x[:, 0].numpy(), PIXELS[..., 0])


def test_missing_numbers_are_gaps() -> None:
    x = np.array([[1.0, np.nan], [-np.nan, 3.0], [2.0, 5.0]])
    for given in (x, np.ma.masked_array(np.nan_to_num(x), np.isnan(x)), torch.from_numpy(x)):
        data = from_array(given)
        assert torch.equal(data.x.isnan(), torch.from_numpy(x).isnan())
        assert TableEncoding.support_of(data) == "mixed" and data.schema is None


def test_columns_of_an_array_can_be_described() -> None:
    x = np.array([[1.0, 3.0, 0.5], [2.0, 4.0, 0.0], [5.0, 3.0, 1.5]])
    data = from_array(x, wishes=Wishes(kinds={"1": "binary"}, drop=("0",)))
    assert data.schema is not None
    assert [(c.name, c.kind, c.levels) for c in data.schema.columns] == [
        ("1", "binary", (3.0, 4.0)),
        ("2", "real", ()),
    ]
    encoding = TableEncoding.fit(data, "mixed")
    assert encoding(data.x)[:, 0].tolist() == [0, 1, 0]
    same = encoding.conform(from_array(x, purpose="apply"))
    assert torch.equal(same.x, data.x)
    with pytest.raises(InputError, match="array has no column 3: it has 0, 1, 2"):
        from_array(x, wishes=Wishes(drop=("3",)))
    with pytest.raises(InputError, match="images, which have no columns"):
        from_array(np.zeros((3, 4, 4), np.uint8), wishes=Wishes(drop=("3",)))
