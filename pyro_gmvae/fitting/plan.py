"""Turn settings and data into a plan: every decision of a training, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.about import About
from pyro_gmvae.data import Dataset, Encoding, Splits
from pyro_gmvae.data.covariates import CovariateDesign
from pyro_gmvae.data.transformations import Transformation
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.capacity import check_capacity
from pyro_gmvae.fitting.case import Case, as_input_error
from pyro_gmvae.fitting.groups import ExactSettings
from pyro_gmvae.fitting.pace import Pace, train_config
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts.registry import GIVEN, check_start
from pyro_gmvae.fitting.structure import structure
from pyro_gmvae.models import GMVAE, Regularizer, from_config
from pyro_gmvae.models.labels import check_label_rows
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
    case = Case.of(settings, splits, before)
    if clusters is not None and splits.train.weights is not None:
        clusters = clusters[splits.train.weights > 0]
    train, training = case.train, settings.training
    augment = train.kind.augmentation(train, training.augment)
    pace = Pace.of(case)
    start = _start(case, pace, clusters)
    several = defaults.starts(settings.start.starts, start.name, case.splits.n_trained)
    # Starts by information are compared before one training; of the others, whole trainings are.
    tries, trainings = (several, 1) if start.name == "information" else (1, several)
    holds = _holds(case, start)
    # Held and freed clusters have a graph each, and one decision whether to compile.
    config = train_config(case, pace, start.name, trainings=len(holds))

    made = Plan(
        splits=case.splits,
        encoding=case.encoding,
        augment=augment,
        regularizer=case.regularizer,
        model=structure(case),
        config=config,
        start=replace(start, tries=tries),
        seeds=seeds_of(training.seed, trainings),
        about=About(
            name=train.name,
            settings=settings.to_dict(),
            class_names=train.class_names,
            fingerprint=splits.fingerprint(),
            known_rows=splits.known_rows(),
            streamed_rows=None if splits.stream is None else splits.n_trained,
        ),
        holds=holds,
        before=before,
        covariates=case.covariates,
    )
    with as_input_error():
        check_capacity(made.model, case.device)
        gmvae = made.make_model(training.seed)
    return _chunked(made, gmvae, case) if gmvae.method == "exact" else made


def seeds_of(seed: int, n: int) -> tuple[int, ...]:
    """Return the seeds of ``n`` trainings: its own, and others that no other training has.

    >>> seeds = seeds_of(7, 3)
    >>> seeds[0], len(set(seeds)), seeds == seeds_of(7, 3)
    (7, 3, True)
    """
    others = torch.randint(2**62, (n - 1,), generator=torch.Generator().manual_seed(seed))
    return (seed, *others.tolist())


def _start(case: Case, pace: Pace, clusters: Tensor | None) -> StartPlan:
    """Decide how the training begins; given clusters come before what the settings name."""
    train, said, k = case.train, case.settings.start, case.settings.model.clusters
    if clusters is not None:
        check_label_rows(clusters, len(train), k)
        name = GIVEN
    else:
        name = defaults.start(
            said.initialization,
            train.kind,
            train.event_shape,
            case.support,
            regularized=case.regularized,
            taught=case.known,
            covariates=train.covariates is not None,
        )
        check_start(name, regularized=case.regularized)
    if k == 1:
        name = "random"  # one cluster has nowhere else to begin
    if case.before is not None:
        name = defaults.BEFORE
    steps = defaults.start_steps(train, case.usual, pace.total_steps)
    return StartPlan(
        name, tries=1, epochs=said.initialization_epochs, steps=steps, clusters=clusters
    )


def _holds(case: Case, start: StartPlan) -> tuple[bool, ...]:
    """Decide whether q(y|x) stays as it begins; both ways are tried where neither is known."""
    model = case.settings.model
    return defaults.holds(
        case.settings.start.clusters_are,
        model.method,
        case.splits.n_trained,
        start.name,
        mixed=case.laws and case.support == "mixed",
        taught=case.regularized or case.known,
        shared_trunk=model.shared_trunk,
        before=None if case.before is None else bool(case.before.about.held),
        covariates=case.covariates is not None,
    )


def _chunked(made: Plan, gmvae: GMVAE, case: Case) -> Plan:
    """Let the exact method sum as many clusters at a time as fit into memory."""
    model = case.settings.model
    assert isinstance(model, ExactSettings)
    with forked_rng(seed=0):
        x = made.encoding(made.splits.train.x[: made.config.batch_size])
    size = defaults.chunk_size(model.chunk_size, gmvae, x, case.device)
    return replace(made, config=replace(made.config, chunk_size=size))
