"""Describe and check single settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import Field, field, fields
from typing import Any, Literal

from pyro_gmvae.errors import InputError
from pyro_gmvae.ranges import MOST_WIDTH, OutOfRange, plain, real, shown, whole, widths

__all__ = ["Checked", "SettingError", "choices_of", "knob"]

Kind = Literal["int", "float", "text", "texts", "names", "word", "flag", "sizes", "file"]


class SettingError(InputError):
    """Report a setting with a value that is not allowed.

    Attributes:
        name: the setting.
        reason: what is wrong with it, as text that follows the name.

    >>> error = SettingError("latent_dim", "must be at least 1, got 0")
    >>> str(error), error.name
    ('latent dim must be at least 1, got 0', 'latent_dim')
    """

    def __init__(self, name: str, reason: str, shown: str | None = None) -> None:
        super().__init__(f"{shown or name.replace('_', ' ')} {reason}")
        self.name = name
        self.reason = reason
        self.shown = shown

    def __reduce__(self) -> tuple[type[SettingError], tuple[str, str, str | None]]:
        # A worker process sends its errors pickled.
        return type(self), (self.name, self.reason, self.shown)


def knob(
    default: Any,
    kind: Kind,
    help: str,
    *,
    choices: Sequence[str] | Callable[[], Sequence[str]] | None = None,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
    unset: str | None = None,
    metavar: str | None = None,
    flags: tuple[str, ...] = (),
    resumable: bool = False,
    passed: bool = False,
) -> Any:
    """Describe a setting.

    Args:
        default: its value if the user sets none; None leaves it to the plan.
        kind: the type of its value; several ``"texts"``, or ``"names"``, are a tuple.
        help: the help line of its option.
        choices: the words that are allowed.
        least, above, below, most: the range of a number; that of sizes is from 1 to `MOST_WIDTH`.
        unset: the meaning of None, for the help line.
        metavar: what the help line shows for a value.
        flags: the option's names where they are not the setting's.
        resumable: whether a resumed training may change it.
        passed: whether the model of the method takes it as it is.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Ovens(Checked):
    ...     heat: float = knob(180, "float", "Temperature of the oven.", least=0, metavar="C")
    >>> Ovens().heat, Ovens.__dataclass_fields__["heat"].metadata["metavar"]
    (180.0, 'C')
    """
    if kind == "sizes":
        least, most = 1, MOST_WIDTH
    return field(
        default=default,
        metadata={
            "kind": kind,
            "help": help,
            "choices": choices,
            "least": least,
            "above": above,
            "below": below,
            "most": most,
            "unset": unset,
            "metavar": metavar,
            "flags": flags,
            "resumable": resumable,
            "passed": passed,
        },
    )


def choices_of(described: Field[Any]) -> tuple[str, ...]:
    """Return the words that a setting allows.

    >>> choices_of(knob("rye", "text", "Bread.", choices=("rye", "wheat")))
    ('rye', 'wheat')
    """
    choices = described.metadata["choices"]
    return tuple(choices() if callable(choices) else choices)


class Checked:
    """Check every field of a group by its metadata.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Ovens(Checked):
    ...     heat: float = knob(180, "float", "Temperature of the oven.", least=0, metavar="C")
    >>> Ovens(heat=200).heat
    200.0
    >>> Ovens(heat=-5)
    Traceback (most recent call last):
    pyro_gmvae.fitting.knobs.SettingError: heat must be at least 0, got -5.0
    """

    def __post_init__(self) -> None:
        for described in fields(self):  # type: ignore[arg-type]
            value = checked(described, getattr(self, described.name))
            object.__setattr__(self, described.name, value)


def checked(described: Field[Any], value: Any) -> Any:
    """Return a plain value of the field's kind, or raise a `SettingError`."""
    if value is None and described.default is None:
        return None
    name, meta = described.name, described.metadata
    kind: Kind = meta["kind"]
    value = plain(value)
    if meta["choices"] is not None:
        choices = choices_of(described)
        if not isinstance(value, str) or value not in choices:
            raise SettingError(name, f"must be one of {', '.join(choices)}, got {shown(value)}")
        return _plain_text(value)
    if kind in ("text", "file"):
        if not isinstance(value, str):
            raise SettingError(name, f"must be text, got {shown(value)}")
        return _plain_text(value)
    if kind in ("texts", "names"):
        several = (value,) if isinstance(value, str) else value
        if not isinstance(several, list | tuple) or not all(isinstance(v, str) for v in several):
            raise SettingError(name, f"must be a list of texts, got {shown(value)}")
        return tuple(map(_plain_text, several))
    if kind == "flag":
        if not isinstance(value, bool):
            raise SettingError(name, f"must be True or False, got {shown(value)}")
        return value
    bounds = {which: meta[which] for which in ("least", "above", "below", "most")}
    try:
        if kind == "sizes":
            return widths(name, value)
        return whole(name, value, **bounds) if kind == "int" else real(name, value, **bounds)
    except OutOfRange as error:
        raise SettingError(name, error.reason) from None


def _plain_text(value: str) -> str:
    # A subclass may say anything of itself when it is written; its characters are asked for.
    return str.__str__(value)
