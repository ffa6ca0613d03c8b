"""Decide the structure of the model: its method, its networks and its likelihood."""

from __future__ import annotations

from typing import Any

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.case import Case, as_input_error
from pyro_gmvae.fitting.groups import SparseSettings
from pyro_gmvae.fitting.tables import structure_of
from pyro_gmvae.models import to_config
from pyro_gmvae.models.labels import LABEL_WEIGHT
from pyro_gmvae.networks import ConvSizes

__all__ = ["structure"]


def structure(case: Case) -> dict[str, Any]:
    """Return the structure of the model, as `pyro_gmvae.models.from_config` takes it.

    Args:
        case: what the decision is made from. A model to go on from keeps its own structure.

    Raises:
        InputError: for settings that do not fit one another or the rows.

    >>> from pyro_gmvae.data import load_splits
    >>> from pyro_gmvae.fitting.settings import Settings
    >>> settings = Settings.of("digits", clusters=3, method="exact")
    >>> found = structure(Case.of(settings, load_splits("digits", seed=0), None))
    >>> found["method"], found["n_components"], found["input_dim"]
    ('exact', 3, (1, 8, 8))
    """
    found = _new(case) if case.before is None else to_config(case.before.gmvae)
    if case.covariates is not None:
        found["n_covariates"] = len(case.covariates)
    if case.train.labels is not None:
        found["label_weight"] = LABEL_WEIGHT
    return found


def _new(case: Case) -> dict[str, Any]:
    model, kind = case.settings.model, case.train.kind
    network = defaults.cluster_network(
        model.cluster_network, kind, regularized=case.regularized, shared_trunk=model.shared_trunk
    )
    convolves = "conv" in (model.network, network)
    if convolves and not kind.convolves:
        raise InputError(
            f"the conv network is for images, not for {case.train.name}: use network mlp"
        )
    if model.channels is not None and not convolves:
        raise InputError("channels belong to the conv network: leave them out, or use network conv")
    options: dict[str, Any] = {}
    if model.channels is not None:
        with as_input_error():
            sizes = ConvSizes.for_images(*case.train.event_shape[1:], channels=model.channels)
        options["conv"] = sizes.to_config()
    own = model.passed()
    if isinstance(model, SparseSettings):
        own["drawn_share"] = defaults.drawn_share(model.drawn_share, regularized=case.regularized)
    table = None
    if case.laws:
        table = structure_of(case.encoding, case.train.x, correlated=case.support == "real")
        options["table"] = table.to_config()
    return {
        "method": model.method,
        "input_dim": case.encoding.model_shape,
        "n_components": model.clusters,
        "latent_dim": defaults.latent_dim(model.latent_dim, case.usual, table),
        "hidden": defaults.hidden(model.hidden, case.usual),
        "network": model.network,
        "cluster_network": network,
        "likelihood": case.likelihood,
        "shared_trunk": model.shared_trunk,
        "learn_mixture": defaults.learn_mixture(model.learn_mixture, regularized=case.regularized),
        **own,
        **options,
    }
