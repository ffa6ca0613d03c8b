"""A plan holds every decision of a training, and refuses what cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from pyro_gmvae.data import Dataset, ImageEncoding, Splits, load_splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.plan import plan, seeds_of
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.models import METHODS
from tests.helpers.tiny import blobs
from tests.tasks.test_stability import parts

SMALL = {"clusters": 3, "latent_dim": 2, "hidden": (4,), "device": "cpu"}


def images(n: int = 40) -> Splits:
    """Grey images at random, all to train on."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (n, 1, 4, 4), generator=generator, dtype=torch.uint8)
    data = Dataset("pictures", x, None, ImageEncoding)
    return Splits(data, *(data.subset(torch.arange(0)) for _ in range(2)))


def test_how_long_a_table_learns_its_start() -> None:
    """A third of 720 steps; 50 where rows are known, or where a training is short."""
    x, truth = blobs(90)
    splits = parts(x)
    settings = Settings.of("rows", epochs=120, **SMALL)
    assert plan(settings, splits).start.steps == 240
    for known in ({"labels": truth}, {"must_link": truth}):
        taught = replace(splits, train=replace(splits.train, **known))
        assert plan(settings, taught).start.steps == 50
    assert plan(settings.with_(epochs=10), splits).start.steps == 50
    assert plan(settings.with_(epochs=1000), splits).start.steps == 250


@pytest.mark.parametrize(
    ("options", "share"),
    [({}, 0.25), ({"regularize": "none"}, 1.0), ({"regularize": "none", "drawn_share": 0.5}, 0.5)],
)
def test_the_drawn_cluster_is_decoded_for_all_without_a_regulariser(
    options: dict[str, Any], share: float
) -> None:
    gmvae = plan(Settings.of(None, **SMALL, **options), images()).make_model(0)
    assert gmvae.guide.drawn_share == gmvae.options["drawn_share"] == share


