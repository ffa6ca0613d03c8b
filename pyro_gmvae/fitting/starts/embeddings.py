"""Begin near the clusters that the nearest neighbours among embeddings share most.

k-means wants round groups of like sizes, and a cut of the graph of neighbours is drawn to outliers
where groups touch. A q(y|x) that wants a row and its neighbours in one cluster, and clusters of
like sizes, is not, but splits groups of unlike sizes. So several clusterings are compared by
`shared_information`, and no label enters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.data.transformations import NearestRow
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.starts.context import StartContext, StartProgress
from pyro_gmvae.fitting.starts.information import maximize_information
from pyro_gmvae.fitting.starts.neighbours import (
    LANDMARKS,
    nearest,
    shared_information,
    spectral_clusters,
)
from pyro_gmvae.models import GMVAE, Regularizer, from_config, to_config
from pyro_gmvae.rng import forked_rng

__all__ = ["neighbours_start"]

TRIES, FEW_ROWS = 2, 5_000  # starts by information where rows are few, else one
BALANCE = 30.0  # half of that of images, whose groups have like sizes


def neighbours_start(context: StartContext) -> Tensor:
    """Find the clusters or responsibilities of the start ``"neighbours"``.

    The candidates are a cut of the graph of neighbours (see `spectral_clusters`), and q(y|x) of
    models like that of the context, trained by a `Regularizer` whose T(x) is one of the ten nearest
    rows. The clusters of 5,000 rows at most are compared.

    Raises:
        InputError: for rows with gaps, images, or fewer than three rows.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> neighbours_start(StartContext(gmvae, torch.eye(2), TrainConfig()))
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: the start neighbours is for three rows of numbers or more, ...
    """
    x = context.encoded()
    if x.ndim != 2 or x.isnan().any() or len(x) < 3:
        raise InputError(
            "the start neighbours is for three rows of numbers or more, without gaps: begin by "
            "mixture or kmeans"
        )
    some = _some(x, context.seed)
    near = nearest(x[some].double())
    return max(
        _candidates(context, x, some),
        key=lambda r: shared_information(r[some].argmax(-1), near),
    )


def _some(x: Tensor, seed: int) -> Int64[Tensor, " rows"]:
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    return order[:LANDMARKS]


def _candidates(
    context: StartContext, x: Float[Tensor, "N D"], some: Int64[Tensor, " rows"]
) -> Iterator[Float[Tensor, "N K"]]:
    """Give responsibilities of each clustering."""
    cut = spectral_clusters(x.double(), context.n_clusters, seed=context.seed)
    if cut is not None:
        yield one_hot(cut, context.n_clusters).float()
    tries = TRIES if len(x) <= FEW_ROWS else 1
    for place in range(tries):
        gmvae = _informed(context, x[some], context.seed + place, place, tries)
        yield context.encoded(gmvae.responsibilities)


def _informed(
    context: StartContext, known: Float[Tensor, "rows D"], seed: int, done: int, parts: int
) -> GMVAE:
    """Train q(y|x) of a new model by neighbours alone, under a uniform p(y)."""
    with forked_rng(seed=seed):
        gmvae = from_config(to_config(context.gmvae)).to(context.device)
    gmvae.model.mixture_logits.requires_grad_(False)  # a learned p(y) would follow any clusters
    near = NearestRow.among(known.to(context.device))
    gmvae.regularize(Regularizer(near, balance=BALANCE))
    maximize_information(
        gmvae,
        context.x,
        replace(context.config, seed=seed),
        epochs=context.epochs,
        weights=context.weights,
        transform=context.transform,
        reporters=[StartProgress(context.reporters, done=done, parts=parts)],
    )
    return gmvae
