"""Read what a file holds, whoever wrote it: bytes up to a limit, and JSON of given types.

A file may be damaged, or come from a stranger. So its content is checked once, where it is read,
against the types that its reader expects; after that no other code has to doubt it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from reprlib import Repr
from types import NoneType, UnionType
from typing import Any, Literal, SupportsIndex, Union, get_args, get_origin, get_type_hints

from pyro_gmvae.errors import InputError

__all__ = [
    "MOST_BYTES",
    "DamagedError",
    "cut",
    "parse_json",
    "read_bytes",
    "shortened",
    "typed",
    "why_unwritable",
]

MOST_BYTES = 2**26  # of a text file: 64 MiB, as the names of a million columns take
MOST_TEXT = 2**16  # characters of one text
MOST_DEPTH = 32  # lists and objects within one another
MOST_INT = 2**63  # what torch and numpy take is below
# A NUL cannot be in a path, half of a surrogate pair in no text; but Python gives bytes of a file
# name that are no text as the halves from U+DC80 to U+DCFF.
UNWRITABLE = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
SHOWN = 80  # characters of a stored value in a message, or of another's message in ours
_repr = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = SHOWN


class DamagedError(InputError):
    """Say what is wrong with the content of a file.

    The message is the reason alone. The reader of the file adds its name and the fix.

    >>> parse_json(b"[1")
    Traceback (most recent call last):
        ...
    pyro_gmvae.stored.DamagedError: ...
    """


def shortened(value: Any) -> str:
    """Return the ``repr`` of a stored value, which may be huge, for a message.

    >>> len(shortened("x" * 1000))
    80
    """
    return _repr.repr(value)


def cut(message: object) -> str:
    """Return the beginning of a message that may quote a stored value at length.

    >>> len(cut("x" * 1000))
    243
    """
    text = " ".join(str(message).split())
    return text if len(text) <= 3 * SHOWN else f"{text[: 3 * SHOWN]}..."


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Read a file, but no more than it may hold.

    Args:
        path: the file.
        most: the most bytes that it may hold.

    Raises:
        DamagedError: if the file is larger.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.json"
    ...     _ = path.write_bytes(b"[1]")
    ...     read_bytes(path)
    b'[1]'
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise DamagedError(f"it is larger than {most:,} bytes")
    return content


def parse_json(content: bytes | str) -> Any:
    """Parse JSON in UTF-8 whose objects name nothing twice.

    Raises:
        DamagedError: if it is not that, or is nested too deeply.

    >>> parse_json(b'{"size": 3}')
    {'size': 3}
    """
    try:
        text = content if isinstance(content, str) else content.decode()
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise DamagedError("it is nested too deeply") from None
    except DamagedError:
        raise
    except ValueError as error:  # no UTF-8, no JSON, or a number of thousands of digits
        raise DamagedError(cut(error)) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DamagedError("an object names an entry twice")
    return found


def typed(hint: Any, value: Any, name: str) -> Any:
    """Return a JSON value as a type has it, or refuse it.

    Args:
        hint: a plain type, a dataclass, ``Literal``, ``Any`` for any JSON value, or tuples, lists,
            dicts and unions of these. Sequences become tuples. A number of type ``float`` may be
            an int, NaN or infinite.
        value: the value.
        name: the name of the value in messages.

    Raises:
        DamagedError: naming the value that is of another type.

    >>> typed(tuple[int, ...] | None, [3, 4], "sizes")
    (3, 4)
    >>> typed(int, "3", "size")
    Traceback (most recent call last):
    pyro_gmvae.stored.DamagedError: size is '3', which is no int
    """
    if hint is Any:
        return _plain(value, name)
    if hint in _SCALARS:
        return _scalar(hint, value, name)
    if is_dataclass(hint):
        return _made(hint, value, name)
    kind, arguments = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return _one_of(arguments, value, name)
    if kind is Literal and any(value == a and type(value) is type(a) for a in arguments):
        return value
    if kind in (tuple, list, Sequence) and isinstance(value, list | tuple):
        entries = [typed(arguments[0], entry, name) for entry in value]
        return entries if kind is list else tuple(entries)
    if kind in (dict, Mapping) and isinstance(value, dict):
        key, entry = arguments
        return {typed(key, k, name): typed(entry, v, f"{name}.{_key(k)}") for k, v in value.items()}
    raise _misfit(hint, value, name)


# What a value may be where one of these is wanted. The truth values are no numbers.
_SCALARS: dict[Any, type | tuple[type, ...]] = {
    bool: bool,
    int: int,
    SupportsIndex: int,
    float: (int, float),
    str: str,
    None: NoneType,
    NoneType: NoneType,
}


def _scalar(hint: Any, value: Any, name: str) -> Any:
    if not isinstance(value, _SCALARS[hint]) or (isinstance(value, bool) and hint is not bool):
        raise _misfit(hint, value, name)
    if isinstance(value, int) and not -MOST_INT <= value < MOST_INT:
        raise DamagedError(f"{name} is {shortened(value)}, a number with too many digits")
    if isinstance(value, str) and (why := why_unwritable(value)) is not None:
        raise DamagedError(f"{name} is {why}")
    return value


def why_unwritable(text: str) -> str | None:
    """Say why a text cannot be stored; None if it can.

    >>> why_unwritable("gold"), why_unwritable("x" * 70_000)
    (None, 'a text of 70,000 characters')
    """
    if len(text) > MOST_TEXT:
        return f"a text of {len(text):,} characters"
    if UNWRITABLE.search(text):
        return f"{shortened(text)}, which no text may hold"
    return None


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _made(kind: Any, value: Any, name: str) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, dict):
        raise _misfit(kind, value, name)
    hints = _hints(kind)
    if unknown := value.keys() - hints.keys():
        raise DamagedError(f"{name} has an unknown entry {shortened(min(unknown))}")
    for described in fields(kind):
        optional = described.default is not MISSING or described.default_factory is not MISSING
        if described.name not in value and not optional:
            raise DamagedError(f"{name} lacks the entry {described.name!r}")
    return kind(**{n: typed(hints[n], v, f"{name}.{n}") for n, v in value.items()})


def _one_of(hints: Sequence[Any], value: Any, name: str) -> Any:
    refusals = []
    for hint in hints:
        try:
            return typed(hint, value, name)
        except DamagedError as error:
            if hint not in (None, NoneType):  # that another type was wanted says more
                refusals.append(error)
    raise refusals[-1]


def _plain(value: Any, name: str, depth: int = 0) -> Any:
    if depth > MOST_DEPTH:
        raise DamagedError(f"{name} is nested too deeply")
    if isinstance(value, list | tuple):
        return [_plain(entry, name, depth + 1) for entry in value]
    if isinstance(value, dict):
        return {_scalar(str, k, name): _plain(v, name, depth + 1) for k, v in value.items()}
    kind = NoneType if value is None else type(value)
    if kind not in _SCALARS:
        raise DamagedError(f"{name} holds {shortened(value)}, which is no JSON")
    return _scalar(kind, value, name)


def _key(key: Any) -> str:
    return str(key)[:40]


def _misfit(hint: Any, value: Any, name: str) -> DamagedError:
    wanted = getattr(hint, "__name__", None) if get_origin(hint) is None else None
    words = str(hint).replace("typing.", "").replace("collections.abc.", "")
    return DamagedError(f"{name} is {shortened(value)}, which is no {wanted or words}")
