"""Turn settings and data into a plan: every decision of a training, as values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.about import About
from pyro_gmvae.data import Dataset, Encoding, KindDefaults, Splits
from pyro_gmvae.data.covariates import CovariateDesign
from pyro_gmvae.data.transformations import Transformation
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.capacity import check_capacity
from pyro_gmvae.fitting.covariates import covariates_of
from pyro_gmvae.fitting.groups import ConcreteSettings, ExactSettings, SparseSettings
from pyro_gmvae.fitting.regularizers import make_regularizer
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts.registry import GIVEN, check_start
from pyro_gmvae.fitting.tables import structure_of
from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.likelihoods import Support, TableStructure, likelihood_class
from pyro_gmvae.models import GMVAE, Regularizer, from_config, to_config
from pyro_gmvae.models.labels import LABEL_WEIGHT, check_label_rows, check_labels
from pyro_gmvae.models.must_link import check_must_link
from pyro_gmvae.networks import ConvSizes
from pyro_gmvae.process.alone import alone
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training import TrainConfig

__all__ = ["Plan", "StartPlan", "plan", "seeds_of"]


@dataclass(frozen=True, eq=False)
class StartPlan:
    """Say how a training begins.

    Attributes:
        name: ``"information"``, ``"random"``, ``"given"``, ``"continued"``, ``"retaught"``,
            ``"before"`` (at a trained model), or a name of
            `pyro_gmvae.fitting.starts.CLUSTERINGS`.
        tries: starts by information that are compared; the best one goes on.
        epochs: passes over the data that a start trains for, at least.
        steps: steps in which the model learns clusters that it begins near, at least.
        clusters: the clusters to begin near under ``"given"``, and responsibilities to begin by
            under ``"continued"`` and ``"retaught"``, for the training rows.

    >>> StartPlan("kmeans", tries=1, epochs=4.0, steps=50).clusters is None
    True
    """

    name: str
    tries: int
    epochs: float
    steps: int
    clusters: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """Hold every decision of a training; `pyro_gmvae.fitting.train.train` carries it out.

    Attributes:
        splits: the rows in their parts, without training rows whose weight is zero.
        encoding: from raw rows to model scale.
        augment: the random change of raw training batches, or None.
        regularizer: the regulariser of the model, or None.
        model: the structure of the model, as `pyro_gmvae.models.from_config` takes it.
        config: the settings of the training loop; its seed is that of the first training.
        start: how a training begins.
        seeds: one for each whole training; the best training is kept.
        about: where the model comes from.
        holds: whether q(y|x) stays as it begins, for each training that is tried with a seed.
        before: the model that training goes on from, or None.
        keeps_numbers: whether the clusters keep the numbers of those that training begins near.
        covariates: the map from covariates to those of p(y|w), or None.

    >>> from pyro_gmvae.data import load_splits
    >>> settings = Settings.of("digits", clusters=10)
    >>> made = plan(settings, load_splits("digits", seed=0))
    >>> made.start.name, made.config.batch_size, made.model["likelihood"]
    ('information', 128, 'continuous_bernoulli')
    """

    splits: Splits
    encoding: Encoding
    augment: Transformation | None
    regularizer: Regularizer | None
    model: dict[str, Any]
    config: TrainConfig
    start: StartPlan
    seeds: tuple[int, ...]
    about: About
    holds: tuple[bool, ...] = (False,)
    before: FittedModel | None = None
    keeps_numbers: bool = False
    covariates: CovariateDesign | None = None

    def given(self, data: Dataset) -> tuple[Float[Tensor, "N P"], ...]:
        """Return what model and guide get beside x: w on model scale, if there are covariates."""
        if self.covariates is None or data.w is None:
            return ()
        return (self.covariates.encode(data.w).float(),)

    @alone
    def make_model(self, seed: int) -> GMVAE:
        """Build the model; its first weights depend on the seed alone."""
        with forked_rng(seed=seed):
            gmvae = from_config(self.model)
        gmvae.regularize(self.regularizer)
        return gmvae


@alone
def plan(
    settings: Settings,
    splits: Splits,
    *,
    clusters: Tensor | None = None,
    before: FittedModel | None = None,
) -> Plan:
    """Decide everything about a training, and refuse settings that do not fit.

    Args:
        settings: the settings of the user.
        splits: the rows in their parts.
        clusters: clusters ``(N,)`` or responsibilities ``(N, K)`` of the training rows, to begin
            near in place of the start that the settings name.
        before: a model to go on from, whose structure and encoding are kept, whatever the settings
            of the model say; its rows must conform to it.

    Raises:
        InputError: for settings that do not fit one another or the data.

    >>> from pyro_gmvae.data import load_splits
    >>> made = plan(Settings.of("digits", clusters=10, epochs=5), load_splits("digits", seed=0))
    >>> made.config.epochs, made.model["n_components"], made.start.name
    (5, 10, 'information')
    """
    given = splits
    if given.train.weights is not None:
        clusters = None if clusters is None else clusters[given.train.weights > 0]
        splits = given.counted()
    if before is None:
        splits = splits.of_kind(defaults.kind(settings.data.kind, splits.train))
    train, kind, model = splits.train, splits.train.kind, settings.model
    shape, hardware, training = train.event_shape, settings.hardware, settings.training
    _check_rows(settings, splits)
    covariates = covariates_of(settings, splits, before)

    likelihood = (
        defaults.likelihood(model.likelihood, model.binarize, train)
        if before is None
        else str(before.gmvae.options["likelihood"])
    )
    with as_input_error():
        support = likelihood_class(likelihood).support
    encoding = (
        kind.fit(train, support, likelihood=likelihood, binarize=defaults.binarize(model.binarize))
        if before is None
        else before.encoding
    )
    _check_extremes(splits, encoding, support, likelihood)
    augment = kind.augmentation(train, training.augment)
    regularizer = make_regularizer(
        defaults.regularize(settings.start.regularize, kind, shape),
        train.x,
        encoding,
        strength=settings.start.regularizer_strength,
        seed=training.seed,
    )
    regularized = regularizer is not None

    device = defaults.device(hardware.device)
    laws = (
        defaults.laws(model, likelihood, support, train, regularized=regularized)
        if before is None
        else before.gmvae.options["table"] is not None
    )
    n_rows = splits.n_trained
    usual = kind.usual(support, n_rows, laws=laws)
    batch_size = defaults.batch_size(training.batch_size, usual, n_rows)
    epochs = defaults.epochs(training.epochs, usual, n_rows, batch_size)
    max_steps = defaults.max_steps(training.epochs, usual)
    total_steps = defaults.total_steps(epochs, n_rows, batch_size, max_steps)
    known = train.labels is not None or train.must_link is not None
    start = _start(settings, splits, support, usual, regularized, known, total_steps, clusters)
    if before is not None:
        start = replace(start, name=defaults.BEFORE)
    several = defaults.starts(settings.start.starts, start.name)
    # Starts by information are compared before one training; of the others, whole trainings are.
    tries, trainings = (several, 1) if start.name == "information" else (1, several)
    structure = None
    if laws and before is None:
        structure = structure_of(encoding, train.x, correlated=support == "real")
    holds = defaults.holds(
        settings.start.clusters_are,
        model.method,
        n_rows,
        start.name,
        mixed=laws and support == "mixed",
        taught=regularized or known,
        shared_trunk=model.shared_trunk,
        before=None if before is None else bool(before.about.held),
        covariates=covariates is not None,
    )
    # The second of two like trainings finds the compiled step of the first.
    compiled_steps = total_steps * len(holds)
    config = _config(settings, start.name, usual, device, batch_size, epochs, compiled_steps)
    config = replace(config, max_steps=max_steps)
    if before is None:
        structured = _model(settings, splits, likelihood, usual, regularized, encoding, structure)
        if covariates is not None:
            structured["n_covariates"] = len(covariates)
    else:
        structured = to_config(before.gmvae)
        if train.labels is not None:
            structured["label_weight"] = LABEL_WEIGHT

    made = Plan(
        splits=splits,
        encoding=encoding,
        augment=augment,
        regularizer=regularizer,
        model=structured,
        config=config,
        start=replace(start, tries=tries),
        seeds=seeds_of(training.seed, trainings),
        about=About(
            name=train.name,
            settings=settings.to_dict(),
            class_names=train.class_names,
            fingerprint=given.fingerprint(),
            known_rows=given.known_rows(),
            streamed_rows=None if splits.stream is None else splits.n_trained,
        ),
        holds=holds,
        before=before,
        covariates=covariates,
    )
    with as_input_error():
        check_capacity(made.model, device)
        gmvae = made.make_model(training.seed)
    return made if gmvae.method != "exact" else _chunked(made, gmvae, settings, device)


def seeds_of(seed: int, n: int) -> tuple[int, ...]:
    """Return the seeds of ``n`` trainings: its own, and others that no other training has.

    >>> seeds = seeds_of(7, 3)
    >>> seeds[0], len(set(seeds)), seeds == seeds_of(7, 3)
    (7, 3, True)
    """
    others = torch.randint(2**62, (n - 1,), generator=torch.Generator().manual_seed(seed))
    return (seed, *others.tolist())


@contextmanager
def as_input_error() -> Iterator[None]:
    """Turn a constructor's refusal of what the user asked for into an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from error


