"""Say how the model of a report was made."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pyro_gmvae.data import Schema
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.groups import GROUPS, METHODS
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.visible import visible

__all__ = ["Origin", "origin_of", "train_command", "versions"]

PACKAGES = ("pyro-gmvae", "torch", "pyro-ppl", "numpy", "pandas", "scikit-learn")
FILES = ("data", "schema", "labels", "must_link")  # settings that are paths
FOLDERS = ("data_dir",)


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

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        lists = {"columns": list(self.columns), "left_out": list(self.left_out)}
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
    """
    about, schema = fitted.about, getattr(fitted.encoding, "schema", None)
    settings = {n: _without_folder(n, v) for n, v in (about.settings or {}).items()}
    return Origin(
        fitted.gmvae.method,
        fitted.gmvae.n_components,
        fitted.gmvae.latent_dim,
        str(fitted.gmvae.options["likelihood"]),
        {n: v for n, v in settings.items() if v not in (None, [], "") and n not in FOLDERS},
        about.fingerprint,
        about.stopped,
        about.n_steps,
        about.seconds,
        () if schema is None else _columns(schema),
        () if schema is None else tuple(schema.left_out_config()),
        versions(),
        None if settings.get("data") is None else train_command(settings),
    )


def train_command(settings: dict[str, Any]) -> str:
    """Write the command that trains by such settings; those that are the default are left out.

    >>> train_command(Settings.of("my data.csv", clusters=5, tensorboard=True).to_dict())
    "pyro-gmvae train 'my data.csv' --out RUN --clusters 5 --tensorboard"
    """
    usual = Settings.of(settings["data"], method=settings["method"]).to_dict()
    options = []
    if settings["method"] != Settings.of(settings["data"]).method:
        options += ["--method", settings["method"]]
    for name, value in settings.items():
        if name in usual and value != usual[name] and name not in ("data", *FOLDERS):
            options += _option(name, value)
    words = ["pyro-gmvae", "train", settings["data"], "--out", "RUN", *options]
    return " ".join(shlex.quote(visible(str(word))) for word in words)


def _option(name: str, value: Any) -> list[str]:
    """Write one setting as an option, by the name that the command line gives it."""
    flag, *off = _FLAGS.get(name) or (f"--{name.replace('_', '-')}",)
    if isinstance(value, bool):
        return [flag] if value else off
    if name in ("hidden", "channels"):
        return [flag, ",".join(map(str, value))]
    if isinstance(value, list | tuple):
        return [word for each in value for word in (flag, str(each))]
    return [flag, str(value)]


# The names of options that differ from those of the settings; "--on/--off" has both.
_FLAGS: dict[str, tuple[str, ...]] = {
    described.name: tuple(flag for pair in described.metadata["flags"] for flag in pair.split("/"))
    for group in (*GROUPS.values(), *METHODS.values())
    for described in fields(group)  # type: ignore[arg-type]
}


def _without_folder(name: str, value: Any) -> Any:
    return Path(value).name if name in FILES and isinstance(value, str) else value


def _columns(schema: Schema) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"name": name, "kind": c.kind, "gaps": c.gaps, "weight": c.weight, "why": c.why}
        for name, c in zip(schema.shown_names, schema.columns, strict=True)
    )
