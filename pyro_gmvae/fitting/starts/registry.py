"""Find a start by its name, and let a model begin by it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.starts import CLUSTERINGS
from pyro_gmvae.fitting.starts.context import Start, StartContext
from pyro_gmvae.fitting.starts.imitation import MIN_STEPS, imitate
from pyro_gmvae.models.labels import Labels

__all__ = [
    "CONTINUED",
    "GIVEN",
    "RETAUGHT",
    "check_start",
    "clusters_of",
    "start_by_name",
    "start_from",
]

# Starts by clusters that come with the rows: near them; or at a mixture that is fitted from them,
# or as q(y|x) is taught them again, unless a start without them is clearly better.
GIVEN, CONTINUED, RETAUGHT = "given", "continued", "retaught"


def start_by_name(name: str) -> Start:
    """Return the function that has a name in `pyro_gmvae.fitting.starts.CLUSTERINGS`.

    >>> start_by_name("kmeans").__name__
    'kmeans_start'
    """
    found = CLUSTERINGS[name]
    if isinstance(found, str):
        module, _, function = found.partition(":")
        loaded: Start = getattr(import_module(f"pyro_gmvae.fitting.starts.{module}"), function)
        return loaded
    return found


def clusters_of(name: str, context: StartContext, given: Labels | None) -> Labels:
    """Find the clusters or responsibilities of a start.

    Args:
        name: ``"given"``, ``"continued"``, ``"retaught"``, ``"random"`` or a name in
            `pyro_gmvae.fitting.starts.CLUSTERINGS`.
        context: data and model.
        given: the clusters or responsibilities of the first three.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> context = StartContext(gmvae, torch.tensor([[0.0], [0.1], [5.0]]), TrainConfig(seed=0))
    >>> clusters_of("given", context, torch.tensor([1, 1, 0])).tolist()
    [1, 1, 0]
    >>> found = clusters_of("kmeans", context, None)
    >>> bool(found[0] == found[1] != found[2])
    True
    """
    if name in (GIVEN, CONTINUED, RETAUGHT):
        assert given is not None
        return given
    if name == "random":
        generator = torch.Generator().manual_seed(context.seed)
        return torch.rand(len(context.x), context.n_clusters, generator=generator).softmax(-1)
    return start_by_name(name)(context)


def check_start(name: str, *, regularized: bool) -> None:
    """Refuse a start that is impossible, before anything is trained.

    Raises:
        InputError: for a start by information without a regulariser, or one by UMAP where it is
            not installed.

    >>> check_start("kmeans", regularized=False)
    >>> check_start("information", regularized=False)
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: a start by information needs a regulariser...
    """
    if name == "information" and not regularized:
        raise InputError(
            "a start by information needs a regulariser: name its moves by regularize, or "
            "begin by kmeans"
        )
    if name == "latent-umap" and find_spec("umap") is None:
        raise InputError('UMAP is not installed: pip install "pyro-gmvae[umap]"')


def start_from(name: str, context: StartContext, *, steps: int = MIN_STEPS) -> None:
    """Train the model of ``context`` in place until it has the clusters that a start finds.

    Args:
        name: a name in `pyro_gmvae.fitting.starts.CLUSTERINGS`.
        context: data and model.
        steps: as in `imitate`.

    Raises:
        InputError: for data that the start refuses.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(8,), likelihood="gaussian")
    >>> x = torch.tensor([[-3.0], [3.0]]).repeat(20, 1)
    >>> start_from("kmeans", StartContext(gmvae, x, TrainConfig(seed=0)), steps=1)
    >>> gmvae.responsibilities(x).argmax(-1).unique().tolist()
    [0, 1]
    """
    clusters = start_by_name(name)(context)
    imitate(
        context.gmvae,
        context.x,
        clusters,
        context.config,
        weights=context.weights,
        transform=context.transform,
        steps=steps,
    )
