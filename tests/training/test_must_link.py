"""Rows that are known to belong together: an argument of `fit`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.models import GMVAE, METHODS, MUST_LINK
from pyro_gmvae.training import fit
from tests.helpers.known import halves, of_some
from tests.helpers.tiny import quick, same_weights, weights_of

X, TOP = halves()


def model(method: str = "sparse", seed: int = 0) -> GMVAE:
    torch.manual_seed(seed)
    return METHODS[method](2, 2, 2, hidden=(16,), likelihood="gaussian", learn_mixture=True)


@pytest.mark.parametrize("method", METHODS)
def test_is_reported_apart_and_leaves_no_data_behind(method: str) -> None:
    gmvae = model(method)
    record = fit(gmvae, X, quick(epochs=1), must_link=of_some(TOP)).history[0]
    assert record["elbo"] == pytest.approx(
        record["log_likelihood"] - record["kl_z"] - record["kl_y"]
    )
    assert MUST_LINK in record
    assert gmvae.must_link is None
    assert MUST_LINK not in fit(gmvae, X, quick(epochs=1)).history[0]


def test_an_interrupted_training_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    groups, whole, parted = of_some(TOP), model(), model()
    fit(whole, X, quick(epochs=2), must_link=groups)
    path = tmp_path / "state"
    fit(parted, X, quick(epochs=1), must_link=groups, checkpoint=path)
    again = model(seed=5)
    fit(again, X, quick(epochs=2), must_link=groups, checkpoint=path, resume=True)
    assert same_weights(weights_of(whole), weights_of(again))
    assert b"must_link.x" not in path.read_bytes()


def test_groups_that_tell_nothing() -> None:
    gmvae = model()
    before = weights_of(gmvae)
    with pytest.raises(InputError, match="no group has two rows to train with"):
        fit(gmvae, X, quick(), must_link=torch.arange(len(X)))
    assert gmvae.must_link is None
    assert same_weights(before, weights_of(gmvae))
