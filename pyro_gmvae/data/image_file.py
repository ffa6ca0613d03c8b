"""Read one image file, its header before its pixels."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms import functional

from pyro_gmvae.data.checks import reason
from pyro_gmvae.data.folder_files import text
from pyro_gmvae.errors import InputError
from pyro_gmvae.process.turns import turn

__all__ = ["MAX_PIXELS", "Header", "Remarks", "read_header", "read_image"]

MAX_PIXELS = 100_000_000  # of one image; to decode so many takes about 1 GB

# Not those that run other programs, such as EPS.
FORMATS = ("BMP", "DIB", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
GREY = ("1", "L", "LA")  # Pillow's modes of one channel of 8 bits or fewer
QUARTER_TURNS = (5, 6, 7, 8)  # the EXIF orientations that swap width and height

# Pillow passes on the errors of its decoders, of many types.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    KeyError,
    IndexError,
    ZeroDivisionError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    struct.error,
)


@dataclass(frozen=True)
class Header:
    """Hold what the header of an image says.

    Attributes:
        width: pixels in a row, of the upright image.
        height: rows of pixels, of the upright image.
        channels: 1 for grey, else 3.

    >>> header = Header(width=640, height=480, channels=3)
    >>> header.width * header.height * header.channels  # numbers in all
    921600
    """

    width: int
    height: int
    channels: int


@dataclass
class Remarks:
    """Collect what Pillow remarks on damaged files that it can read all the same.

    Attributes:
        of: the first remark on each file.

    >>> remarks = Remarks()
    >>> remarks.of[Path("cat.png")] = "Truncated file"
    >>> len(remarks.of)
    1
    """

    of: dict[Path, str] = field(default_factory=dict)


def read_header(file: Path, image_size: int | None, remarks: Remarks) -> Header:
    """Read the size and channels of an image without decoding it.

    Args:
        file: the image.
        image_size: the size that it will be brought to, if any.
        remarks: gets Pillow's warnings.

    Raises:
        InputError: for a file that is no image, or has too many pixels or more than 8 bits a
            channel.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "grey.png"
    ...     Image.new("L", (30, 20)).save(file)
    ...     read_header(file, None, Remarks())
    Header(width=30, height=20, channels=1)
    """
    with _opened(file, remarks) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise _too_large(file, f"{width}x{height} pixels")
        if image.mode[0] in "IF":  # integers of 16 or 32 bits, floats
            raise InputError(
                f"{text(file)} has more than 8 bits a channel (mode {image.mode}): save the images "
                "with 8, or store them as a uint8 array in a .npz file."
            )
        short, long = sorted((width, height))
        # The shorter side is resized to the size, and the longer one in proportion.
        if image_size is not None and image_size**2 * long > MAX_PIXELS * short:
            raise _too_large(file, f"{width}x{height} pixels, and far more when it is resized,")
        # To look for the EXIF data of a PNG behind its pixels, Pillow would decode them.
        known = image.format != "PNG" or "exif" in image.info
        if known and image.getexif().get(ExifTags.Base.Orientation) in QUARTER_TURNS:
            width, height = height, width
        return Header(width, height, 1 if image.mode in GREY else 3)


def read_image(file: Path, image_size: int | None, remarks: Remarks) -> UInt8[Tensor, "C H W"]:
    """Read an image upright, in grey or in RGB.

    Args:
        file: the image.
        image_size: H = W to resize (the shorter side) and crop (the centre) to; None leaves the
            size.
        remarks: gets Pillow's warnings.

    Raises:
        InputError: for a file that cannot be decoded.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "grey.png"
    ...     Image.new("L", (30, 20), color=7).save(file)
    ...     image = read_image(file, 8, Remarks())
    >>> image.shape, int(image.min()), int(image.max())
    (torch.Size([1, 8, 8]), 7, 7)
    """
    with _opened(file, remarks) as opened:
        mode = "L" if opened.mode in GREY else "RGB"
        ImageOps.exif_transpose(opened, in_place=True)  # without a copy of upright images
        image = opened if opened.mode == mode else opened.convert(mode)
        if image_size is not None:
            image = functional.center_crop(functional.resize(image, [image_size]), [image_size])
        return functional.pil_to_tensor(image)


@contextmanager
def _opened(file: Path, remarks: Remarks) -> Iterator[Image.Image]:
    """Open an image, and report all errors of Pillow as those of the file."""
    try:
        with turn(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with Image.open(file, formats=FORMATS) as image:
                yield image
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"{text(file)} may not be read: change its permissions.") from error
    except Image.DecompressionBombError as error:
        raise _too_large(file, "far more pixels") from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{text(file)} is not a readable image (its format is none of {', '.join(FORMATS)}): "
            "write it again, or take it out of the folder."
        ) from error
    except DAMAGE as error:
        raise InputError(
            f"{text(file)} is not a readable image ({text(reason(error))}): write it again, or "
            "take it out of the folder."
        ) from error
    # Size is checked here, and a palette with transparency is no damage.
    told = [w.message for w in caught if w.category is not Image.DecompressionBombWarning]
    damage = [reason(m) for m in told if "Transparency" not in str(m) and isinstance(m, Warning)]
    if damage:
        remarks.of.setdefault(file, damage[0])


def _too_large(file: Path, size: str) -> InputError:
    return InputError(
        f"{text(file)} has {size} where {MAX_PIXELS:,} are the most: make the image smaller, or "
        "take it out of the folder."
    )
