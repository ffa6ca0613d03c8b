"""Load a folder of images: a class in each subfolder, or all in one place without labels."""

import os
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from pyro_gmvae.data.checks import Purpose, check_rows, listed
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.image_encoding import ImageEncoding
from pyro_gmvae.errors import InputError

GREY = ("1", "L", "LA")  # Pillow's modes of one channel of 8 bits or fewer
HELD_OUT = {"test", "val", "valid", "validation"}


def load_folder(path: Path, *, image_size: int | None = None, purpose: Purpose = "fit") -> Dataset:
    """Read the images of a folder, in the order of their names.

    Images in subfolders are read as torchvision's `ImageFolder` does: each subfolder is a class, in
    alphabetical order. Images directly in the folder have no labels. Hidden files, and files whose
    name is not that of an image, are left out. Photos are turned upright as their camera noted it,
    an alpha channel is dropped, and a file with several images gives the first one.

    Args:
        path: the folder.
        image_size: H = W to resize (the shorter side) and crop (the centre) to; None takes the
            images as they are, which then must be of one size.
        purpose: ``"apply"`` accepts a single image.

    Returns:
        Images ``(N, C, H, W)``: C is 1 if all files are grey, else 3. The ``row_names`` are the
        files' paths in the folder.

    Raises:
        InputError: if there are no images or too few, one cannot be read or is of more than 8 bits
            a channel, their sizes differ, or images lie beside subfolders of images.
    """
    if image_size is not None and image_size < 1:
        raise InputError(f"image size must be at least 1, got {image_size}")
    name = path.resolve().name
    files, y, class_names = _files(path)
    check_rows(len(files), name, purpose)
    images: list[Tensor] = []
    for file in files:
        images.append(_read(file, image_size))
        if images[-1].shape[1:] != images[0].shape[1:]:
            raise InputError(
                f"{path} has images of different sizes ({_sized(files[0], images[0])}, "
                f"{_sized(file, images[-1])}): give --image-size to resize and crop all to one."
            )
    channels = max(len(image) for image in images)
    x = torch.stack([image.expand(channels, -1, -1) for image in images])
    names = tuple(file.relative_to(path).as_posix() for file in files)
    labels = None if y is None else torch.tensor(y)
    return Dataset(name, x, labels, ImageEncoding, None, class_names, names)


def _files(path: Path) -> tuple[list[Path], list[int] | None, tuple[str, ...] | None]:
    """List the images, the class of each, and the names of the classes."""
    from torchvision.datasets import ImageFolder
    from torchvision.datasets.folder import IMG_EXTENSIONS

    entries = sorted(path.iterdir())
    loose = [entry for entry in entries if entry.is_file() and _is_image(entry)]
    classes = [entry.name for entry in entries if entry.is_dir() and _holds_images(entry)]
    if loose and classes:
        raise InputError(
            f"{path} has images beside its subfolders, such as {loose[0].name} beside "
            f"{classes[0]}: put each into the subfolder of its class, or all into one folder."
        )
    if loose:
        return loose, None, None
    if not classes:
        raise InputError(
            f"{path} is a folder without images: put some in it ({', '.join(IMG_EXTENSIONS)}), or "
            "into one subfolder for each class."
        )
    if "train" in classes and HELD_OUT & set(classes):
        # Otherwise the parts would be read as classes, and a model would train on test images.
        raise InputError(
            f"{path} has the parts {listed(classes)}, which are no classes: name {path / 'train'} "
            "to train on, and another part to evaluate."
        )
    numbers = {name: i for i, name in enumerate(classes)}
    found = ImageFolder.make_dataset(path, numbers, is_valid_file=_is_image)
    return [Path(file) for file, _ in found], [y for _, y in found], tuple(classes)


def _is_image(file: str | Path) -> bool:
    """Recognise an image by its name; hidden files are the leavings of other programs."""
    from torchvision.datasets.folder import is_image_file

    name = os.path.basename(file)
    return not name.startswith(".") and is_image_file(name)


def _holds_images(folder: Path) -> bool:
    """Look for an image in a folder, at any depth."""
    if folder.name.startswith("."):
        return False
    walk = os.walk(folder, followlinks=True)
    return any(_is_image(name) for _, _, names in walk for name in names)


def _read(file: Path, image_size: int | None) -> UInt8[Tensor, "C H W"]:
    from PIL import Image, ImageOps
    from torchvision.transforms import functional

    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            deep = image.mode[0] in "IF"  # integers of 16 or 32 bits, floats
            if not deep:
                image = image.convert("L" if image.mode in GREY else "RGB")
    # Pillow passes on the errors of its decoders, of many types.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{file} is not a readable image ({first}): write it again, or take it out of the "
            "folder."
        ) from error
    if deep:
        raise InputError(
            f"{file} has more than 8 bits a channel (mode {image.mode}): save the images with 8, "
            "or store them as a uint8 array in a .npz file."
        )
    if image_size is not None:
        image = functional.center_crop(functional.resize(image, [image_size]), [image_size])
    return functional.pil_to_tensor(image)


def _sized(file: Path, image: Tensor) -> str:
    return f"{file.name} is {image.shape[2]}x{image.shape[1]}"