def _check_rows(settings: Settings, splits: Splits) -> None:
    train, clusters = splits.train, settings.model.clusters
    if clusters > len(train):
        held_out = sum(map(len, splits)) - len(train)
        less = ", or hold out fewer rows than validation_fraction does" if held_out else ""
        raise InputError(
            f"{clusters} clusters are more than the {len(train)} training rows of {train.name}: "
            f"use fewer clusters, or more data{less}"
        )
    if train.labels is not None:
        check_labels(train.labels, clusters)
        if not (train.labels >= 0).any():
            raise InputError(
                "every row with a label is held out: label more rows, or hold out fewer"
            )
    if train.must_link is not None:
        check_must_link(train.must_link, len(train))


def _check_extremes(splits: Splits, encoding: Encoding, support: Support, likelihood: str) -> None:
    """Refuse rows that are not in memory and that the likelihood does not take."""
    if splits.stream is not None and splits.stream.extremes is not None:
        encoding.check(splits.stream.extremes, support, likelihood)


def _start(
    settings: Settings,
    splits: Splits,
    support: Support,
    usual: KindDefaults,
    regularized: bool,
    known: bool,
    total_steps: int,
    clusters: Tensor | None,
) -> StartPlan:
    train, said = splits.train, settings.start
    if clusters is not None:
        check_label_rows(clusters, len(train), settings.model.clusters)
        name = GIVEN
    else:
        name = defaults.start(
            said.initialization,
            train.kind,
            train.event_shape,
            support,
            regularized=regularized,
            taught=known,
            covariates=train.covariates is not None,
        )
        check_start(name, regularized=regularized)
    if settings.model.clusters == 1:
        name = "random"  # one cluster has nowhere else to begin
    steps = defaults.start_steps(train, usual, total_steps)
    return StartPlan(
        name, tries=1, epochs=said.initialization_epochs, steps=steps, clusters=clusters
    )


