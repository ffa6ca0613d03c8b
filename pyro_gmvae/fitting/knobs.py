"""Describe and check single settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, field, fields
from math import isfinite
from numbers import Integral, Real
from typing import Any, Literal

from pyro_gmvae.errors import InputError

__all__ = ["Checked", "SettingError", "choices_of", "knob"]

Kind = Literal["int", "float", "text", "word", "flag", "sizes", "file"]


class SettingError(InputError):
    """Report a setting with a value that is not allowed.

    Attributes:
        name: the setting.
        reason: what is wrong with it, as text that follows the name.
    """

    def __init__(self, name: str, reason: str, shown: str | None = None) -> None:
        super().__init__(f"{shown or name.replace('_', ' ')} {reason}")
        self.name = name
        self.reason = reason


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
        kind: the type of its value.
        help: the help line of its option.
        choices: the words that are allowed.
        least, above, below, most: the range of a number, or of each of several sizes.
        unset: the meaning of None, for the help line.
        metavar: what the help line shows for a value.
        flags: the option's names where they are not the setting's.
        resumable: whether a resumed training may change it.
        passed: whether the model of the method takes it as it is.
    """
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
    """Return the words that a setting allows."""
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
    if meta["choices"] is not None:
        if value not in choices_of(described):
            known = ", ".join(choices_of(described))
            raise SettingError(name, f"must be one of {known}, got {value!r}")
        return value
    if kind in ("text", "file"):
        if not isinstance(value, str):
            raise SettingError(name, f"must be text, got {value!r}")
        return value
    if kind == "flag":
        if not isinstance(value, bool):
            raise SettingError(name, f"must be True or False, got {value!r}")
        return value
    if kind == "sizes":
        return _checked_sizes(name, value, meta)
    if kind == "int":
        if not _is_number(value, Integral):
            raise SettingError(name, f"must be an int, got {value!r}")
        value = int(value)
    elif not _is_number(value, Real) or not isfinite(value):
        raise SettingError(name, f"must be a number, got {value!r}")
    else:
        value = float(value)
    _check_range(name, value, meta)
    return value


def _checked_sizes(name: str, value: Any, meta: Mapping[str, Any]) -> tuple[int, ...]:
    try:
        sizes = list(value)
    except TypeError:
        sizes = [None]
    if any(not _is_number(size, Integral) for size in sizes):
        raise SettingError(name, f"must be ints, such as (128, 128), got {value!r}")
    if not sizes:
        raise SettingError(name, "must have one size at least")
    plain = tuple(int(size) for size in sizes)
    for size in plain:
        _check_range(name, size, meta)
    return plain


def _check_range(name: str, value: float, meta: Mapping[str, Any]) -> None:
    bounds = {
        "least": (lambda bound: value >= bound, "at least {}"),
        "above": (lambda bound: value > bound, "above {}"),
        "below": (lambda bound: value < bound, "below {}"),
        "most": (lambda bound: value <= bound, "at most {}"),
    }
    given = {which: meta[which] for which in bounds if meta[which] is not None}
    if all(bounds[which][0](bound) for which, bound in given.items()):
        return
    wanted = " and ".join(bounds[which][1].format(f"{bound:g}") for which, bound in given.items())
    raise SettingError(name, f"must be {wanted}, got {value}")


def _is_number(value: Any, kind: type) -> bool:
    """Return True for a number of a kind; True and False are no numbers."""
    return isinstance(value, kind) and not isinstance(value, bool)
