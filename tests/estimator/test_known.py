"""Semi-supervision by the estimator: labels and groups are asked for by name, never by ``y``."""

import pickle

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from pyro_gmvae.training.loop import TrainResult, fit
from tests.helpers.known import N_KNOWN, N, halves, in_threes, of_some

X, TOP = (t.numpy() for t in halves())
LABELS, GROUPS = (known(halves()[1]).numpy() for known in (of_some, in_threes))
BRIEF = {"hidden": (16,), "latent_dim": 2, "batch_size": 40, "random_state": 0, "max_iter": 25}
BRIEF |= {"learning_rate": 1e-2, "validation_fraction": 0, "annealing_epochs": 5}
REST = slice(N_KNOWN, None)


def test_likelihood_alone_takes_the_other_halves_and_y_changes_nothing() -> None:
    found = [GMVAE(2, **BRIEF).fit(X, y).labels_ for y in (None, TOP)]
    np.testing.assert_array_equal(*found)
    assert adjusted_rand_score(TOP, found[0]) < 0.1


@pytest.mark.parametrize("flipped", [False, True])
def test_labels_are_learned_and_number_the_clusters(flipped: bool) -> None:
    true = 1 - TOP if flipped else TOP
    labels = np.where(LABELS >= 0, true, -1)
    gmvae = GMVAE(2, **BRIEF)
    found = gmvae.fit_predict(X, labels=labels)
    assert (found[REST] == true[REST]).mean() > 0.9
    np.testing.assert_array_equal(gmvae.predict(X), found)


def test_groups_are_learned_and_not_kept() -> None:
    gmvae = GMVAE(2, **BRIEF).fit(X, must_link=GROUPS)
    unknown = GROUPS < 0
    assert adjusted_rand_score(TOP[unknown], gmvae.labels_[unknown]) > 0.8
    assert gmvae.model_.must_link is None
    # Neither do they come in by the way of a pickle.
    assert len(pickle.dumps(gmvae)) == pytest.approx(
        len(pickle.dumps(GMVAE(2, **BRIEF).fit(X, labels=LABELS))), rel=0.05
    )


def test_what_is_known_is_trained_on_not_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict = {}

    def spy(*args: object, **given: object) -> TrainResult:
        seen.update(given)
        return fit(*args, **given)

    monkeypatch.setattr("pyro_gmvae.fitting.train.fit", spy)
    labels = np.full(N, -1)
    labels[[0, 2]] = TOP[[0, 2]]
    options = BRIEF | {"validation_fraction": 0.9, "max_iter": 1}
    with pytest.warns(ConvergenceWarning):
        GMVAE(2, **options).fit(X, labels=labels)
    (held_out,) = seen["validation"]
    assert len(held_out) == 144
    assert sorted(seen["labels"][seen["labels"] >= 0].tolist()) == [0, 1]


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"labels": LABELS[1:]}, f"there are {N - 1} labels for {N} rows"),
        ({"labels": LABELS.astype(str)}, "labels must be integers"),
        ({"labels": np.full(N, -1)}, "all labels are missing"),
        ({"labels": 2 * LABELS.clip(0)}, "label 2 has no cluster: labels go from 0 to 1"),
        ({"must_link": GROUPS[1:]}, f"there are {N - 1} groups for {N} rows"),
        ({"must_link": np.arange(N)}, "no group has two rows to train with"),
    ],
)
def test_refusals(known: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        GMVAE(2, **BRIEF).fit(X, **known)
