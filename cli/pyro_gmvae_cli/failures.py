"""Word the failures of the system: full disks, lost folders, too little memory."""

from __future__ import annotations

import errno
from typing import Any

__all__ = ["is_failure", "is_user_path", "lacks_memory", "memory_words", "system_words"]

# Errors that another path, or another right, mends; all others are failures of the system.
USER_PATH = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "name a file in it",
    errno.EEXIST: "choose another",
    errno.EACCES: "choose another place, or change its permissions",
    errno.EPERM: "choose another place, or change its permissions",
    errno.EROFS: "choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "check its links",
}
SYSTEM = {
    errno.ENOSPC: "free some space, or choose another place",
    errno.EDQUOT: "free some of your quota, or choose another place",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or choose another place",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.EIO: "check the disk",
}
# Parts of the messages of torch, CUDA, the loader of libraries and C++.
MEMORY = (
    "not enough memory",
    "out of memory",
    "allocate memory",
    "failed to map segment",
    "bad_alloc",
)
# Options that lower the memory, by their names in a command.
LOWERED = {
    "batch_size": "--batch-size",
    "chunk_size": "--chunk-size (exact method)",
    "hidden": "--hidden",
    "samples": "--samples",
    "per_cluster": "--per-cluster",
}


def is_user_path(error: OSError) -> bool:
    """Return True if the user can mend the error by another path."""
    return error.errno in USER_PATH


def is_failure(error: OSError) -> bool:
    """Return True if the system failed, whatever was asked of it."""
    return error.errno in SYSTEM


def system_words(error: OSError, place: str) -> str:
    """Word an error of the system as a name, a reason and a fix.

    >>> system_words(OSError(errno.ENOSPC, "No space left on device"), "runs/a")
    'runs/a: No space left on device: free some space, or choose another place'
    """
    name = place if error.filename is None else _text(error.filename)
    fix = (USER_PATH | SYSTEM).get(error.errno or 0)
    return ": ".join(part for part in (name, error.strerror or str(error), fix) if part)


def lacks_memory(error: BaseException | None) -> bool:
    """Return True if memory ran out, whichever library says so.

    >>> lacks_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    True
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # Torch's own kind is a RuntimeError, and importing torch only to name it would be slow.
    worded = isinstance(error, RuntimeError | ImportError) and any(
        words in str(error).lower() for words in MEMORY
    )
    return isinstance(error, MemoryError) or worded


def memory_words(options: dict[str, Any]) -> str:
    """Say which of a command's options to lower.

    >>> memory_words({"samples": 100, "quiet": False})
    'there is not enough memory: lower --samples, or free some'
    """
    flags = [flag for name, flag in LOWERED.items() if name in options]
    fix = f"lower {' or '.join(flags)}" if flags else "use fewer rows"
    return f"there is not enough memory: {fix}, or free some"


def _text(name: Any) -> str:
    return name.decode(errors="surrogateescape") if isinstance(name, bytes) else str(name)
