"""Say how the model of a report was made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pyro_gmvae.data import Schema
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.runs.recipe import shared_settings, train_command

__all__ = ["Origin", "origin_of", "versions"]

PACKAGES = ("pyro-gmvae", "torch", "pyro-ppl", "numpy", "pandas", "scikit-learn")


@dataclass(frozen=True)
class Origin:
    """Hold how a model was made.

    Attributes:
        method, n_components, latent_dim, likelihood: the model.
        settings: the settings of the training that are known, by name.
        fingerprint: the digest of the training rows.
        stopped, n_steps, seconds: how the training ended, and how long it took.
        columns: the columns: name, kind, share of gaps, weight, and why it is of that kind.
        left_out: the columns that were left out, and why.
        versions: the versions of the packages that wrote the report.
        command: the command that trains such a model, or None.
        sample: how stable the clusters are in the number of rows, if they are those of a sample.
        covariates: the columns that the clusters depend on and are not made of.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> origin = origin_of(fitted)
    >>> origin.method, origin.n_components, origin.to_dict()["latent_dim"]
    ('exact', 2, 1)
    """

    method: str
    n_components: int
    latent_dim: int
    likelihood: str
    settings: dict[str, Any]
    fingerprint: str | None
    stopped: str | None
    n_steps: int | None
    seconds: float | None
    columns: tuple[dict[str, Any], ...]
    left_out: tuple[dict[str, str], ...]
    versions: dict[str, str]
    command: str | None = None
    sample: str | None = None
    covariates: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        names = ("columns", "left_out", "covariates")
        lists = {name: list(getattr(self, name)) for name in names}
        return asdict(self) | lists


def versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on.

    >>> sorted(versions())[:2]
    ['numpy', 'pandas']
    """
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # a source tree that was not installed
    return found


def origin_of(fitted: FittedModel) -> Origin:
    """Gather how a model was made from what it says of itself.

    Folders are left out of the names of files, for a report is sent to others.

    Args:
        fitted: the model.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> origin = origin_of(fitted)
    >>> origin.likelihood, origin.command  # it was not trained from a named source
    ('gaussian', None)
    """
    about, schema = fitted.about, fitted.encoding.schema
    settings = shared_settings(about.settings or {})
    return Origin(
        fitted.gmvae.method,
        fitted.gmvae.n_components,
        fitted.gmvae.latent_dim,
        str(fitted.gmvae.options["likelihood"]),
        {name: value for name, value in settings.items() if value not in (None, "", [], ())},
        about.fingerprint,
        about.stopped,
        about.n_steps,
        about.seconds,
        () if schema is None else _columns(schema),
        () if schema is None else tuple(schema.left_out_config()),
        versions(),
        None if settings.get("data") is None else train_command(settings),
        None if about.sample is None else about.sample.sentence,
        () if fitted.covariates is None else fitted.covariates.names,
    )


def _columns(schema: Schema) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"name": name, "kind": c.kind, "gaps": c.gaps, "weight": c.weight, "why": c.why}
        for name, c in zip(schema.shown_names, schema.columns, strict=True)
    )
