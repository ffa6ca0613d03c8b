"""Make command line options from the settings of a training."""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import Field, fields
from typing import Any

import click
from click.core import ParameterSource

from pyro_gmvae.fitting.groups import GROUPS, METHODS, ModelSettings
from pyro_gmvae.fitting.knobs import choices_of
from pyro_gmvae_cli.options import Decorator, GroupedOption, absolute_path

__all__ = ["given_settings", "named_settings", "training_settings"]

# The sections of the help by group of settings; MOVED names the settings that go elsewhere.
SECTIONS = {"data": "Data", "start": "Clusters", "training": "Training", "hardware": "Hardware"}
MOVED = {
    **dict.fromkeys(
        ("covariate", "schema", "column", "drop", "columns", "column_weight"), "Columns of a table"
    ),
    "clusters": "Clusters",
    "chunk_size": "Hardware",
    "augment": "Data",
    "tensorboard": "Output",
    "seed": "Training",
}
# These settings, which most first trainings need, are shown first.
FIRST_WEEK = ("clusters", "method", "epochs", "label_column", "labels", "seed")
SHORT = {"clusters": ("-k",)}


class Sizes(click.ParamType):
    """Read sizes such as ``512,512``."""

    name = "sizes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Turn the text into a tuple of ints."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(size) for size in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of sizes such as 512,512", param, ctx)


class Names(click.ParamType):
    """Read names such as ``age,spend``; one that holds a comma is put in double quotes."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Turn the text into a tuple of names."""
        if isinstance(value, tuple):
            return value
        try:
            rows = list(csv.reader([value], skipinitialspace=True, strict=True))
        except csv.Error as error:
            self.fail(f"{value!r} is not a list of names such as age,spend ({error})", param, ctx)
        names = tuple(name.strip() for row in rows for name in row)
        if not names or not all(names):
            self.fail(f"{value!r} is not a list of names such as age,spend", param, ctx)
        return names

    def split_envvar_value(self, rv: str) -> list[str]:
        """Keep a variable whole, for names hold blanks."""
        return [rv]


def _joined(
    ctx: click.Context, param: click.Parameter, value: tuple[tuple[str, ...], ...]
) -> tuple[str, ...]:
    """Join the names of an option that is given several times."""
    return tuple(name for names in value for name in names)


def training_settings(
    *, without: Collection[str] = (), only: Collection[str] | None = None
) -> Decorator:
    """Add an option for every setting of a training, or for some, but those named."""
    names = [n for n in _OPTIONS if n not in without and (only is None or n in only)]

    def decorate(command: Any) -> Any:
        for option in reversed([_OPTIONS[name] for name in names]):
            command = option(command)
        return command

    return decorate


def named_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out the settings that nobody named; the library has their defaults."""
    return {name: value for name, value in values.items() if value is not None}


def given_settings(ctx: click.Context) -> dict[str, Any]:
    """Return the settings that the user named on the command line or by the environment."""
    named = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    names = ["method", *_OPTIONS]
    return {n: ctx.params[n] for n in names if ctx.get_parameter_source(n) in named}


def _method() -> Decorator:
    return click.option(
        "--method",
        cls=GroupedOption,
        section="First steps",
        type=click.Choice(list(METHODS)),
        default=next(iter(METHODS)),
        show_default=True,
        help="How clusters are inferred; the cost of exact grows with their number.",
    )


def _option(described: Field[Any], section: str, *, of_method: bool) -> Decorator:
    """Make the option of a setting; one that a single method has is None unless it is named."""
    meta, name = described.metadata, described.name
    more: dict[str, Any] = {"default": None if of_method else described.default}
    kind = meta["kind"]
    shown = meta["unset"] or (described.default if of_method else None)
    flags = meta["flags"] or (*SHORT.get(name, ()), f"--{name.replace('_', '-')}")
    if meta["choices"] is not None:
        more["type"] = click.Choice(choices_of(described))
    elif kind == "flag":
        more |= {} if meta["flags"] else {"is_flag": True}
    elif kind == "sizes":
        more["type"] = Sizes()
    elif kind == "names":
        more |= {"type": Names(), "multiple": True, "callback": _joined}
    elif kind == "texts":
        more |= {"type": str, "multiple": True}
    elif kind == "file":
        more |= {"type": str, "callback": absolute_path, "metavar": "FILE"}
    else:
        more["type"] = {"int": int, "float": float}.get(kind, str)
    if meta["metavar"]:
        more["metavar"] = meta["metavar"]
    known = more["default"] not in (None, ()) and kind != "flag"
    suffix = "" if shown is None else f"  [default: {shown}]"
    return click.option(
        *flags,
        name,
        cls=GroupedOption,
        section="First steps" if name in FIRST_WEEK else MOVED.get(name, section),
        help=meta["help"] + suffix,
        show_default=known,
        **more,
    )


def _all_options() -> dict[str, Decorator]:
    options = {"method": _method()}
    shared = {f.name for f in fields(ModelSettings)}
    for described in fields(ModelSettings):
        options[described.name] = _option(described, "Model", of_method=False)
    for group in METHODS.values():
        for described in fields(group):
            if described.name not in shared:
                options[described.name] = _option(described, "Model", of_method=True)
    for place, settings in GROUPS.items():
        for described in fields(settings):  # type: ignore[arg-type]
            options[described.name] = _option(described, SECTIONS[place], of_method=False)
    return options


_OPTIONS = _all_options()
