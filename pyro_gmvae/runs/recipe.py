"""Say by which settings and command a model was trained, in words that may be sent to others."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pyro_gmvae.fitting.groups import GROUPS, METHODS
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.visible import visible

__all__ = ["quoted", "select_command", "shared_settings", "train_command"]

FILES = ("data", "schema", "labels", "must_link")  # settings that are paths
FOLDERS = ("data_dir",)


def shared_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings without the folders of this machine; files keep their names.

    >>> shared_settings({"data": "/home/me/a.csv", "data_dir": "/home/me", "seed": 0})
    {'data': 'a.csv', 'seed': 0}
    """
    return {n: _without_folder(n, v) for n, v in settings.items() if n not in FOLDERS}


def train_command(settings: dict[str, Any]) -> str:
    """Write the command that trains by such settings; those that are the default are left out.

    >>> train_command(Settings.of("my data.csv", clusters=5, tensorboard=True).to_dict())
    "pyro-gmvae train 'my data.csv' --out RUN --clusters 5 --tensorboard"
    """
    return quoted(["train", settings["data"], "--out", "RUN", *_options(settings)])


def select_command(settings: dict[str, Any], folder: str) -> str:
    """Write the command that selects a number of clusters by such settings, around theirs.

    >>> select_command(Settings.of("my data.csv", clusters=5).to_dict(), "how-many")
    "pyro-gmvae select 'my data.csv' --clusters 2:10 --out how-many"
    """
    numbers = f"2:{max(2 * settings['clusters'], 10)}"
    others = _options(settings, without=("clusters", "tensorboard"))
    return quoted(["select", settings["data"], "--clusters", numbers, "--out", folder, *others])


def quoted(words: Sequence[str]) -> str:
    """Write a command of this program, of whose words a shell reads none as anything else.

    >>> quoted(["stability", "my run"])
    "pyro-gmvae stability 'my run'"
    """
    return " ".join(shlex.quote(visible(str(word))) for word in ["pyro-gmvae", *words])


def _options(settings: dict[str, Any], without: Collection[str] = ()) -> list[str]:
    """Write the settings that are not the default as options."""
    usual = Settings.of(settings["data"], method=settings["method"]).to_dict()
    options = []
    if settings["method"] != Settings.of(settings["data"]).method:
        options += ["--method", settings["method"]]
    for name, value in settings.items():
        if name in usual and value != usual[name] and name not in ("data", *FOLDERS, *without):
            options += _option(name, value)
    return options


def _option(name: str, value: Any) -> list[str]:
    """Write one setting as an option, by the name that the command line gives it."""
    flag, *off = _FLAGS.get(name) or (f"--{name.replace('_', '-')}",)
    if isinstance(value, bool):
        return [flag] if value else off
    if _KINDS.get(name) == "sizes":
        return [flag, ",".join(map(str, value))]
    if _KINDS.get(name) == "names":
        return [word for each in value for word in (flag, _as_csv(each))]
    if isinstance(value, list | tuple):
        return [word for each in value for word in (flag, str(each))]
    return [flag, str(value)]


def _as_csv(name: str) -> str:
    """Write a name so that it is one of a list with commas."""
    return f'"{name.replace(chr(34), 2 * chr(34))}"' if set(name) & set(',"') else name


_FIELDS = [
    described
    for group in (*GROUPS.values(), *METHODS.values())
    for described in fields(group)  # type: ignore[arg-type]
]
_KINDS = {described.name: described.metadata["kind"] for described in _FIELDS}
# The names of options that differ from those of the settings; "--on/--off" has both.
_FLAGS: dict[str, tuple[str, ...]] = {
    described.name: tuple(flag for pair in described.metadata["flags"] for flag in pair.split("/"))
    for described in _FIELDS
}


def _without_folder(name: str, value: Any) -> Any:
    return Path(value).name if name in FILES and isinstance(value, str) else value
