"""Make the model that the training loop takes: new, or after a start or the best of several."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.defaults import BEFORE
from pyro_gmvae.fitting.last_good import last_good_weights
from pyro_gmvae.fitting.numbering import number_as
from pyro_gmvae.fitting.plan import Plan, seeds_of
from pyro_gmvae.fitting.starts import CLUSTERINGS
from pyro_gmvae.fitting.starts.context import StartContext
from pyro_gmvae.fitting.starts.exact import begin_table
from pyro_gmvae.fitting.starts.gaussian_table import begin_gaussian_table
from pyro_gmvae.fitting.starts.imitation import imitate
from pyro_gmvae.fitting.starts.information import best_start
from pyro_gmvae.fitting.starts.membership import begin_membership
from pyro_gmvae.fitting.starts.mixture_fit import KnownRows
from pyro_gmvae.fitting.starts.registry import CONTINUED, GIVEN, RETAUGHT, start_from
from pyro_gmvae.models import GMVAE
from pyro_gmvae.process.alone import alone
from pyro_gmvae.training import Reporter, TrainConfig
from pyro_gmvae.training.device import make_accelerator
from pyro_gmvae.training.processes import broadcast

__all__ = ["begin"]


@alone
def begin(plan: Plan, config: TrainConfig, reporters: Sequence[Reporter] = ()) -> GMVAE:
    """Make the model that the training loop takes, after its start or the best of several starts.

    If there are labels, cluster k is label k.

    >>> from pyro_gmvae.data import load_splits
    >>> from pyro_gmvae.fitting.plan import plan
    >>> from pyro_gmvae.fitting.settings import Settings
    >>> settings = Settings.of("digits", clusters=3, hidden=(4,), initialization="random")
    >>> made = plan(settings, load_splits("digits", seed=0))
    >>> begin(made, made.config).n_components
    3
    """
    train, encoding = plan.splits.train, plan.encoding
    accelerator = make_accelerator(config.device or "cpu")
    gmvae = plan.make_model(config.seed or 0)
    with last_good_weights(plan, gmvae):
        if accelerator.is_main_process or not _starts_alone(plan, gmvae):
            gmvae = _started(plan, gmvae, config, reporters)
            for w in plan.given(train):
                q = FittedModel(gmvae.to(encoding.scale.device), encoding).responsibilities(train.x)
                begin_membership(gmvae, q, w, train.weights)
    broadcast(gmvae, accelerator.device)
    if train.labels is not None:
        known = train.labels >= 0
        gmvae.to(encoding.scale.device)
        rows = train.subset(known)
        model = FittedModel(gmvae, encoding, covariates=plan.covariates)
        found = model.responsibilities(rows.x, rows.w)
        number_as(train.labels[known], gmvae, found)
    return gmvae


def _starts_alone(plan: Plan, gmvae: GMVAE) -> bool:
    """Return True if no other process can help, for the start trains nothing by batches."""
    laws, named = gmvae.options["table"] is not None, (GIVEN, CONTINUED, RETAUGHT)
    return laws and plan.start.name in (*named, "mixture", "portfolio", "kmeans", "spectral")


def _started(plan: Plan, gmvae: GMVAE, config: TrainConfig, reporters: Sequence[Reporter]) -> GMVAE:
    """Let a new model begin as planned; a start by information gives another one."""
    start, train, encoding = plan.start, plan.splits.train, plan.encoding
    if start.name == BEFORE:
        assert plan.before is not None
        gmvae.load_state_dict(plan.before.gmvae.state_dict())
        return gmvae
    if start.name == "information":
        gmvae = best_start(
            plan.make_model,
            seeds_of(config.seed or 0, start.tries),
            train.x,
            config,
            epochs=start.epochs,
            must_link=train.must_link,
            weights=train.weights,
            transform=encoding,
            reporters=reporters,
        )
    context = StartContext(
        gmvae,
        train.x,
        config,
        transform=encoding,
        encode_mean=encoding.encode_mean,
        epochs=start.epochs,
        reporters=reporters,
        weights=train.weights,
        covariates=next(iter(plan.given(train)), None),
    )
    table = gmvae.options["table"]
    if table is not None and table.correlated:
        begin_gaussian_table(context, start.name, start.clusters)
    elif table is not None:
        known = KnownRows(train.labels, train.must_link)
        begin_table(context, start.name, start.clusters, known)
    elif start.name in CLUSTERINGS:
        start_from(start.name, context, steps=start.steps)
    elif start.clusters is not None and start.name == GIVEN:
        imitate(
            gmvae,
            train.x,
            start.clusters,
            config,
            weights=train.weights,
            transform=encoding,
            steps=start.steps,
        )
    return gmvae
