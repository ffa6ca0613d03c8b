"""Load a folder of images: a class in each subfolder, or all in one place without labels."""

import warnings
from collections.abc import Sequence
from math import prod
from pathlib import Path

import torch

from pyro_gmvae.data.checks import DataWarning, Purpose, check_rows, listed
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.folder_files import FolderFiles, find_files, text
from pyro_gmvae.data.image_encoding import ImageEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.process.memory import check_memory
from pyro_gmvae.ranges import MOST_SIDE, whole

HELD_OUT = {"test", "val", "valid", "validation"}


def load_folder(path: Path, *, image_size: int | None = None, purpose: Purpose = "fit") -> Dataset:
    """Read the images of a folder, in the order of their names.

    Images in subfolders are read as torchvision's `ImageFolder` does: each subfolder is a class, in
    alphabetical order. Images directly in the folder have no labels. Links are followed, and each
    real file is read once. Hidden files and folders are passed over. Photos are turned upright as
    their camera noted it, an alpha channel is dropped, and a file with several images gives the
    first one.

    Args:
        path: the folder.
        image_size: H = W to resize (the shorter side) and crop (the centre) to; None takes the
            images as they are, which then must be of one size.
        purpose: ``"apply"`` accepts a single image.

    Returns:
        Images ``(N, C, H, W)``: C is 1 if all files are grey, else 3. The ``row_names`` are the
        files' paths in the folder; bytes that are no text are escaped.

    Warns:
        DataWarning: naming what is left out, such as files of other types, and damaged files.

    Raises:
        InputError: if there are no images or too few, one cannot be read, has more than 8 bits a
            channel or 100 million pixels, their sizes differ, all together are larger than the free
            memory, or images lie beside subfolders of images.
    """
    from pyro_gmvae.data.image_file import Remarks, read_header, read_image

    if image_size is not None:
        whole("image size", image_size, least=1)
        whole("image size", image_size, most=MOST_SIDE)
    name = text(path.resolve().name)
    found = find_files(path)
    _check_layout(path, found)
    files = found.loose or [file for images in found.classes.values() for file in images]
    check_rows(len(files), name, purpose)
    remarks = Remarks()
    headers = [read_header(file, image_size, remarks) for file in files]
    channels = max(header.channels for header in headers)
    _check_sizes(path, files, [(h.height, h.width) for h in headers], channels, image_size)
    # A PNG may be turned by a note behind its pixels, so the first image says the size.
    _, *shape = read_image(files[0], image_size, remarks).shape
    x = torch.empty((len(files), channels, *shape), dtype=torch.uint8)
    for row, file in zip(x, files, strict=True):
        image = read_image(file, image_size, remarks)
        if list(image.shape[1:]) != shape:
            raise _different(path, files[0], shape, file, image.shape[1:])
        row.copy_(image)
    _warn(path, found, remarks.of)
    names = tuple(text(file.relative_to(path).as_posix()) for file in files)
    if found.loose:
        return Dataset(name, x, None, ImageEncoding, None, None, names)
    counts = torch.tensor([len(images) for images in found.classes.values()])
    labels = torch.arange(len(counts)).repeat_interleave(counts)
    classes = tuple(map(text, found.classes))
    return Dataset(name, x, labels, ImageEncoding, None, classes, names)


def _check_layout(path: Path, found: FolderFiles) -> None:
    """Refuse a folder that is not one data set."""
    from torchvision.datasets.folder import IMG_EXTENSIONS

    loose, classes = found.loose, list(found.classes)
    if loose and classes:
        raise InputError(
            f"{text(path)} has images beside its subfolders, such as {text(loose[0].name)} beside "
            f"{text(classes[0])}: put each into the subfolder of its class, or all into one folder."
        )
    if not loose and not classes:
        left_out = found.left_out()
        raise InputError(
            f"{text(path)} is a folder without images{left_out and f', but with {left_out}'}: put "
            f"some in it ({', '.join(IMG_EXTENSIONS)}), or into one subfolder for each class."
        )
    if "train" in classes and HELD_OUT & set(classes):
        # Otherwise the parts would be read as classes, and a model would train on test images.
        raise InputError(
            f"{text(path)} has the parts {listed(map(text, classes))}, which are no classes: name "
            f"{text(path / 'train')} to train on, and another part to evaluate."
        )


def _check_sizes(
    path: Path,
    files: Sequence[Path],
    sizes: Sequence[tuple[int, int]],
    channels: int,
    image_size: int | None,
) -> None:
    """Refuse images of different sizes, and more of them than fit into memory."""
    for file, size in zip(files, sizes, strict=True):
        if image_size is None and size != sizes[0]:
            raise _different(path, files[0], sizes[0], file, size)
    pixels = prod(sizes[0]) if image_size is None else image_size**2
    check_memory(
        len(files) * channels * pixels,
        f"{text(path)} with {len(files)} images",
        "give a smaller --image-size, or use fewer images",
    )


def _different(
    path: Path, one: Path, shape: Sequence[int], other: Path, found: Sequence[int]
) -> InputError:
    sizes = ", ".join(
        f"{text(file.name)} is {width}x{height}"
        for file, (height, width) in ((one, shape), (other, found))
    )
    return InputError(
        f"{text(path)} has images of different sizes ({sizes}): give --image-size to resize and "
        "crop all to one."
    )


def _warn(path: Path, found: FolderFiles, remarks: dict[Path, str]) -> None:
    """Warn once of what is left out, and once of files that seem to be damaged."""
    if left_out := found.left_out():
        warnings.warn(f"{text(path)}: left out {left_out}.", DataWarning, stacklevel=3)
    if remarks:
        file, remark = next(iter(remarks.items()))
        warnings.warn(
            f"{text(path)}: {len(remarks)} of the images may be damaged, such as "
            f"{text(file.relative_to(path))} ({text(remark)}): look at them, or write them again.",
            DataWarning,
            stacklevel=3,
        )
