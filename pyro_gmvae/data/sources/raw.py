"""Read the bytes of a file of text, unpacked if it is a ``.gz``, up to a limit."""

import gzip
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from pyro_gmvae.errors import InputError

STANDARD_INPUT = "-"
# Text of this size takes about three times as much memory while it is read.
MAX_BYTES = 2**31 - 1
_PIECE = 1 << 24


def read_bytes(path: Path) -> bytes:
    """Read a file, unpacked if its name ends in ``.gz``; the path ``-`` is standard input.

    Raises:
        InputError: if the file cannot be read, is damaged or holds more than 2 GiB unpacked.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "t.csv.gz"
    ...     with gzip.open(path, "wb") as file:
    ...         _ = file.write(b"a,b")
    ...     read_bytes(path)
    b'a,b'
    """
    try:
        if str(path) == STANDARD_INPUT:
            return _pieces(sys.stdin.buffer.read, "standard input")
        if path.suffix.lower() == ".gz":
            with gzip.open(path) as file:
                return _pieces(file.read, str(path))
        with path.open("rb") as file:
            return _pieces(file.read, str(path))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} is not a whole gzip file ({error}): pack it again, or give the unpacked file."
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): check it and its permissions."
        ) from error


def _pieces(read_next: Callable[[int], bytes], name: str) -> bytes:
    """Read to the end, and stop at the limit, for a small ``.gz`` may unpack to many gigabytes."""
    read = bytearray()
    while piece := read_next(_PIECE):
        read += piece
        if len(read) > MAX_BYTES:
            raise InputError(
                f"{name} holds more than {MAX_BYTES / 2**30:.3g} GiB of text, the most that is "
                "read: save the table as .parquet."
            )
    return bytes(read)
