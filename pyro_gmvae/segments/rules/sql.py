"""Write rules as a ``CASE`` expression of standard SQL."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_gmvae.data.schema import shown_number
from pyro_gmvae.errors import InputError
from pyro_gmvae.segments.rules.conditions import Condition
from pyro_gmvae.stored import shortened

__all__ = ["case_of", "identifier", "literal", "predicate"]


def identifier(name: str) -> str:
    r"""Quote the name of a column, whatever its characters.

    Raises:
        InputError: for a name that holds NUL, which no database takes.

    >>> print(identifier('the "best" one'))
    "the ""best"" one"
    """
    return '"' + _checked(name).replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text, whatever its characters.

    Raises:
        InputError: for a text that holds NUL.

    >>> print(literal("O'Neill"))
    'O''Neill'
    """
    return "'" + _checked(text).replace("'", "''") + "'"


def _checked(text: str) -> str:
    if "\0" in text:
        raise InputError(
            f"{shortened(text)} holds the character NUL, which SQL cannot: rename it and train "
            "again"
        )
    return text


def predicate(condition: Condition) -> str:
    """Write a condition so that it is true for exactly the cells that meet it; a gap is NULL.

    >>> print(predicate(Condition("age", 0, "number", low=30.0)))
    ("age" > 30 OR "age" IS NULL)
    >>> print(predicate(Condition("age", 0, "number", low=30.0, missing=False)))
    "age" > 30
    """
    name = identifier(condition.column)
    if condition.levels and condition.low is None and condition.high is None:
        return _of_levels(name, condition)
    if not condition.known:
        return f"{name} IS NULL"
    parts = []
    if condition.low is not None:
        parts.append(f"{name} > {_bound(condition, condition.low)}")
    if condition.high is not None:
        parts.append(f"{name} <= {_bound(condition, condition.high)}")
    if not parts:
        return f"{name} IS NOT NULL"
    text = " AND ".join(parts)
    if not condition.missing:
        return text  # a comparison with NULL is not true
    return f"({f'({text})' if len(parts) > 1 else text} OR {name} IS NULL)"


def _of_levels(name: str, condition: Condition) -> str:
    """Name the levels that meet a condition, or those that do not.

    A level that the model does not know is a gap to it, and so are words such as ``NA``. All go
    where NULL goes.
    """
    met, others = condition.taken
    if condition.missing:
        return f"({_among(name, condition, others, ('<>', 'NOT IN'))} OR {name} IS NULL)"
    return _among(name, condition, met, ("=", "IN"))


def _among(name: str, condition: Condition, levels: Sequence[float], words: tuple[str, str]) -> str:
    one, several = words
    named = [_level(condition, level) for level in levels]
    return (
        f"{name} {one} {named[0]}" if len(named) == 1 else f"{name} {several} ({', '.join(named)})"
    )


def case_of(rules: Sequence[tuple[Sequence[Condition], int]]) -> str:
    """Write rules, of which each row meets one, as a ``CASE`` that gives the segment.

    Args:
        rules: conditions that a row has to meet, and the segment that it is then in.

    >>> old = Condition("age", 0, "number", low=60.0, missing=False)
    >>> young = Condition("age", 0, "number", high=60.0)
    >>> print(case_of([([old], 1), ([young], 0)]))
    CASE
      WHEN "age" > 60 THEN 1
      WHEN ("age" <= 60 OR "age" IS NULL) THEN 0
    END
    """
    lines = []
    for conditions, segment in rules:
        asked = [predicate(c) for c in conditions if not c.asks_nothing]
        # Every row meets a rule that asks nothing; no literal for truth is known to all databases.
        lines.append(f"  WHEN {' AND '.join(asked) or '1 = 1'} THEN {segment}")
    return "\n".join(["CASE", *lines, "END"])


def _bound(condition: Condition, bound: float) -> str:
    if condition.cells != "date":
        return shown_number(bound)
    time = condition.time_of(bound)
    return f"{'DATE' if len(time) == 10 else 'TIMESTAMP'} '{time}'"


def _level(condition: Condition, level: float) -> str:
    name = condition.name_of(level)
    return {"boolean": name.upper, "text": lambda: literal(name)}.get(
        condition.cells, lambda: name
    )()
