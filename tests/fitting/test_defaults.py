"""What a training takes where nobody says: all that is "auto" or None."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from pyro_gmvae.data import Dataset, Encoding, ImageEncoding, TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.groups import ModelSettings
from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.inference.memory import bytes_saved
from pyro_gmvae.likelihoods import TableStructure, likelihood_class
from pyro_gmvae.training import resources
from tests.helpers.tiny import blobs, tiny

ELBO = TraceEnumMeanField_ELBO(max_plate_nesting=1)
Kind = type[Encoding]


def images(channels: int) -> Dataset:
    levels = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1)
    return Dataset("pictures", levels.expand(256, channels, 2, 2), None, ImageEncoding)


def ink(grey: float) -> Dataset:
    """Black and white but for a share of middle grey."""
    x = torch.where(torch.arange(100) < 100 * grey, 128, 255).to(torch.uint8)
    return Dataset("ink", x.view(100, 1, 1, 1), None, ImageEncoding)


def table(*rows: list[float]) -> Dataset:
    return Dataset("numbers", torch.tensor(rows), None, TableEncoding)


@pytest.mark.parametrize(
    ("data", "binarize", "likelihood", "binarized"),
    [
        (images(1), "auto", "continuous_bernoulli", "none"),
        (ink(0.1), "auto", "bernoulli", "dynamic"),
        (ink(0.2), "auto", "continuous_bernoulli", "none"),
        (ink(0.2), "dynamic", "bernoulli", "dynamic"),
        (images(1), "static", "bernoulli", "static"),
        (images(3), "auto", "discretized_logistic", "none"),
        (images(4), "none", "discretized_logistic", "none"),
        (images(3), "dynamic", "bernoulli", "dynamic"),
        (table([0.0, 1.0], [1.0, 1.0]), "auto", "bernoulli", "dynamic"),
        (table([0.0, 1.0], [1.0, 2.0]), "auto", "gaussian", "none"),
    ],
)
def test_a_likelihood_of_the_numbers_that_the_data_are(
    data: Dataset, binarize: str, likelihood: str, binarized: str
) -> None:
    chosen = defaults.likelihood("auto", binarize, data)
    support = likelihood_class(chosen).support
    encoding = data.kind.fit(data, support, binarize=defaults.binarize(binarize))
    assert (chosen, encoding.binarize) == (likelihood, binarized)
    assert defaults.likelihood("gaussian_predicted", binarize, data) == "gaussian_predicted"


@pytest.mark.parametrize(
    ("kind", "event_shape", "moves"),
    [
        (ImageEncoding, (1, 28, 28), "affine"),
        (ImageEncoding, (3, 32, 32), "affine+colour"),
        (TableEncoding, (12,), "none"),
    ],
)
def test_moves_that_leave_rows_in_their_clusters(
    kind: Kind, event_shape: tuple[int, ...], moves: str
) -> None:
    assert defaults.regularize("auto", kind, event_shape) == moves
    assert defaults.regularize("flip", kind, event_shape) == "flip"


def test_sizes_go_by_the_kind() -> None:
    assert defaults.latent_dim(None, TableEncoding.defaults, None) == 10
    assert defaults.latent_dim(None, ImageEncoding.defaults, None) == 20
    numbers = TableStructure(("real",) * 7)
    assert defaults.latent_dim(None, TableEncoding.defaults, numbers) == 10
    # Every axis of the covariance of a cluster is a dimension of the style.
    correlated = replace(numbers, correlated=True)
    assert defaults.latent_dim(None, TableEncoding.defaults, correlated) == 7
    assert defaults.latent_dim(2, TableEncoding.defaults, correlated) == 2
    assert defaults.hidden(None, TableEncoding.defaults) == (128, 128)
    assert defaults.hidden(None, ImageEncoding.defaults) == (256, 256)
    assert defaults.latent_dim(3, ImageEncoding.defaults, None) == 3
    assert defaults.hidden((7,), ImageEncoding.defaults) == (7,)


@pytest.mark.parametrize(
    ("said", "kind", "regularized", "shared_trunk", "expected"),
    [
        ("auto", ImageEncoding, True, False, "conv"),
        ("auto", ImageEncoding, False, False, None),
        ("auto", ImageEncoding, True, True, None),
        ("auto", TableEncoding, True, False, None),
        ("mlp", ImageEncoding, True, False, "mlp"),
    ],
)
def test_the_network_that_tells_clusters(
    said: str, kind: Kind, regularized: bool, shared_trunk: bool, expected: str | None
) -> None:
    found = defaults.cluster_network(said, kind, regularized=regularized, shared_trunk=shared_trunk)
    assert found == expected


@pytest.mark.parametrize("regularized", [True, False])
def test_what_goes_by_the_regulariser(regularized: bool) -> None:
    assert defaults.learn_mixture(None, regularized=regularized) is not regularized
    assert defaults.drawn_share(None, regularized=regularized) == (0.25 if regularized else 1.0)
    for said in (True, False):
        assert defaults.learn_mixture(said, regularized=regularized) is said
    assert defaults.drawn_share(0.5, regularized=regularized) == 0.5


@pytest.mark.parametrize(
    ("likelihood", "kind", "event_shape", "begun", "taught"),
    [
        ("gaussian", TableEncoding, (8,), "portfolio", "mixture"),
        ("gaussian_predicted", TableEncoding, (100,), "portfolio", "mixture"),
        ("gaussian", TableEncoding, (101,), "portfolio", "kmeans"),
        ("table", TableEncoding, (8,), "mixture", "mixture"),
        ("bernoulli", TableEncoding, (8,), "kmeans", "kmeans"),
        ("gaussian", ImageEncoding, (1, 28, 28), "kmeans", "kmeans"),
    ],
)
def test_a_start_by_the_data(
    likelihood: str, kind: Kind, event_shape: tuple[int, ...], begun: str, taught: str
) -> None:
    support = likelihood_class(likelihood).support

    def start(said: str, *, regularized: bool = False, taught: bool = False) -> str:
        return defaults.start(
            said, kind, event_shape, support, regularized=regularized, taught=taught
        )

    assert start("auto") == begun
    assert start("auto", taught=True) == taught
    assert start("auto", regularized=True) == "information"
    assert start("random", regularized=True) == "random"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"network": "conv"}, False),
        ({"cluster_network": "conv"}, False),
        ({"shared_trunk": True}, False),
        ({"likelihood": "gaussian_predicted"}, False),
        ({"regularized": True}, False),
        ({"width": 32}, True),
        ({"width": 33}, False),
        ({"labels": True}, False),
        ({"must_link": True}, False),
    ],
)
def test_clusters_of_numbers_have_laws_unless_they_need_other_networks(
    change: dict, expected: bool
) -> None:
    said = {"network", "cluster_network", "shared_trunk"} & change.keys()
    model = ModelSettings(**{name: change[name] for name in said})
    data = Dataset("rows", torch.zeros(4, change.get("width", 3)), None, TableEncoding)
    known = {n: torch.zeros(4).long() for n in ("labels", "must_link") if n in change}
    found = defaults.laws(
        model,
        change.get("likelihood", "gaussian"),
        "real",
        replace(data, **known),
        regularized=change.get("regularized", False),
    )
    assert found is expected


@pytest.mark.parametrize(
    ("said", "start", "rows", "tries"),
    [
        (None, "information", 10_000, 6),
        (None, "information", 10_001, 3),
        (None, "kmeans", 100, 1),
        (5, "information", 100, 5),
        (2, "kmeans", 100, 2),
        (2, defaults.BEFORE, 100, 1),
    ],
)
def test_several_starts_by_information(said: int | None, start: str, rows: int, tries: int) -> None:
    assert defaults.starts(said, start, rows) == tries


def test_no_annealing_where_a_table_has_its_clusters() -> None:
    assert defaults.annealing_epochs(None, "mixture", TableEncoding.defaults) == 0
    assert defaults.annealing_epochs(None, "given", TableEncoding.defaults) == 0
    for start, kind in [
        ("random", TableEncoding),
        ("information", TableEncoding),
        ("kmeans", ImageEncoding),
    ]:
        assert defaults.annealing_epochs(None, start, kind.defaults) == 10
    assert defaults.annealing_epochs(4.0, "mixture", TableEncoding.defaults) == 4


@pytest.mark.parametrize(
    ("said", "n_rows", "kind", "expected"),
    [
        (None, 120, TableEncoding, 16),
        (None, 500, TableEncoding, 50),
        (None, 5000, TableEncoding, 128),
        (None, 120, ImageEncoding, 128),
        (7, 5000, TableEncoding, 7),
    ],
)
def test_an_epoch_of_a_small_table_has_several_steps(
    said: int | None, n_rows: int, kind: Kind, expected: int
) -> None:
    assert defaults.batch_size(said, kind.defaults, n_rows) == expected


def test_tables_learn_faster() -> None:
    assert defaults.learning_rate(None, TableEncoding.defaults) == 3e-3
    assert defaults.learning_rate(None, ImageEncoding.defaults) == 1e-3
    assert defaults.learning_rate(0.5, TableEncoding.defaults) == 0.5


@pytest.mark.parametrize(("n_rows", "steps"), [(40, 20), (41, 30), (19, 10)])
def test_steps_are_counted_with_the_last_smaller_batch(n_rows: int, steps: int) -> None:
    assert defaults.total_steps(10, n_rows, 20) == steps


@pytest.mark.parametrize(
    ("kind", "event_shape", "total_steps", "known", "expected"),
    [
        (TableEncoding, (8,), 1000, False, 250),
        (TableEncoding, (8,), 600, False, 200),
        (TableEncoding, (8,), 30, False, 50),
        (TableEncoding, (8,), 1000, True, 50),
        (ImageEncoding, (1, 8, 8), 1000, False, 50),
    ],
)
@pytest.mark.parametrize("what", ["labels", "must_link"])
def test_a_table_is_started_for_longer_unless_some_rows_are_known(
    kind: Kind,
    event_shape: tuple[int, ...],
    total_steps: int,
    known: bool,
    expected: int,
    what: str,
) -> None:
    train = Dataset("rows", torch.zeros(40, *event_shape), None, kind)
    if known:
        train = replace(train, **{what: torch.zeros(40, dtype=torch.long)})
    assert defaults.start_steps(train, kind.defaults, total_steps) == expected


def test_a_mixed_table_counts_steps_and_grows_with_its_rows() -> None:
    few, many = (TableEncoding.usual("mixed", n, laws=True) for n in (2_000, 40_000))
    assert TableEncoding.usual("real", 2_000, laws=False) is TableEncoding.defaults
    numbers = [TableEncoding.usual("real", n, laws=True) for n in (999, 1_000, 40_000)]
    assert [usual.total_steps for usual in numbers] == [100, 300, 3_000]
    assert (few.latent_dim, many.latent_dim) == (2, 6)
    assert few.hidden < many.hidden and few.learning_rate > many.learning_rate
    assert defaults.epochs(None, TableEncoding.defaults, 2_000, 128) == 100
    assert defaults.epochs(7, few, 2_000, 128) == 7
    assert defaults.epochs(None, few, 2_000, 200) == 100  # 1,000 steps
    assert defaults.epochs(None, many, 40_000, 256) == 20  # 3,000 steps
    assert defaults.epochs(None, many, 10_000_000, 256) == 5
    assert defaults.epochs(None, few, 10, 16) == 300

    assert defaults.learning_rate_schedule("auto", few) == "cosine"
    assert defaults.learning_rate_schedule("auto", TableEncoding.defaults) == "constant"
    assert defaults.learning_rate_schedule("constant", few) == "constant"
    assert defaults.patience(None, "constant") == 20
    assert defaults.patience(None, "cosine") is None
    assert defaults.patience(3, "cosine") == 3


def test_a_training_of_very_many_rows_counts_steps_within_an_epoch() -> None:
    usual = TableEncoding.usual("mixed", 50_000_000, laws=True)
    batch = defaults.batch_size(None, usual, 50_000_000)
    epochs = defaults.epochs(None, usual, 50_000_000, batch)
    assert (batch, epochs, defaults.max_steps(None, usual)) == (1_024, 1, 10_000)
    assert defaults.total_steps(epochs, 50_000_000, batch, 10_000) == 10_000
    assert defaults.epochs(None, usual, 1_000_000, batch) == 11  # as many steps
    # Who names epochs gets whole ones, and fewer rows are passed five times in any case.
    assert defaults.max_steps(1, usual) is None
    assert defaults.max_steps(None, TableEncoding.usual("mixed", 50_000, laws=True)) is None


@pytest.mark.parametrize(
    ("said", "method", "start", "mixed", "taught", "expected"),
    [
        ("auto", "sparse", "mixture", True, False, (True, False)),
        ("auto", "sparse", "mixture", False, False, (False,)),
        ("auto", "sparse", "portfolio", False, False, (True,)),
        ("auto", "marginal", "portfolio", False, False, (False,)),
        ("auto", "marginal", "mixture", True, False, (False,)),
        ("auto", "exact", "mixture", True, True, (False,)),
        ("free", "sparse", "mixture", True, False, (False,)),
        ("free", "sparse", "portfolio", False, False, (False,)),
        ("held", "concrete", "mixture", True, False, (True,)),
        ("held", "sparse", "kmeans", False, False, (True,)),
    ],
)
def test_clusters_are_held_free_or_compared(
    said: str, method: str, start: str, mixed: bool, taught: bool, expected: tuple[bool, ...]
) -> None:
    assert defaults.holds(said, method, 1_000, start, mixed=mixed, taught=taught) == expected
    if said == "auto" and expected == (True, False):
        assert defaults.holds(said, method, 999, start, mixed=mixed, taught=taught) == (True,)


@pytest.mark.parametrize(
    ("method", "start", "taught", "shared_trunk"),
    [
        ("sparse", "random", False, False),
        ("marginal", "mixture", False, False),
        ("sparse", "mixture", True, False),
        ("sparse", "mixture", False, True),
    ],
)
def test_clusters_that_cannot_be_held(
    method: str, start: str, taught: bool, shared_trunk: bool
) -> None:
    options = {"mixed": True, "taught": taught, "shared_trunk": shared_trunk}
    with pytest.raises(InputError, match="held|hold"):
        defaults.holds("held", method, 1_000, start, **options)
    assert defaults.holds("auto", method, 1_000, start, **options) == (False,)


# The machine.


@pytest.mark.parametrize("there", [True, False])
def test_a_gpu_is_taken_if_there_is_one(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert defaults.device("auto") == ("cuda" if there else "cpu")
    assert defaults.device("cpu") == "cpu"


@pytest.mark.parametrize(
    ("said", "device", "steps", "answer"),
    [
        ("auto", "cpu", 100, False),
        ("auto", "cpu", 100_000, "try"),
        ("auto", "cuda", 100, False),
        ("auto", "cuda", 100_000, "try"),
        ("on", "cpu", 1, True),
        ("off", "cuda", 100_000, False),
    ],
)
def test_compilation_where_it_pays(
    said: str, device: str, steps: int, answer: Literal["try"] | bool
) -> None:
    assert defaults.compiled(said, device, steps) == answer


@pytest.mark.parametrize("kind", [ImageEncoding, TableEncoding])
def test_a_cpu_is_asked_for_bfloat16_by_name_alone(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the processor has it, which is imitated."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: True)
    assert defaults.precision("auto", "cpu", kind.defaults) == "float32"
    assert defaults.precision("bfloat16", "cpu", kind.defaults) == "bfloat16"


@pytest.mark.parametrize(
    ("capability", "kind", "answer"),
    [
        ((7, 5), ImageEncoding, "float32"),
        ((8, 0), ImageEncoding, "bfloat16"),
        ((9, 0), TableEncoding, "float32"),
    ],
)
def test_a_gpu_takes_bfloat16_for_images_if_it_has_it(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], kind: Kind, answer: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert defaults.precision("auto", "cuda", kind.defaults) == answer
    assert defaults.precision("float32", "cuda", kind.defaults) == "float32"
    assert defaults.precision("bfloat16", "cuda", kind.defaults) == "bfloat16"


class TestChunkSize:
    def x(self) -> Tensor:
        return blobs(16)[0]

    def free(self, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
        monkeypatch.setattr(defaults, "free_memory", lambda device: size)

    def test_all_clusters_where_they_fit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free(monkeypatch, 10**9)
        assert defaults.chunk_size(None, tiny("exact"), self.x(), "cpu") is None

    def test_as_many_as_fit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gmvae, x, sizes = tiny("exact"), self.x(), []
        one = torch.zeros(1, dtype=torch.long)
        kept = bytes_saved(
            lambda: ELBO.partial_terms(gmvae.model, gmvae.guide, one, x, None).loss, gmvae
        )
        assert kept > 0
        per_cluster = resources.PEAK * kept / defaults.MEMORY_SHARE
        for room in (0.5, 2.5, 3.5):  # of 3 clusters
            self.free(monkeypatch, int(room * per_cluster))
            sizes.append(defaults.chunk_size(None, gmvae, x, "cpu"))
        assert sizes == [1, 2, None]

    def test_looking_leaves_the_model_as_it_is(self) -> None:
        encoder = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5))
        gmvae = tiny("exact", encoder=encoder).train()
        before = encoder[1].running_mean.clone()
        state = torch.get_rng_state()
        defaults.chunk_size(None, gmvae, self.x(), "cpu")
        assert torch.equal(encoder[1].running_mean, before)
        assert gmvae.training and encoder[1].training
        assert torch.equal(torch.get_rng_state(), state)

    def test_a_number_is_obeyed(self) -> None:
        assert defaults.chunk_size(2, tiny("exact"), self.x(), "cpu") == 2

    def test_only_the_exact_method_sums_over_all(self) -> None:
        assert defaults.chunk_size(None, tiny("sparse"), self.x(), "cpu") is None
