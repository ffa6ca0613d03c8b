"""Write files whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import gettempdir
from typing import BinaryIO, TypeVar

from pyro_gmvae.errors import InputError

__all__ = [
    "is_partial",
    "reason_of",
    "under_prefix",
    "unwritable",
    "with_prefix",
    "written_whole",
]

T = TypeVar("T")

PATIENCE, POLL = 30.0, 0.05  # seconds that a pipe waits for its reader, and between two looks

_PARTIAL = re.compile(r"\.[0-9a-f]{16}\.partial(\.\w+)*")


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file to write to, which replaces ``path`` when the context ends well.

    The temporary file is made at once, so that a path which cannot be written is refused before
    the long work. After an error ``path`` is as it was. A link stays a link, and its target is
    replaced; the target keeps its permissions. A pipe or a device is not replaced: the content is
    written into it. So is a file whose folder takes no new files.

    Raises:
        InputError: if ``path`` is a folder, cannot be written, or is a pipe without a reader.
        OSError: if the system fails while the file is written, as on a full disk.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     target = Path(folder) / "a.txt"
    ...     with written_whole(target) as partial:
    ...         _ = partial.write_text("hello")
    ...     target.read_text()
    'hello'
    """
    given = Path(path)
    try:
        final, partial, held = _begin(given)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise unwritable(given, error) from error
    try:
        yield partial
        _finish(partial, final)
    except OSError as error:
        other = error.filename is not None and Path(os.fsdecode(error.filename)) != partial
        if other or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(given)) from error
    finally:
        with suppress(OSError):  # the folder may be gone
            partial.unlink(missing_ok=True)
        os.close(held)


def reason_of(error: Exception) -> str:
    """Return what went wrong, as the system says it if it was the system's error.

    >>> reason_of(OSError(errno.ENOSPC, "No space left on device")), reason_of(ValueError("odd"))
    ('No space left on device', 'odd')
    """
    return getattr(error, "strerror", None) or str(error)


def unwritable(path: Path, error: Exception) -> InputError:
    """Word the refusal of a path that cannot be written.

    >>> print(unwritable(Path("runs/a"), PermissionError(errno.EACCES, "Permission denied")))
    runs/a cannot be written (Permission denied): choose another
    """
    return InputError(f"{path} cannot be written ({reason_of(error)}): choose another")


def is_partial(name: str) -> bool:
    """Recognise the temporary file that a killed process left behind.

    >>> is_partial(".0123456789abcdef.partial.csv"), is_partial("table.csv")
    (True, False)
    """
    return _PARTIAL.fullmatch(name) is not None


def with_prefix(prefix: str, tensors: dict[str, T]) -> dict[str, T]:
    """Put the names of some tensors under ``prefix/``.

    >>> with_prefix("weights", {"bias": 1})
    {'weights/bias': 1}
    """
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: dict[str, T]) -> dict[str, T]:
    """Find the tensors that `with_prefix` put under ``prefix/``.

    >>> under_prefix("weights", {"weights/bias": 1, "best/bias": 2})
    {'bias': 1}
    """
    start = f"{prefix}/"
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _begin(given: Path) -> tuple[Path | int, Path, int]:
    """Make a temporary file for the file or the open descriptor that is to have the content.

    Returns:
        The file or descriptor, the temporary file, and a descriptor that holds the latter.
    """
    descriptor = _descriptor(given)
    if descriptor is not None:
        os.fstat(descriptor)  # it must be open
        return descriptor, *_private_file(given)
    try:
        old: os.stat_result | None = os.stat(given)
    except FileNotFoundError:  # nothing is there, or a link to nothing
        old = None
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise InputError(f"{given} is a folder: name a file in it")
    final = Path(os.path.realpath(given))
    if old is None or stat.S_ISREG(old.st_mode):
        try:
            _remove_leavings(final)
            return final, *_new_file(final.parent, final, old)
        except OSError:
            if old is None:
                raise
    if not os.access(final, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(given))
    return final, *_private_file(given)


def _descriptor(path: Path) -> int | None:
    """Return the number of the open file that a path such as ``/dev/stdout`` stands for.

    What such a path leads to may be a file that others append to, which must not be replaced.
    """
    for _ in range(40):  # the system follows as many links
        folder = os.path.realpath(path.parent)
        if folder == f"/proc/{os.getpid()}/fd" and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            break
        path = path.parent / os.readlink(path)
    return None


def _private_file(like: Path) -> tuple[Path, int]:
    """Make a temporary file that only the user can read."""
    return _new_file(Path(gettempdir()), like, None, mode=0o600)


def _new_file(
    folder: Path, like: Path, old: os.stat_result | None, *, mode: int = 0o666
) -> tuple[Path, int]:
    """Make an empty file with the suffix of ``like``, and hold it.

    Its name begins as `_mark` says, and goes on so that nobody can guess it.
    """
    suffixes = "".join(re.findall(r"\.\w{1,16}", like.name.lstrip("."))[-2:])
    path = folder / f".{_mark(like)}{secrets.token_hex(4)}.partial{suffixes}"
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    with suppress(OSError):  # a file system without locks
        _hold(descriptor)
    if old is not None:
        with suppress(OSError):  # only root may give files away
            os.fchown(descriptor, old.st_uid, old.st_gid)
        with suppress(OSError):  # a file system without permissions
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    return path, descriptor


def _remove_leavings(final: Path) -> None:
    """Remove the temporary files that killed processes have left for the same file."""
    start = f".{_mark(final)}"
    with suppress(OSError):  # a folder that cannot be listed
        names = [name for name in os.listdir(final.parent) if name.startswith(start)]
        for left in (final.parent / name for name in names if is_partial(name)):
            with suppress(OSError):  # a process that is alive holds it
                descriptor = os.open(left, os.O_WRONLY | os.O_NOFOLLOW)
                try:
                    _hold(descriptor)
                    left.unlink()
                finally:
                    os.close(descriptor)


def _hold(descriptor: int) -> None:
    """Lock a file until its descriptor is closed, or raise an `OSError` if another holds it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _mark(path: Path) -> str:
    """Return eight characters that tell the names of files in one folder apart."""
    return blake2b(os.fsencode(path.name), digest_size=4).hexdigest()


def _finish(partial: Path, final: Path | int) -> None:
    """Put the content in its place, on the disk as well as in the system's memory."""
    if isinstance(final, int):
        with partial.open("rb") as source, os.fdopen(os.dup(final), "wb") as target:
            shutil.copyfileobj(source, target)
        return
    if partial.parent == final.parent:
        _sync(partial)
        try:
            os.replace(partial, final)
        except OSError as error:
            if error.errno != errno.EBUSY:  # a file that is mounted by itself
                raise
        else:
            with suppress(OSError):  # some file systems cannot sync a folder
                _sync(final.parent)
            return
    with partial.open("rb") as source, _opened(final) as target:
        shutil.copyfileobj(source, target)


def _opened(final: Path) -> BinaryIO:
    """Open what is not replaced for writing; for a pipe, wait for its reader."""
    if not stat.S_ISFIFO(os.stat(final).st_mode):
        return final.open("wb")
    for _ in range(int(PATIENCE / POLL)):
        try:
            descriptor = os.open(final, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            time.sleep(POLL)
        else:
            os.set_blocking(descriptor, True)
            return os.fdopen(descriptor, "wb")
    raise InputError(f"{final} is a pipe that nobody reads: start its reader, or name a file")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
