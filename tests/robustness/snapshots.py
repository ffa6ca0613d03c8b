"""Tell whether files have changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["changes", "snapshot"]


def snapshot(folder: Path, *, apart: tuple[Path, ...] = ()) -> dict[str, str]:
    """Return the digest of each file below ``folder``, by its path; folders have an empty digest.

    Args:
        folder: where to look.
        apart: files and folders that are left out with all below them.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if any(path == one or one in path.parents for one in apart):
            continue
        content = path.read_bytes() if path.is_file() else None
        digest = "" if content is None else hashlib.sha256(content).hexdigest()
        found[str(path.relative_to(folder))] = digest
    return found


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Say what became of each path that is not as it was."""
    words = [f"{name} is lost" for name in before if name not in after]
    words += [f"{name} is left over" for name in after if name not in before]
    return words + [f"{n} has changed" for n in before if n in after and before[n] != after[n]]
