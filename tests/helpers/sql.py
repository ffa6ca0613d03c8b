"""Run rules in SQLite on the rows of a data frame."""

from __future__ import annotations

import re
import sqlite3

import numpy as np
import pandas


def segments_by_sql(frame: pandas.DataFrame, case: str) -> np.ndarray:
    """The segment that a ``CASE`` expression gives each row; -1 where it gives none.

    SQLite keeps dates as text and has no ``DATE`` literals, whose keyword is taken out.
    """
    case = re.sub(r"\b(?:DATE|TIMESTAMP) ('[0-9-]{10}(?: [0-9:]{8})?')", r"\1", case)
    names = [str(name).replace('"', '""') for name in frame.columns]
    with sqlite3.connect(":memory:") as database:
        columns = ", ".join(f'"{name}"' for name in names)
        database.execute(f"CREATE TABLE t ({columns})")
        marks = ", ".join("?" * len(names))
        rows = [tuple(map(_cell, row)) for row in frame.itertuples(index=False, name=None)]
        database.executemany(f"INSERT INTO t VALUES ({marks})", rows)
        found = database.execute(f"SELECT {case} FROM t ORDER BY rowid").fetchall()
        assert database.execute("SELECT count(*) FROM t").fetchone() == (len(frame),)
    return np.array([-1 if value is None else value for (value,) in found])


def _cell(value: object) -> object:
    if value is None or value is pandas.NaT or value is pandas.NA or value != value:
        return None
    if isinstance(value, pandas.Timestamp):
        return value.strftime("%Y-%m-%d" if value == value.normalize() else "%Y-%m-%d %H:%M:%S")
    return value.item() if isinstance(value, np.generic) else value
