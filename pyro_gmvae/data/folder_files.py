"""Find the images of a folder, each once, and say what else is in it."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyro_gmvae.data.checks import listed
from pyro_gmvae.errors import InputError

__all__ = ["FolderFiles", "find_files", "is_image", "text"]

LEAVINGS = {"thumbs.db", "desktop.ini"}  # of file managers, as hidden files are


@dataclass
class FolderFiles:
    """List what a folder holds.

    Attributes:
        loose: the images directly in it, in the order of their names.
        classes: the images of each subfolder, at any depth, in the order of the names.
        empty: the subfolders without images.
        others: files of other types.
        special: pipes, sockets and devices that are called as images are.
        again: links, and further names, of a file or folder that is read already.

    >>> FolderFiles(loose=[Path("cat.png")], empty=["drafts"]).left_out()
    'the subfolder drafts without images'
    """

    loose: list[Path] = field(default_factory=list)
    classes: dict[str, list[Path]] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    special: list[Path] = field(default_factory=list)
    again: list[Path] = field(default_factory=list)

    def left_out(self) -> str:
        """Say what is not read, in one sentence; return an empty text if everything is."""
        parts = []
        if self.others:
            kinds = listed(sorted({text(f.suffix.lower()) or "no suffix" for f in self.others}))
            parts.append(
                f"{_count(self.others, 'file')} of other types ({kinds}), such as "
                f"{text(self.others[0])} (convert images to .png or .jpg)"
            )
        if self.special:
            parts.append(
                f"{_count(self.special, 'pipe, socket or device', 'pipes, sockets or devices')}, "
                f"such as {text(self.special[0])}"
            )
        if self.again:
            parts.append(
                f"{_count(self.again, 'link')} to what is read already, such as "
                f"{text(self.again[0])}"
            )
        if self.empty:
            word = "subfolder" if len(self.empty) == 1 else "subfolders"
            parts.append(f"the {word} {listed(map(text, self.empty))} without images")
        return "; ".join(parts)


def find_files(path: Path) -> FolderFiles:
    """Find the images in a folder and its subfolders.

    Links are followed, and each real file and folder is taken once, if possible not by a link.
    Hidden files and folders are passed over.

    Raises:
        InputError: for a link that leads nowhere, or a folder that may not be read.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("cat/b.png", "cat/a.png", "notes.txt"):
    ...         file = Path(folder, name)
    ...         file.parent.mkdir(exist_ok=True)
    ...         file.touch()
    ...     found = find_files(Path(folder))
    >>> [file.name for file in found.classes["cat"]], [file.name for file in found.others]
    (['a.png', 'b.png'], ['notes.txt'])
    """
    found = FolderFiles()
    names: set[str] = set()
    real = path.resolve()
    # A link to a folder around this one would lead back here, past files that are not meant.
    seen = {_identity(p, os.stat(p)) for p in (real, *real.parents)}
    folders: deque[tuple[Path, str | None]] = deque([(path, None)])  # with the class they are in
    links: deque[tuple[Path, str | None]] = deque()

    def take(entry: Path, name: str | None) -> None:
        status = _status(entry)
        identity = _identity(entry, status)
        is_folder = stat.S_ISDIR(status.st_mode)
        if not is_folder and not is_image(entry):
            found.others.append(entry.relative_to(path))
        elif not is_folder and not stat.S_ISREG(status.st_mode):
            found.special.append(entry.relative_to(path))
        elif identity in seen:
            found.again.append(entry.relative_to(path))
        elif is_folder:
            seen.add(identity)
            names.add(name or entry.name)
            folders.append((entry, name or entry.name))
        else:
            seen.add(identity)
            images = found.loose if name is None else found.classes.setdefault(name, [])
            images.append(entry)

    while folders or links:
        if not folders:
            take(*links.popleft())
            continue
        folder, name = folders.popleft()
        for entry in _entries(folder):
            if entry.is_symlink():
                links.append((entry, name))  # until every real file is taken
            else:
                take(entry, name)
    found.loose.sort()
    # The order within a class is that of torchvision's `ImageFolder`.
    ordered = {n: sorted(found.classes[n], key=_place) for n in sorted(found.classes)}
    return replace(found, classes=ordered, empty=sorted(names - set(ordered)))


def text(name: object) -> str:
    r"""Write a path as text, also where its bytes are none.

    >>> text(os.fsdecode(b"caf\xe9.png"))
    'caf\\xe9.png'
    """
    return os.fsencode(str(name)).decode("utf-8", "backslashreplace")


def is_image(file: Path) -> bool:
    """Recognise an image by its name.

    >>> is_image(Path("cat.PNG")), is_image(Path("notes.txt"))
    (True, False)
    """
    from torchvision.datasets.folder import is_image_file

    return is_image_file(file.name)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(
            entry
            for entry in folder.iterdir()
            if not entry.name.startswith(".") and entry.name.lower() not in LEAVINGS
        )
    except OSError as error:
        raise InputError(
            f"{text(folder)} cannot be read ({error.strerror}): change its permissions, or take "
            "it out of the folder."
        ) from error


def _status(entry: Path) -> os.stat_result:
    try:
        return entry.stat()
    except OSError as error:
        what = "is a link that leads nowhere" if entry.is_symlink() else "cannot be read"
        raise InputError(
            f"{text(entry)} {what} ({error.strerror}): mend it, or take it out of the folder."
        ) from error


def _identity(entry: Path, status: os.stat_result) -> tuple[int, int] | Path:
    """Tell a real file or folder from others, by its path where the file system has no numbers."""
    return (status.st_dev, status.st_ino) if status.st_ino else entry.resolve()


def _place(file: Path) -> tuple[str, str]:
    return str(file.parent), file.name


def _count(items: Sequence[object], one: str, more: str | None = None) -> str:
    return f"{len(items)} {one if len(items) == 1 else more or one + 's'}"
