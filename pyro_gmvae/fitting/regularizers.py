"""Make a regulariser from the names of its moves."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Num
from torch import Tensor

from pyro_gmvae.data import KINDS, Encoding
from pyro_gmvae.data.transformations import Compose, Transformation
from pyro_gmvae.errors import InputError
from pyro_gmvae.models import AdversarialPerturbation, Regularizer

__all__ = ["ADVERSARIAL", "make_regularizer", "neighbour_distance"]

ADVERSARIAL = "adversarial"

# Hu et al. (2017) measure how far a cluster reaches by the distance to the 10th nearest datum.
NEIGHBOUR, NEIGHBOUR_SHARE, MEASURED_ROWS = 10, 0.25, 1_000


def make_regularizer(
    moves: str,
    x: Num[Tensor, "N *event"],
    encoding: Encoding,
    *,
    strength: float = 1.0,
    seed: int = 0,
) -> Regularizer | None:
    """Make a regulariser that wants a datum to keep its cluster when the moves change it.

    Args:
        moves: ``"none"``, or names joined by ``+``: those of ``encoding.moves`` and
            ``"adversarial"``.
            ``affine`` turns, shifts, scales and leans an image a little, ``flip`` mirrors it,
            ``colour`` changes its brightness, contrast and saturation. ``resample`` and
            ``dropout`` replace a fifth of a row's entries by those of other rows, or by the mean;
            among columns of several kinds dropout leaves gaps. ``neighbours`` replaces an embedding
            by one of its ten nearest. ``adversarial`` moves a datum of
            real numbers a quarter of the way to its neighbours, to where its cluster is least sure.
        x: data, in raw units.
        encoding: brings them to model scale.
        strength: factor of all three penalties.
        seed: the seed of the choice of data that distances are measured between.

    Raises:
        InputError: for unknown moves, or moves that are for another kind of data.

    >>> from pyro_gmvae.data import TableEncoding
    >>> make_regularizer("none", torch.zeros(4, 2), TableEncoding((2,))) is None
    True
    """
    if moves == "none":
        return None
    names = moves.split("+")
    for name in names:
        _check_move(name, type(encoding))
    steps: tuple[Transformation, ...] = tuple(
        encoding.move(n, x) for n in names if n != ADVERSARIAL
    )
    transforms: list[Transformation | AdversarialPerturbation] = [Compose(steps)] if steps else []
    if ADVERSARIAL in names:
        if not encoding.takes_small_steps:
            raise InputError(
                "adversarial moves numbers by small steps, and this table has columns of other "
                f"kinds or gaps: regularise by {' or '.join(encoding.moves)}"
            )
        distance = neighbour_distance(x, seed, encoding.encode_mean)
        transforms.append(AdversarialPerturbation(NEIGHBOUR_SHARE * distance))
    regularizer = Regularizer(*transforms)
    for name in regularizer.weights:
        regularizer.weights[name] *= strength
    return regularizer


def _check_move(name: str, kind: type[Encoding]) -> None:
    if name == ADVERSARIAL or name in kind.moves:
        return
    for other in KINDS.values():
        if name in other.moves:
            raise InputError(
                f"{name} is for {other.plural}: regularise {kind.plural} by "
                f"{', '.join([*kind.moves, ADVERSARIAL])}"
            )
    every = [move for each in KINDS.values() for move in each.moves]
    raise InputError(
        f"unknown move {name!r} in regularize: use {', '.join([*every, ADVERSARIAL])}, some of "
        "them joined by +, auto or none"
    )


def neighbour_distance(
    x: Num[Tensor, "N *event"],
    seed: int = 0,
    encode_mean: Callable[[Tensor], Tensor] | None = None,
) -> float:
    """Measure the median distance of a datum to its 10th nearest, among a thousand at most.

    Args:
        x: data.
        seed: the seed of the choice of data.
        encode_mean: brings data to model scale; None if they are on it.

    Raises:
        InputError: if the distance is zero.

    >>> neighbour_distance(torch.arange(21.0).unsqueeze(-1))  # five nearer ones on each side
    5.0
    """
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:MEASURED_ROWS]
    seen = x[order.to(x.device)]
    some = (seen if encode_mean is None else encode_mean(seen)).flatten(1).float()
    nth = min(NEIGHBOUR, len(some) - 1)
    distance = torch.cdist(some, some).kthvalue(nth + 1, dim=1).values.median().item()
    if distance == 0:
        raise InputError(
            "most rows are copies of others, so there is no distance to move them by: regularise "
            "by other moves than adversarial, or not at all"
        )
    return distance
