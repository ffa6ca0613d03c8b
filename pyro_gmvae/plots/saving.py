"""Write a picture to a file."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_figure"]


def save_figure(figure: Figure, path: str | os.PathLike[str], *, format: str | None = None) -> None:
    """Write a figure, without a warning for each character that the font does not have.

    Names of columns and levels are the user's and may hold any character, such as a picture. In
    its place a box is drawn.

    Args:
        figure: the picture.
        path: the file to write.
        format: such as ``"png"``; by default the suffix of the path says it.

    Raises:
        OSError: if the file cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> from matplotlib.figure import Figure
    >>> with TemporaryDirectory() as folder:
    ...     save_figure(Figure(), os.path.join(folder, "a.png"))
    ...     os.listdir(folder)
    ['a.png']
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(path, format=format)
