"""Teach q(y|x) clusters by itself, until it has learned them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from math import inf

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn.functional import one_hot

from pyro_gmvae.fitting.starts.heads import cluster_head, n_statistics
from pyro_gmvae.models import GMVAE
from pyro_gmvae.models.guides import Guide
from pyro_gmvae.models.labels import Labels
from pyro_gmvae.networks import PlacedMixtureHead
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training import ClusterWarning, Transform

__all__ = ["responsibilities_of", "teach_clusters"]

RATE, LAST_RATE, BATCH = 3e-3, 3e-4, 256
CHECKED_STEPS, MOST_CHECKS = 50, 60
LEARNED = 0.99  # of the agreement that can be reached on rows held out
HELD_OUT, FEWEST_HELD_OUT = 0.1, 20
PATIENCE = 16  # checks without an improvement
LAST_CHECKS = 6  # checks at the last rate
TOLD = 0.9  # with a smaller share of what can be reached, the user is told


def responsibilities_of(clusters: Labels, n_clusters: int) -> Float[Tensor, "N K"]:
    """Turn clusters ``(N,)``, -1 where there is none, into responsibilities, in float64.

    >>> responsibilities_of(torch.tensor([1, -1]), 2).tolist()
    [[0.0, 1.0], [0.5, 0.5]]
    """
    if clusters.is_floating_point():
        return clusters.double().cpu()
    clusters = clusters.cpu().long()
    r = torch.full((len(clusters), n_clusters), 1 / n_clusters, dtype=torch.float64)
    known = clusters >= 0
    r[known] = one_hot(clusters[known], n_clusters).double()
    return r


def teach_clusters(
    gmvae: GMVAE,
    x: Num[Tensor, "N *event"],
    clusters: Labels,
    *,
    seed: int,
    weights: Float[Tensor, " N"] | None = None,
    transform: Transform | None = None,
) -> float:
    """Train q(y|x) alone until it agrees with ``clusters`` on rows that are held out.

    Without a decoder a step costs a fraction of one of the whole model. What can be agreed on is
    measured by how often the nearest other row has the same cluster. A marginal method without a
    head for the cluster has no q(y|x) to teach.

    Args:
        gmvae: one of the four GMVAEs, on the device of its training; it is changed in place.
        x: data, as `pyro_gmvae.training.fit` takes them.
        clusters: a cluster for each datum, -1 where there is none; or responsibilities ``(N, K)``.
        seed: the seed of the order of the rows.
        weights: how much each datum counts; None if all count alike.
        transform: brings ``x`` to model scale.

    Returns:
        The share of the held-out rows that q(y|x) agrees on, of the training rows if they are few.

    Warns:
        ClusterWarning: if it has learned less than nine tenths of what can be agreed on.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(8,), likelihood="gaussian")
    >>> x = torch.tensor([[-3.0], [3.0]]).repeat(20, 1)
    >>> teach_clusters(gmvae, x, torch.arange(40) % 2, seed=0)  # the share that it has learned
    1.0
    """
    device = gmvae.model.component_loc.device
    wanted = responsibilities_of(clusters, gmvae.n_components)
    told = (wanted.amax(-1) > 1 / gmvae.n_components).nonzero().flatten()
    if len(told) == 0 or gmvae.n_components == 1 or not _teachable(gmvae):
        return 1.0
    generator = torch.Generator().manual_seed(seed)
    told = told[torch.randperm(len(told), generator=generator)]
    n_held = int(HELD_OUT * len(told))
    judged, learned = told[:n_held], told[n_held:]
    if n_held < FEWEST_HELD_OUT:
        judged = learned = told
    chosen = wanted.argmax(-1)
    counted = torch.ones(len(x)) if weights is None else weights.cpu()

    def at(rows: Tensor) -> Tensor:
        """Bring some rows to model scale."""
        part = x[rows.to(x.device)].to(device)
        return part if transform is None else transform(part)

    @torch.no_grad()
    def agreement() -> float:
        found = [_logits(gmvae, at(part)).argmax(-1).cpu() for part in judged.split(1_000)]
        return float((torch.cat(found) == chosen[judged]).float().mean())

    def step(adam: torch.optim.Optimizer, rows: Tensor) -> None:
        logits = _logits(gmvae, at(rows))
        each = -(wanted[rows].to(logits) * logits.log_softmax(-1)).sum(-1)
        adam.zero_grad()
        (each * counted[rows].to(logits)).mean().backward()
        # The squares of far cells would drown what hidden features tell.
        gradient = cluster_head(gmvae).weight.grad
        if gradient is not None:
            gradient[:, :n] = 0
        adam.step()

    attainable = 1.0 if judged is learned else _attainable(at, chosen, learned, judged)
    n = n_statistics(gmvae)
    parts = nn.ModuleList(_parts(gmvae))
    best, kept, batches = -1.0, _copy(parts), _batches(learned, generator)
    # Small steps at the end, from the best weights, settle the border between clusters.
    stages = (RATE, MOST_CHECKS, LEARNED * attainable), (LAST_RATE, LAST_CHECKS, inf)
    with forked_rng(device, seed=seed), torch.enable_grad():
        for rate, checks, enough in stages:
            parts.load_state_dict(kept)
            adam, waited = torch.optim.Adam(parts.parameters(), rate), 0
            for _ in range(checks):
                for rows in islice(batches, CHECKED_STEPS):
                    step(adam, rows)
                reached = agreement()
                waited = 0 if reached > best else waited + 1
                if reached >= best:
                    best, kept = reached, _copy(parts)
                if best >= enough or waited >= PATIENCE:
                    break
    parts.load_state_dict(kept)
    gmvae.zero_grad()
    if best < TOLD * attainable:
        warnings.warn(
            f"q(y|x) has learned {best:.0%} of the clusters that training is to begin near, where "
            f"neighbouring rows agree on {attainable:.0%}: give larger hidden layers",
            ClusterWarning,
            stacklevel=2,
        )
    return best


def _batches(rows: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    """Shuffle the rows again and again, and give a batch of them at a time."""
    while True:
        yield from rows[torch.randperm(len(rows), generator=generator)].split(BATCH)


@torch.no_grad()
def _attainable(
    at: Callable[[Tensor], Tensor], chosen: Tensor, learned: Tensor, judged: Tensor
) -> float:
    """Measure how often the nearest other row has the cluster of a row."""
    learned, judged = learned[:10_000], judged[:1_000]
    near, some = (
        torch.cat([at(part).flatten(1).nan_to_num() for part in rows.split(1_000)])
        for rows in (learned, judged)
    )
    closest = torch.cdist(some, near).argmin(-1).cpu()
    return float((chosen[learned][closest] == chosen[judged]).float().mean())


def _teachable(gmvae: GMVAE) -> bool:
    return isinstance(gmvae.guide, Guide) or isinstance(gmvae.guide.z_head, PlacedMixtureHead)


def _logits(gmvae: GMVAE, x: Tensor) -> Tensor:
    guide = gmvae.guide
    if isinstance(guide, Guide):
        return guide.encode(x)[1]
    head = guide.z_head
    assert isinstance(head, PlacedMixtureHead)
    logits: Tensor = head.y_head(guide.encoder(x)[..., : head.n_cluster_features])
    return logits


def _parts(gmvae: GMVAE) -> tuple[nn.Module, nn.Linear]:
    guide = gmvae.guide
    encoder = (guide.cluster_encoder if isinstance(guide, Guide) else None) or guide.encoder
    return encoder, cluster_head(gmvae)


def _copy(parts: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in parts.state_dict().items()}
