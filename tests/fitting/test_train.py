"""A plan is carried out: the start, the numbers of the clusters, the best of several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.begin import begin
from pyro_gmvae.fitting.plan import plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts import latent
from pyro_gmvae.fitting.train import attempt_checkpoint, train
from pyro_gmvae.training import NonFiniteLossError
from tests.helpers.tiny import blobs, same_weights
from tests.tasks.test_stability import parts

SMALL = {"clusters": 3, "latent_dim": 2, "hidden": (8,), "device": "cpu", "epochs": 1}
SMALL |= {"initialization": "random"}


def test_a_latent_start_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "MIN_STEPS", 1)  # the epochs decide
    x, truth = blobs(90)
    splits = parts(100 * x + 7)
    small = {"clusters": 3, "latent_dim": 2, "hidden": (32,), "batch_size": 30, "device": "cpu"}
    settings = Settings.of(
        "rows",
        initialization="latent-mixture",
        initialization_epochs=25,
        learning_rate=1e-2,
        **small,
    )
    made = plan(settings, splits)
    fitted = FittedModel(begin(made, made.config), made.encoding)
    found = fitted.responsibilities(splits.train.x).argmax(-1)
    assert adjusted_rand_score(truth.numpy(), found.numpy()) > 0.95


def test_steps_of_a_start_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        "pyro_gmvae.fitting.begin.start_from", lambda name, context, steps: seen.append(steps)
    )
    x, _ = blobs(90)
    options = {"initialization": "kmeans", "likelihood": "gaussian_predicted"}
    made = plan(Settings.of("rows", **SMALL | options), parts(x))
    begin(made, made.config)
    begin(replace(made, start=replace(made.start, steps=20)), made.config)
    assert seen == [made.start.steps, 20]


def test_clusters_are_numbered_by_size_or_by_labels() -> None:
    x, truth = blobs(90)
    kept = torch.cat([(truth == k).nonzero().flatten()[:n] for k, n in ((0, 8), (1, 30), (2, 19))])
    x, truth = x[kept], truth[kept]
    options = {"initialization": "kmeans", "epochs": 10, "learning_rate": 1e-2, "hidden": (32,)}
    settings = Settings.of("rows", **SMALL | options)
    sizes = train(plan(settings, parts(x))).responsibilities(x).argmax(-1).bincount(minlength=3)
    assert sizes[0] > sizes[2] > 0 and (sizes.diff() <= 0).all()
    splits = parts(x)
    splits = replace(splits, train=replace(splits.train, labels=truth))
    found = train(plan(settings, splits)).responsibilities(x).argmax(-1)
    assert (found == truth).float().mean() > 0.95


def test_of_several_trainings_the_best_bound_is_kept() -> None:
    x, _ = blobs(60)
    settings = Settings.of("rows", starts=3, seed=2, **SMALL)
    made = plan(settings, parts(x))
    each = [train(replace(made, seeds=(seed,))) for seed in made.seeds]
    bounds = [fitted.about.lower_bound for fitted in each]
    assert len(set(bounds)) == 3
    best = train(made)
    assert best.about.lower_bound == max(bounds)
    own = each[bounds.index(max(bounds))]
    assert same_weights(best.gmvae.state_dict(), own.gmvae.state_dict())


def test_each_of_several_trainings_resumes_from_its_own_checkpoint(tmp_path: Path) -> None:
    x, _ = blobs(60)
    made = plan(Settings.of("rows", starts=2, learning_rate_schedule="constant", **SMALL), parts(x))
    state = tmp_path / "checkpoint" / "state.safetensors"
    first = train(made, checkpoint=state)
    files = {attempt_checkpoint(state, attempt) for attempt in (0, 1)}
    assert set(state.parent.iterdir()) == files and state in files
    longer = replace(made, config=replace(made.config, epochs=2))
    resumed, unbroken = train(longer, checkpoint=state, resume=True), train(longer)
    assert len(first.history) == 1 and len(resumed.history) == 2
    assert same_weights(resumed.gmvae.state_dict(), unbroken.gmvae.state_dict())
    # Broken in the second training, the first is as it was.
    state.with_name("state-1.safetensors").unlink()
    again = train(longer, checkpoint=state, resume=True)
    assert same_weights(again.gmvae.state_dict(), unbroken.gmvae.state_dict())


@pytest.mark.parametrize("initialization", ["random", "kmeans"])
def test_a_loss_that_is_not_finite_comes_with_the_last_good_weights(initialization: str) -> None:
    x, _ = blobs(60)
    options = {"learning_rate": 1e6, "initialization": initialization, "clusters_are": "free"}
    options |= {"likelihood": "gaussian_predicted"}
    made = plan(Settings.of("rows", **SMALL | options), parts(x))
    with pytest.raises(NonFiniteLossError) as caught:
        train(made)
    fitted = caught.value.fitted
    assert fitted.about.stopped == "non-finite loss" and fitted.about.settings is not None
    assert all(t.isfinite().all() for t in fitted.gmvae.state_dict().values())
    assert not fitted.gmvae.training


def test_the_global_generator_is_left_alone() -> None:
    x, _ = blobs(60)
    before = torch.get_rng_state()
    train(plan(Settings.of("rows", **SMALL), parts(x)))
    assert torch.equal(before, torch.get_rng_state())
