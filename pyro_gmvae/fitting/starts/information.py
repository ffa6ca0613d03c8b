"""Begin by the regulariser alone: clusters first, then the likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import ceil

import pyro
import torch
import torch.distributed
from jaxtyping import Float, Int64, Num
from torch import Tensor

from pyro_gmvae.data import ResidentBatches
from pyro_gmvae.fitting.starts.context import StartProgress
from pyro_gmvae.inference import ELBOTerms, Schedule
from pyro_gmvae.models import GMVAE
from pyro_gmvae.models.must_link import MUST_LINK, must_linked
from pyro_gmvae.process.alone import alone
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training import Objective, Reporter, TrainConfig, Transform, fit

__all__ = ["PenaltyObjective", "best_start", "information_loss", "maximize_information"]

MIN_STEPS = 1_000  # what 10 clusters of well separated images take, about
RAMP = 1 / 3  # share of the steps in which the penalty of consistency rises
MIN_CONSISTENCY = 0.05
JUDGED_ROWS = 10_000  # data that a start is judged by, at most


class PenaltyObjective(Objective):
    """Minimise the weighted penalties of a GMVAE's regulariser, and of its links, alone.

    The penalty of consistency is multiplied by the model's ``regularizer_weight``, so that a
    schedule can bring it in little by little.

    Args:
        gmvae: one of the four GMVAEs, with a `pyro_gmvae.models.Regularizer`.

    Raises:
        ValueError: without a regulariser.

    >>> from pyro_gmvae.models import ExactGMVAE, Regularizer
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,))
    >>> gmvae.regularize(Regularizer(lambda x: x + 0.1 * torch.randn_like(x)))
    >>> sorted(PenaltyObjective(gmvae)(torch.randn(8, 2), None).sites)
    ['balance', 'confidence', 'consistency']
    """

    def __init__(self, gmvae: GMVAE) -> None:
        super().__init__()
        if gmvae.regularizer is None:
            raise ValueError("there is nothing to start by: give the model a regulariser first")
        self.gmvae = gmvae

    def forward(self, x: Tensor, labels: Tensor | None, *covariates: Tensor) -> ELBOTerms:
        """Return the penalties of a batch, summed over its rows."""
        sites = self.penalties(x, self.gmvae.weights.regularizer_weight)
        loss = len(x) * torch.stack(list(sites.values())).sum()
        if torch.distributed.is_initialized():
            # Networks that no penalty reaches get a gradient of zero, which processes wait for.
            loss = loss + 0.0 * sum(p.sum() for p in self.gmvae.parameters() if p.requires_grad)
        return ELBOTerms(loss, {n: len(x) * penalty.detach() for n, penalty in sites.items()})

    def penalties(self, x: Tensor, consistency: Tensor | float = 1.0) -> dict[str, Tensor]:
        """Return the mean weighted penalties, that of consistency times another factor."""
        guide, must_link = self.gmvae.guide, self.gmvae.must_link
        regularizer = self.gmvae.regularizer
        assert regularizer is not None
        log_r = guide.log_responsibilities(x)
        found = regularizer.penalties(guide.log_responsibilities, x, log_r, guide.log_p_y())
        weights: dict[str, Tensor | float] = dict(regularizer.weights)
        weights["consistency"] *= consistency
        sites = {name: weights[name] * penalty.mean() for name, penalty in found.items()}
        if must_link is not None:
            cost = must_link.penalty(guide.log_responsibilities, log_r)
            sites[MUST_LINK] = must_link.strength * cost
        return sites


def maximize_information(
    gmvae: GMVAE,
    x: Num[Tensor, "N *event"],
    config: TrainConfig,
    *,
    epochs: float,
    weights: Float[Tensor, " N"] | None = None,
    transform: Transform | None = None,
    reporters: Sequence[Reporter] = (),
) -> None:
    """Train ``gmvae`` in place on the penalties of its regulariser, and of its links, alone.

    This trains the networks that the responsibilities depend on: q(y|x), or in the marginal method
    q(z|x) and p(y|z). A training that follows begins with clusters, and the regulariser keeps them.
    The learning rate falls to zero along a cosine. The penalty of consistency rises over the first
    third. In full from the first step on it would hold on to uniform responsibilities.

    Args:
        gmvae: one of the four GMVAEs, with a `pyro_gmvae.models.Regularizer`.
        x: data, as `pyro_gmvae.training.fit` takes them.
        config: its batch size, learning rate, precision, seed and device.
        epochs: passes over the data; at least as many as make 1,000 steps are taken.
        weights, transform: as in `pyro_gmvae.training.fit`.
        reporters: objects that report the progress of this part alone.

    Raises:
        ValueError: without a regulariser.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(4,))
    >>> maximize_information(gmvae, torch.zeros(8, 1), TrainConfig(), epochs=1)
    Traceback (most recent call last):
        ...
    ValueError: there is nothing to start by: give the model a regulariser first
    """
    objective = PenaltyObjective(gmvae)
    batches = ResidentBatches(
        x.to(config.device or gmvae.model.component_loc.device),
        config.batch_size,
        transform=transform,
        weights=weights,
        drop_last=len(x) > config.batch_size,  # the balance of a few data says little
    )
    total = max(MIN_STEPS, ceil(epochs * len(batches)))
    # From MIN_CONSISTENCY on it rises by 1 / (RAMP * total) a step.
    ramp = (1 - MIN_CONSISTENCY) * RAMP * total
    alone = replace(
        config,
        epochs=ceil(total / len(batches)),
        max_steps=total,
        seed=config.seed or 0,
        learning_rate_schedule="cosine",
        kl_annealing=Schedule(),
        z_kl_annealing=Schedule(),
        temperature=None,
        regularizer_annealing=Schedule(
            "linear", start=MIN_CONSISTENCY, end=1.0, duration=ramp, unit="steps"
        ),
        patience=None,
        compile=False,
        chunk_size=None,
    )
    fit(gmvae, batches, alone, objective=objective, reporters=reporters)


@alone
@torch.no_grad()
def information_loss(
    gmvae: GMVAE,
    x: Num[Tensor, "N *event"],
    *,
    transform: Transform | None = None,
) -> float:
    """Return the weighted penalties per datum, links among them, in nats, at fixed draws.

    Starts are compared by it: lower is better. No label enters it.

    Args:
        gmvae: one of the four GMVAEs, with a `pyro_gmvae.models.Regularizer`.
        x: data; the first 10,000 are judged.
        transform: as in `pyro_gmvae.training.fit`.

    Raises:
        ValueError: without a regulariser.

    >>> from pyro_gmvae.models import ExactGMVAE, Regularizer
    >>> gmvae = ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(4,))
    >>> gmvae.regularize(Regularizer(lambda x: x + 0.1 * torch.randn_like(x)))
    >>> x = torch.tensor([[-3.0], [3.0]])
    >>> information_loss(gmvae, x) == information_loss(gmvae, x)  # the same draws
    True
    """
    device = gmvae.model.component_loc.device
    with forked_rng(device, seed=0), pyro.settings.context(module_local_params=True):
        seen = x[:JUDGED_ROWS].to(device)
        sites = PenaltyObjective(gmvae).penalties(seen if transform is None else transform(seen))
        return torch.stack(list(sites.values())).sum().item()


@alone
def best_start(
    make: Callable[[int], GMVAE],
    seeds: Sequence[int],
    x: Num[Tensor, "N *event"],
    config: TrainConfig,
    *,
    epochs: float,
    must_link: Int64[Tensor, " groups"] | None = None,
    weights: Float[Tensor, " N"] | None = None,
    transform: Transform | None = None,
    reporters: Sequence[Reporter] = (),
) -> GMVAE:
    """Find the best of several starts, by their `information_loss`.

    All are trained by `maximize_information`, and the best one again: n starts cost as much as
    n + 1. They are compared on the data that they are trained on, for the balance of a few hundred
    other data says little (see docs/clusters.md).

    Args:
        make: makes a model with a `pyro_gmvae.models.Regularizer`, from a seed.
        seeds: one for each start, which draws by it too.
        x, config, epochs, transform: as in `maximize_information`.
        must_link: the groups of ``x``, as in `pyro_gmvae.training.fit`.
        weights: how much each datum counts in the trainings, likewise; the starts are compared
            with all data alike.
        reporters: objects that report the progress of the start.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> def make(seed):
    ...     return ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(4,))
    >>> best_start(make, [0, 1], torch.zeros(8, 1), TrainConfig(), epochs=1)
    Traceback (most recent call last):
        ...
    ValueError: there is nothing to start by: give the model a regulariser first
    """
    starts = [(make(seed), replace(config, seed=seed)) for seed in seeds]
    parts = len(starts) + (len(starts) > 1)
    with ExitStack() as stack:
        for gmvae, _ in starts:
            stack.enter_context(must_linked(gmvae, x, must_link, transform=transform))

        def train(gmvae: GMVAE, own: TrainConfig, done: int) -> None:
            progress = StartProgress(reporters, done=done, parts=parts)
            maximize_information(
                gmvae,
                x,
                own,
                epochs=epochs,
                weights=weights,
                transform=transform,
                reporters=[progress],
            )

        try:
            for done, start in enumerate(starts):
                train(*start, done)
            best = starts[0]
            if len(starts) > 1:
                best = min(starts, key=lambda s: information_loss(s[0], x, transform=transform))
                train(*best, len(starts))
        except BaseException:  # no training follows, which would close them
            for reporter in reporters:
                reporter.close()
            raise
    return best[0]
