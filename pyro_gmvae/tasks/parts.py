"""Write a long table as a folder of Parquet parts, which a killed command can go on with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import unwritable, written_whole
from pyro_gmvae.files.locks import LOCK_FILES, locked
from pyro_gmvae.files.whole import is_partial
from pyro_gmvae.stored import DamagedError, parse_json, read_bytes

if TYPE_CHECKING:
    import pandas

__all__ = ["PART_ROWS", "Parts", "is_parts_folder", "open_parts"]

PART_ROWS = 2**20
JOB, DONE = "_job.json", "_SUCCESS"  # readers of Parquet folders pass such names over


def is_parts_folder(path: str | os.PathLike[str]) -> bool:
    """Return True for a folder, and for a name that ends as one of a folder does.

    >>> is_parts_folder("placed/"), is_parts_folder("placed.parquet")
    (True, False)
    """
    return os.fspath(path).endswith(os.sep) or Path(path).is_dir()


class Parts:
    """Add rows to a folder; every part but the last has the same number of rows.

    Args:
        folder: the folder, held by `open_parts`.
        rows: rows of a part.

    Attributes:
        kept: the parts that were there already.
        finished: whether all rows were there already.

    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> with TemporaryDirectory() as folder:
    ...     parts = Parts(Path(folder), rows=2)
    ...     parts.write(pandas.DataFrame({"cluster": [0, 1, 1]}))
    ...     parts.finish()
    ...     again = Parts(Path(folder), rows=2)
    >>> [part.name for part in again.kept], again.finished
    (['part-00000.parquet', 'part-00001.parquet'], True)
    """

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        self.rows = rows
        self.finished = (folder / DONE).is_file()
        self.kept: list[Path] = []
        while (part := self._part(len(self.kept))).is_file():
            self.kept.append(part)
        self._n = len(self.kept)
        self._waiting: list[pandas.DataFrame] = []

    @property
    def rows_kept(self) -> int:
        """Return the number of rows that were there already."""
        return self.rows * len(self.kept)

    def write(self, frame: pandas.DataFrame) -> None:
        """Add rows; a part is written, whole or not at all, as soon as there are enough."""
        self._waiting.append(frame)
        while sum(map(len, self._waiting)) >= self.rows:
            self._write(self.rows)

    def finish(self) -> None:
        """Write the last part, and the file that says that all are there."""
        left = sum(map(len, self._waiting))
        if left:
            self._write(left)
        with written_whole(self.folder / DONE):
            pass

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:05d}.parquet"

    def _write(self, rows: int) -> None:
        import pandas

        every = pandas.concat(self._waiting, ignore_index=True)
        with written_whole(self._part(self._n)) as partial:
            every[:rows].to_parquet(partial, index=False)
        self._waiting = [every[rows:]] if len(every) > rows else []
        self._n += 1


@contextmanager
def open_parts(
    path: str | os.PathLike[str], job: dict[str, Any], *, rows: int | None = None
) -> Iterator[Parts]:
    """Hold a folder of parts for writing, which is made if it is not there.

    What an earlier command for the same job has finished is kept.

    Args:
        path: the folder.
        job: all that decides the rows, as plain JSON.
        rows: rows of a part; None is a million, about.

    Raises:
        InputError: if the folder holds anything else, the parts of another job, another process
            writes to it, or it cannot be written.

    >>> import pandas
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with open_parts(folder, {"run": "a"}, rows=2) as parts:
    ...         parts.write(pandas.DataFrame({"cluster": [0, 1, 1]}))
    ...     with open_parts(folder, {"run": "a"}, rows=2) as parts:
    ...         parts.rows_kept  # the third row was not written when the first command ended
    2
    """
    folder, rows = Path(path), rows or PART_ROWS
    job = {"version": 1, "rows_of_a_part": rows} | job
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    with locked(folder):
        others = [e.name for e in folder.iterdir() if e.name not in LOCK_FILES]
        others = [name for name in others if not is_partial(name)]
        if (folder / JOB).is_file():
            _require_same(folder, job)
        elif others:
            raise InputError(
                f"{folder} holds {sorted(others)[0]}, which this command did not write: choose "
                "another folder"
            )
        else:
            with written_whole(folder / JOB) as partial:
                partial.write_text(json.dumps(job, indent=2) + "\n")
        yield Parts(folder, rows)


def _require_same(folder: Path, job: dict[str, Any]) -> None:
    try:
        known = parse_json(read_bytes(folder / JOB))
    except DamagedError as error:
        raise InputError(f"{folder / JOB} is damaged ({error}): choose another folder") from error
    if known != json.loads(json.dumps(job)):
        raise InputError(
            f"{folder} holds the rows of another run or table, or of other options: choose another "
            "folder, or remove it"
        )