def _model(
    settings: Settings,
    splits: Splits,
    likelihood: str,
    usual: KindDefaults,
    regularized: bool,
    encoding: Encoding,
    structure: TableStructure | None,
) -> dict[str, Any]:
    """Return the structure of the model, as `from_config` takes it."""
    model, train = settings.model, splits.train
    kind = train.kind
    network = defaults.cluster_network(
        model.cluster_network, kind, regularized=regularized, shared_trunk=model.shared_trunk
    )
    convolves = "conv" in (model.network, network)
    if convolves and not kind.convolves:
        raise InputError(f"the conv network is for images, not for {train.name}: use network mlp")
    if model.channels is not None and not convolves:
        raise InputError("channels belong to the conv network: leave them out, or use network conv")
    options: dict[str, Any] = {}
    if model.channels is not None:
        with as_input_error():
            sizes = ConvSizes.for_images(*train.event_shape[1:], channels=model.channels)
        options["conv"] = sizes.to_config()
    if train.labels is not None:
        options["label_weight"] = LABEL_WEIGHT
    own = model.passed()
    if isinstance(model, SparseSettings):
        own["drawn_share"] = defaults.drawn_share(model.drawn_share, regularized=regularized)
    if structure is not None:
        options["table"] = structure.to_config()
    return {
        "method": model.method,
        "input_dim": encoding.model_shape,
        "n_components": model.clusters,
        "latent_dim": defaults.latent_dim(model.latent_dim, usual, structure),
        "hidden": defaults.hidden(model.hidden, usual),
        "network": model.network,
        "cluster_network": network,
        "likelihood": likelihood,
        "shared_trunk": model.shared_trunk,
        "learn_mixture": defaults.learn_mixture(model.learn_mixture, regularized=regularized),
        **own,
        **options,
    }


def _config(
    settings: Settings,
    start: str,
    usual: KindDefaults,
    device: Literal["cpu", "cuda"],
    batch_size: int,
    epochs: int,
    total_steps: int,
) -> TrainConfig:
    """Return the settings of the training loop, except the chunk size, which needs a model."""
    said, hardware = settings.training, settings.hardware
    compiled = defaults.compiled(hardware.compile, device, total_steps)
    schedule = defaults.learning_rate_schedule(said.learning_rate_schedule, usual)
    with as_input_error():
        return TrainConfig(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=defaults.learning_rate(said.learning_rate, usual),
            learning_rate_schedule=schedule,
            kl_annealing=KLAnnealing(
                said.annealing,  # type: ignore[arg-type]
                duration=defaults.annealing_epochs(said.annealing_epochs, start, usual),
            ),
            z_kl_annealing=KLAnnealing(duration=said.style_annealing_epochs),
            temperature=_temperature(settings),
            patience=defaults.patience(said.patience, schedule),
            seed=said.seed,
            checkpoint_seconds=said.checkpoint_seconds,
            device=device,
            compile=compiled,
            record=hardware.compile != "off",
            precision=defaults.precision(hardware.precision, device, usual),
        )


def _temperature(settings: Settings) -> Schedule | None:
    model, duration = settings.model, settings.training.annealing_epochs
    if not isinstance(model, ConcreteSettings) or model.temperature_end is None:
        return None
    return Schedule(
        "linear",
        start=model.temperature,
        end=model.temperature_end,
        duration=KLAnnealing.duration if duration is None else duration,
    )


def _chunked(made: Plan, gmvae: GMVAE, settings: Settings, device: str) -> Plan:
    """Let the exact method sum as many clusters at a time as fit into memory."""
    assert isinstance(settings.model, ExactSettings)
    with forked_rng(seed=0):
        x = made.encoding(made.splits.train.x[: made.config.batch_size])
    size = defaults.chunk_size(settings.model.chunk_size, gmvae, x, device)
    return replace(made, config=replace(made.config, chunk_size=size))