@pytest.mark.parametrize("method", METHODS)
def test_the_first_weights_depend_on_the_seed_alone(method: str) -> None:
    made = plan(Settings.of(None, method=method, **SMALL), images())
    torch.rand(3)  # whatever came before
    state = torch.get_rng_state()
    one, two, other = (made.make_model(seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(one[n], two[n]) for n in one)
    assert any(not torch.equal(one[n], other[n]) for n in one)


def test_seeds() -> None:
    assert seeds_of(7, 1) == (7,)
    assert seeds_of(7, 3)[:2] == seeds_of(7, 2) and seeds_of(7, 3)[0] == 7
    assert len(set(seeds_of(7, 3)) | set(seeds_of(8, 3))) == 6


def test_tries_are_starts_by_information_or_whole_trainings() -> None:
    settings = Settings.of(None, seed=4, starts=2, **SMALL)
    by_information = plan(settings, images())
    assert (by_information.start.name, by_information.start.tries) == ("information", 2)
    assert by_information.seeds == (4,)
    whole = plan(settings.with_(regularize="none"), images())
    assert (whole.start.name, whole.start.tries) == ("kmeans", 1)
    assert whole.seeds == seeds_of(4, 2)
    # Where nobody says, few rows are tried six times by information and once else.
    assert plan(settings.with_(starts=None), images()).start.tries == 6
    assert plan(settings.with_(starts=None, regularize="none"), images()).seeds == (4,)


def test_images_and_tables_have_sizes_of_their_own() -> None:
    said = Settings.of(None, clusters=2, device="cpu")
    image, table = plan(said, images()), plan(said, parts(blobs(60)[0]))
    assert (image.model["latent_dim"], image.model["hidden"]) == (20, (256, 256))
    assert (table.model["latent_dim"], table.model["hidden"]) == (4, (64, 64))
    assert (image.config.learning_rate, table.config.learning_rate) == (1e-3, 5e-3)
    assert (image.config.batch_size, table.config.batch_size) == (128, 16)
    assert (image.regularizer is None, table.regularizer is None) == (False, True)
    # p(y) is learned where no regulariser balances the clusters.
    assert (image.model["learn_mixture"], table.model["learn_mixture"]) == (False, True)
    told = plan(said.with_(learn_mixture=True), images())
    assert told.model["learn_mixture"] is True
    uniform = plan(said.with_(learn_mixture=False), parts(blobs(60)[0]))
    assert uniform.model["learn_mixture"] is False


def test_about_says_where_the_model_comes_from() -> None:
    x, truth = blobs(90)
    splits = parts(x, held_out=10)
    labels = torch.where(torch.arange(80) < 5, truth[:80], -1)
    splits = replace(splits, train=replace(splits.train, labels=labels))
    settings = Settings.of("rows", **SMALL)
    about = plan(settings, splits).about
    assert about.name == "rows" and about.settings == settings.to_dict()
    assert about.fingerprint == splits.train.fingerprint()
    assert about.known_rows == (0, 1, 2, 3, 4)
    assert plan(settings, parts(x)).about.known_rows is None


def test_given_clusters_are_the_start() -> None:
    x, truth = blobs(30)
    made = plan(Settings.of(None, initialization="random", **SMALL), parts(x), clusters=truth)
    assert made.start.name == "given" and made.start.clusters is truth
    with pytest.raises(InputError):
        plan(Settings.of(None, **SMALL), parts(x), clusters=truth[:-1])
    one = plan(Settings.of(None, **SMALL | {"clusters": 1}), parts(x), clusters=truth * 0)
    assert one.start.name == "random"


def with_labels(x: Tensor, labels: Tensor) -> Splits:
    splits = parts(x)
    return replace(splits, train=replace(splits.train, labels=labels))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"clusters": 91}, "91 clusters are more than the 90 training rows of rows"),
    ({"network": "conv"}, "the conv network is for images, not for rows: use network mlp"),
    ({"cluster_network": "conv"}, "the conv network is for images"),
    ({"channels": (8, 8)}, "channels belong to the conv network"),
    ({"augment": "flip"}, "only images are augmented"),
    ({"binarize": "static"}, "only images are binarised"),
    ({"likelihood": "discretized_logistic"}, "is for 8-bit images and rows is a table"),
    ({"likelihood": "bernoulli"}, "wants values in \\[0, 1\\]"),
    ({"initialization": "information"}, "needs a regulariser"),
    ({"regularize": "affine"}, "affine is for images"),
    ({"method": "marginal", "shared_trunk": True}, "has no q\\(y\\|x\\)"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_trained(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        plan(Settings.of("rows", **SMALL | options), parts(blobs(90)[0]))


def test_labels_that_teach_nothing() -> None:
    x, truth = blobs(30)
    settings = Settings.of("rows", **SMALL)
    with pytest.raises(InputError, match="every row with a label is held out: label more rows"):
        plan(settings, with_labels(x, torch.full_like(truth, -1)))
    with pytest.raises(InputError, match="label 7 has no cluster"):
        plan(settings, with_labels(x, torch.where(truth == 0, 7, truth)))
    alone = replace(parts(x), train=replace(parts(x).train, must_link=torch.arange(30)))
    with pytest.raises(InputError, match="no group has two rows"):
        plan(settings, alone)


def test_the_exact_method_sums_as_many_clusters_as_memory_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings.of(None, method="exact", **SMALL)
    assert plan(settings, images()).config.chunk_size is None
    assert plan(settings.with_(chunk_size=2), images()).config.chunk_size == 2
    monkeypatch.setattr(defaults, "free_memory", lambda device: 1)
    assert plan(settings, images()).config.chunk_size == 1


def test_a_built_in_set_is_planned() -> None:
    made = plan(Settings.of("digits", clusters=10, device="cpu"), load_splits("digits", seed=0))
    assert made.model["likelihood"] == "continuous_bernoulli"
    assert made.encoding.binarize == "none"
    assert made.model["cluster_network"] == "conv"
    told = plan(Settings.of("digits", binarize="static"), load_splits("digits", seed=0))
    assert (told.model["likelihood"], told.encoding.binarize) == ("bernoulli", "static")
