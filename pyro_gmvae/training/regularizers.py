"""The regulariser that suits some data, by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Num
from torch import Tensor

from pyro_gmvae.data.transformations import (
    ColourJitter,
    Compose,
    FeatureDropout,
    RandomAffine,
    RandomFlip,
    Resample,
    Transformation,
)
from pyro_gmvae.errors import InputError
from pyro_gmvae.models import AdversarialPerturbation, Regularizer

__all__ = ["MOVES", "make_regularizer", "suitable_moves"]

IMAGE_MOVES: dict[str, Callable[[], Transformation]] = {
    "affine": lambda: RandomAffine(degrees=20, translate=0.12, scale=(0.75, 1.25), shear=15),
    "flip": RandomFlip,
    "colour": lambda: ColourJitter(brightness=0.4, contrast=0.4, saturation=0.4),
}
TABLE_MOVES: dict[str, Callable[[], Transformation]] = {
    "resample": Resample,
    "dropout": FeatureDropout,
}
ADVERSARIAL = "adversarial"
MOVES = (*IMAGE_MOVES, *TABLE_MOVES, ADVERSARIAL)

# Of the distance to the 10th nearest datum, as Hu et al. (2017) measure how far a cluster reaches.
NEIGHBOUR, SHARE, LOOKED_AT = 10, 0.25, 1_000


def suitable_moves(event_shape: tuple[int, ...]) -> str:
    """What ``"auto"`` is: affine moves for images, of colour as well; nothing for tables.

    Rows of a table have no change that is known to keep their meaning.
    """
    if len(event_shape) != 3:
        return "none"
    return "affine+colour" if event_shape[0] == 3 else "affine"


def make_regularizer(
    moves: str,
    x: Num[Tensor, "N *event"],
    *,
    look: Callable[[Tensor], Tensor] | None = None,
    strength: float = 1.0,
    seed: int = 0,
) -> Regularizer | None:
    """A regulariser that wants the same cluster for a datum and for what the moves make of it.

    Args:
        moves: ``"none"``, ``"auto"``, or some of `MOVES` joined by ``+``. ``affine`` turns, shifts,
            scales and leans an image a little, ``flip`` mirrors it, ``colour`` changes its
            brightness, contrast and saturation; ``resample`` and ``dropout`` replace a fifth of a
            row's entries by those of other rows or by the mean; ``adversarial`` moves any datum a
            quarter of the way to its neighbours, to where its cluster is least sure.
        x: data.
        look: puts some of them on model scale; None if they are.
        strength: factor of all three penalties.
        seed: of the data that distances are measured between.

    Raises:
        InputError: for unknown moves, or ones that are not for such data.
    """
    if moves == "auto":
        moves = suitable_moves(tuple(x.shape[1:]))
    if moves == "none":
        return None
    names = moves.split("+")
    is_image = x.dim() == 4
    for name in names:
        if name not in MOVES:
            raise InputError(
                f"unknown move {name!r} to regularise by: use {', '.join(MOVES)}, some of them "
                "joined by +, auto or none"
            )
        if name in (TABLE_MOVES if is_image else IMAGE_MOVES):
            kind, other = ("tables", "images") if is_image else ("images", "tables")
            known = IMAGE_MOVES if is_image else TABLE_MOVES
            raise InputError(
                f"{name} is for {kind}: regularise {other} by {', '.join([*known, ADVERSARIAL])}"
            )
    steps = tuple((IMAGE_MOVES | TABLE_MOVES)[n]() for n in names if n != ADVERSARIAL)
    transforms: list[Transformation | AdversarialPerturbation] = [Compose(steps)] if steps else []
    if ADVERSARIAL in names:
        transforms.append(AdversarialPerturbation(SHARE * neighbour_distance(x, seed, look)))
    regularizer = Regularizer(*transforms)
    for name in regularizer.weights:
        regularizer.weights[name] *= strength
    return regularizer


def neighbour_distance(
    x: Num[Tensor, "N *event"], seed: int = 0, look: Callable[[Tensor], Tensor] | None = None
) -> float:
    """The median distance of a datum to its 10th nearest, among a thousand at most.

    Args:
        x, look, seed: as of `make_regularizer`.

    Raises:
        InputError: if it is zero.
    """
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:LOOKED_AT]
    seen = x[order.to(x.device)]
    some = (seen if look is None else look(seen)).flatten(1).float()
    nth = min(NEIGHBOUR, len(some) - 1)
    distance = torch.cdist(some, some).kthvalue(nth + 1, dim=1).values.median().item()
    if distance == 0:
        raise InputError(
            "most rows are copies of others, so there is no distance to move them by: regularise "
            "otherwise than by adversarial moves, or not at all"
        )
    return distance
