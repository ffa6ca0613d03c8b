"""The settings of a training reach the strategy that it begins by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae.data import load_splits
from pyro_gmvae.evaluation import responsibilities
from pyro_gmvae.tasks import start
from pyro_gmvae.tasks.settings import TrainSettings
from pyro_gmvae.tasks.start import prepare, started
from pyro_gmvae.training import TrainResult
from pyro_gmvae.training.starts import latent
from tests.helpers.tiny import blobs
from tests.tasks.test_stability import parts


def test_a_latent_start_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "MIN_STEPS", 1)  # the epochs decide
    x, truth = blobs(90)
    splits = parts(100 * x + 7)
    settings = TrainSettings("rows", initialization="latent-mixture", initialization_epochs=25)
    small = {"clusters": 3, "latent_dim": 2, "hidden": (32,), "batch_size": 30, "device": "cpu"}
    settings = replace(settings, learning_rate=1e-2, **small)
    prepared = prepare(settings, splits)
    gmvae = started(prepared, settings, splits)
    found = responsibilities(gmvae, splits.train.x, transform=prepared.preprocessor).argmax(-1)
    assert adjusted_rand_score(truth.numpy(), found.numpy()) > 0.95


def test_how_long_a_table_learns_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of 720 steps, or what is asked for; 50 where rows are known."""
    seen: list[int] = []
    monkeypatch.setattr(start, "begin_near", lambda name, rows, steps: seen.append(steps))
    x, truth = blobs(90)
    splits = parts(x)
    small = {"clusters": 3, "latent_dim": 2, "hidden": (8,), "epochs": 120, "device": "cpu"}
    settings = replace(TrainSettings("rows"), **small)
    monkeypatch.setattr(start, "fit", lambda *_, **__: TrainResult([], "epochs", None, 0))
    start.train_splits(settings, splits)
    start.train_splits(settings, splits, steps=20)
    known = replace(splits, train=replace(splits.train, given=truth))
    start.train_splits(settings, known)
    assert seen == [240, 20, 50]


@pytest.mark.parametrize(
    ("options", "share"),
    [({}, 0.25), ({"regularize": "none"}, 1.0), ({"regularize": "none", "drawn_share": 0.5}, 0.5)],
)
def test_the_drawn_cluster_is_decoded_for_all_without_a_regulariser(
    options: dict[str, Any], share: float
) -> None:
    settings = TrainSettings("digits", clusters=3, hidden=(4,), **options)
    gmvae = prepare(settings, load_splits("digits", seed=0)).gmvae
    assert gmvae.guide.drawn_share == gmvae.options["drawn_share"] == share
