"""Let one process at a time write to a folder."""

from __future__ import annotations

import errno
import json
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from pyro_gmvae.errors import InputError
from pyro_gmvae.files.whole import unwritable

__all__ = ["LOCK_FILES", "holder", "locked"]

LOCK, HOLDER = ".lock", ".lock.json"
LOCK_FILES = (LOCK, HOLDER)
PATIENCE = 1.0  # seconds; one who only asks for the holder takes the lock for a moment
# File systems on which the system cannot lock a file give these.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def locked(folder: Path, *, shown: Path | None = None) -> Iterator[None]:
    """Hold a folder for writing; the system gives it free if the process is killed.

    Args:
        folder: a folder that exists.
        shown: its name in messages.

    Raises:
        InputError: if another holds it, naming the process, or if the folder cannot be written.

    Warns:
        RuntimeWarning: on a file system without locks.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, locked(Path(folder)):
    ...     holder(Path(folder)).split()[0]
    'process'
    """
    shown = shown or folder
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise InputError(
            f"{shown} is being written by {_read_holder(folder)}: wait until that has ended, or "
            "choose another folder"
        ) from error
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise unwritable(shown, error) from error
        warnings.warn(
            f"{shown} is on a file system without locks: let no other program write to it",
            RuntimeWarning,
            stacklevel=3,
        )
        yield
        return
    try:
        with suppress(OSError):  # the name of the holder is only told to others
            (folder / HOLDER).unlink(missing_ok=True)
            with (folder / HOLDER).open("x") as file:
                json.dump(_myself(), file)
        yield
    finally:
        # One who has opened the file by now sees that it is gone, and makes a new one.
        with suppress(OSError):  # the folder may be gone
            for name in LOCK_FILES:
                (folder / name).unlink(missing_ok=True)
        lock.release()


def holder(folder: Path) -> str | None:
    """Name the process that holds a folder for writing; None if none does.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     before = holder(Path(folder))
    ...     with locked(Path(folder)):
    ...         print(before, holder(Path(folder)).split()[0])
    None process
    """
    path = folder / LOCK
    if not path.exists():
        return None
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _read_holder(folder)
    except (OSError, NotImplementedError):  # a folder of somebody else
        return None
    with suppress(OSError):
        path.unlink(missing_ok=True)
    lock.release()
    return None


def _myself() -> dict[str, str | int]:
    now = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}


def _read_holder(folder: Path) -> str:
    try:
        named = json.loads((folder / HOLDER).read_text())
        return f"process {named['pid']} on {named['host']} since {named['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
