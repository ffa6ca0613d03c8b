import numpy as np
import pytest

from pyro_gmvae.data.labels import factorize, labels_from_array
from pyro_gmvae.errors import InputError


@pytest.mark.parametrize(
    ("values", "codes", "names"),
    [
        (np.array([30, 10, 30]), [1, 0, 1], ("10", "30")),
        (np.array([2.5, np.nan, 1.0]), [1, -1, 0], ("1.0", "2.5")),
        (np.array(["b", None, "a"], dtype=object), [1, -1, 0], ("a", "b")),
        (np.array(["b", 3, float("nan")], dtype=object), [1, 0, -1], ("3", "b")),
    ],
)
def test_factorize_sorts_and_marks_missing(
    values: np.ndarray, codes: list[int], names: tuple[str, ...]
) -> None:
    y, found = factorize(values)
    assert y.tolist() == codes
    assert found == names


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (np.array([7, 3, -1], dtype=np.int8), [7, 3, -1]),
        (np.array([1.0, np.nan]), [1, -1]),
        (np.array([True, False]), [1, 0]),
        (np.array(["dog", "cat"]), [1, 0]),
    ],
)
def test_labels_from_array_keeps_integers(values: np.ndarray, codes: list[int]) -> None:
    assert labels_from_array(values, "a").tolist() == codes


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 2)), r"shape \(3, 2\): give one for each row"),
        (np.array([0.5, 1.0]), "hold fractions"),
        (np.array([0, -2]), "below -1"),
        (np.array([1j]), "complex128: use integers or text"),
    ],
)
def test_labels_from_array_refuses(values: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        labels_from_array(values, "a")
