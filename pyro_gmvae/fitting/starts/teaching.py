"""Teach q(y|x) clusters by itself, until it has learned them."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn.functional import one_hot

from pyro_gmvae.models import GMVAE
from pyro_gmvae.models.guides import Guide
from pyro_gmvae.models.labels import Labels
from pyro_gmvae.networks import PlacedMixtureHead
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training import ClusterWarning, Transform

__all__ = ["responsibilities_of", "teach_clusters"]

RATE, BATCH = 3e-3, 256
MOST_STEPS, CHECKED_STEPS = 3_000, 50
LEARNED = 0.99  # of the agreement that can be reached on rows held out
HELD_OUT, FEWEST_HELD_OUT = 0.1, 20
PATIENCE = 8  # checks without an improvement
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
    encode = transform or (lambda rows: rows)
    chosen = wanted.argmax(-1)
    counted = torch.ones(len(x)) if weights is None else weights.cpu()

    @torch.no_grad()
    def agreement(rows: Tensor) -> float:
        found = [_logits(gmvae, encode(x[p.to(x.device)].to(device))) for p in rows.split(1_000)]
        return float((torch.cat(found).argmax(-1).cpu() == chosen[rows]).float().mean())

    goal = LEARNED * _attainable(x, encode, chosen, learned, judged, device)
    parameters = _parameters(gmvae)
    best, kept, waited = -1.0, _state(gmvae), 0
    with forked_rng(device, seed=seed), torch.enable_grad():
        adam = torch.optim.Adam(parameters, RATE)
        step = 0
        while step < MOST_STEPS and best < goal and waited < PATIENCE:
            order = learned[torch.randperm(len(learned), generator=generator)]
            for rows in order.split(BATCH):
                logits = _logits(gmvae, encode(x[rows.to(x.device)].to(device)))
                each = -(wanted[rows].to(logits) * logits.log_softmax(-1)).sum(-1)
                adam.zero_grad()
                (each * counted[rows].to(logits)).mean().backward()
                _keep_statistics(gmvae)
                adam.step()
                step += 1
                if step % CHECKED_STEPS == 0:
                    reached = agreement(judged)
                    waited = 0 if reached > best else waited + 1
                    if reached > best:
                        best, kept = reached, _state(gmvae)
                    if best >= goal or waited >= PATIENCE or step >= MOST_STEPS:
                        break
    gmvae.load_state_dict(kept)
    gmvae.zero_grad()
    if best < TOLD / LEARNED * goal:
        warnings.warn(
            f"q(y|x) has learned {best:.0%} of the clusters that training is to begin near, where "
            f"neighbouring rows agree on {goal / LEARNED:.0%}: give larger hidden layers",
            ClusterWarning,
            stacklevel=2,
        )
    return best


def _attainable(
    x: Tensor,
    encode: Transform,
    chosen: Tensor,
    learned: Tensor,
    judged: Tensor,
    device: torch.device,
) -> float:
    """Measure how often the nearest other row has the cluster of a row."""
    if judged is learned:
        return 1.0
    with torch.no_grad():
        near, some = (
            torch.cat([encode(x[p.to(x.device)].to(device)).flatten(1) for p in r.split(1_000)])
            for r in (learned[:10_000], judged[:1_000])
        )
        closest = torch.cdist(some.nan_to_num(), near.nan_to_num()).argmin(-1).cpu()
    return float((chosen[learned[:10_000]][closest] == chosen[judged[:1_000]]).float().mean())


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
    if isinstance(guide, Guide):
        assert isinstance(guide.y_head, nn.Linear)
        return guide.cluster_encoder or guide.encoder, guide.y_head
    head = guide.z_head
    assert isinstance(head, PlacedMixtureHead)
    return guide.encoder, head.y_head


def _parameters(gmvae: GMVAE) -> list[nn.Parameter]:
    encoder, head = _parts(gmvae)
    return [*encoder.parameters(), *head.parameters()]


def _state(gmvae: GMVAE) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in gmvae.state_dict().items()}


def _keep_statistics(gmvae: GMVAE) -> None:
    """Learn by hidden features alone; squares of far cells would drown them."""
    encoder, head = _parts(gmvae)
    for part in encoder.modules():
        statistics = getattr(part, "statistics", None)
        if statistics is not None and head.weight.grad is not None:
            head.weight.grad[:, : statistics.size] = 0
