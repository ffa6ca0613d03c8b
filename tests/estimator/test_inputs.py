"""Forms in which users hand over data, known clusters and clusters to begin by."""

import warnings
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from scipy import sparse
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning

from pyro_gmvae import GMVAE
from pyro_gmvae.data.in_memory import as_array
from pyro_gmvae.data.known import array_of, codes_of, known_of_rows
from pyro_gmvae.errors import InputError

BRIEF: dict = {"hidden": (8,), "latent_dim": 2, "max_iter": 1, "random_state": 0}
X, TRUE = make_blobs(60, centers=[[0, 0], [12, 0], [0, 12]], random_state=0)


def fitted(x: Any, k: int = 2, *, init: Any = None, **options: Any) -> GMVAE:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GMVAE(k, **BRIEF | options).fit(x, init=init)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_tensors_of_few_bits_are_float32(dtype: torch.dtype) -> None:
    x = torch.from_numpy(X).to(dtype)
    found = fitted(x.requires_grad_(), 3)
    assert found.predict_proba(x).dtype == np.float32
    np.testing.assert_array_equal(found.predict(x.detach().float()), found.labels_)


def test_layouts_of_tensors() -> None:
    x = torch.from_numpy(X.round(1))
    complex_pairs = torch.view_as_complex(x.view(-1, 1, 2).contiguous()).conj()
    for given, wanted in (
        (x.to_sparse(), x),
        (complex_pairs.imag, -x[:, 1:]),  # lazily negated
        (x.flip(0), x.flip(0)),
    ):
        np.testing.assert_array_equal(as_array(given), wanted.numpy())


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_a_sparse_matrix_is_its_dense_array(make: Any) -> None:
    x = X * (np.abs(X) > 1)
    found, same = fitted(make(x), 3), fitted(x, 3)
    assert found.n_features_in_ == 2
    np.testing.assert_array_equal(found.labels_, same.labels_)
    np.testing.assert_array_equal(found.predict_proba(make(x)), same.predict_proba(x))
    with pytest.raises(ValueError, match="X has 1 features"):
        found.predict(make(x)[:, [0]] if make is not sparse.coo_array else make(x[:, :1]))


def test_a_sparse_data_frame_is_its_dense_one() -> None:
    words = pandas.Series(list("abcab" * 12))
    dummies = pandas.get_dummies(words, dtype=float)
    thin = pandas.get_dummies(words, dtype=float, sparse=True)
    np.testing.assert_array_equal(fitted(thin, 3).labels_, fitted(dummies, 3).labels_)


def test_lists_of_images() -> None:
    images = np.random.RandomState(0).randint(0, 256, (30, 4, 4)).astype(np.uint8)
    options = {"regularize": "none", "init_params": "random"}
    found = fitted(list(images), **options)
    assert found.encoding_.event_shape == (1, 4, 4)
    assert found.n_features_in_ == 16
    for same in (images, [torch.from_numpy(i) for i in images], images / 255):
        np.testing.assert_array_equal(found.predict(same), found.labels_)
    with pytest.raises(InputError, match=r"different shapes, \(4, 4\), \(3, 4\): resize or crop"):
        fitted([images[0], images[1, :3]], **options)


@pytest.mark.parametrize("power", [130, 996, -660])
def test_numbers_beyond_float32(power: int) -> None:
    near, far = fitted(X, 3), fitted(np.ldexp(X, power), 3)
    np.testing.assert_array_equal(far.labels_, near.labels_)
    np.testing.assert_allclose(np.ldexp(far.sample(9)[0], -power), near.sample(9)[0], rtol=1e-4)
    score = far.score(np.ldexp(X, power)) + 2 * power * np.log(2)
    assert score == pytest.approx(near.score(X), abs=1)


def test_numbers_far_from_those_in_training_are_refused() -> None:
    with pytest.raises(InputError, match="too far from those in training, in column 1: correct"):
        fitted(X, 3).predict(np.array([[0.0, 1e200]]))


@pytest.mark.parametrize(
    "init",
    [
        pandas.DataFrame(np.eye(3)[TRUE]),
        pandas.DataFrame(np.eye(3, dtype=int)[TRUE]),
        pandas.DataFrame({"cluster": TRUE}),
        pandas.Series(TRUE),
        pandas.Series(TRUE, dtype="Int64"),
        torch.eye(3, dtype=torch.bfloat16)[TRUE],
        np.eye(3)[TRUE][::-1][::-1],
        TRUE.tolist(),
    ],
    ids=repr,
)
def test_clusters_to_begin_by(init: Any) -> None:
    np.testing.assert_array_equal(fitted(X, 3, init=init, max_iter=5, hidden=(32,)).labels_, TRUE)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, -1],
        pandas.Series([0, 1, None]),
        pandas.Series([0, 1, None], dtype="Int64"),
        pandas.DataFrame({"label": [0, 1, None]}),
        np.array([[0], [1], [-1]]),
        torch.tensor([0, 1, torch.nan]).bfloat16(),
        torch.tensor([0, 1, -1], dtype=torch.int8),
    ],
    ids=repr,
)
def test_labels_of_any_form(labels: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert known_of_rows(labels, "labels", 3).tolist() == [0, 1, -1]


@pytest.mark.parametrize("labels", [[[0], [1, 2]], np.array([[1], [1, 2]], dtype=object)])
def test_labels_that_are_lists(labels: Any) -> None:
    with pytest.raises(InputError, match="labels of X (are no array|hold lists)"):
        known_of_rows(labels, "labels", 2)


@pytest.mark.parametrize("labels", [[0, np.inf], [0, 1e30], np.array([0, 2**64 - 1], np.uint64)])
def test_labels_that_are_no_codes(labels: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="number them 0, 1"):
            codes_of(array_of(labels, "labels"), "X", "labels")
