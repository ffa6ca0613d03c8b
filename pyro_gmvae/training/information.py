"""A start by the regulariser alone: clusters first, then the likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import ceil, inf

import pyro
import torch
from accelerate import Accelerator
from jaxtyping import Int64, Num
from torch import Tensor

from pyro_gmvae.data import Batches
from pyro_gmvae.models import GMVAE
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.context import training_context
from pyro_gmvae.training.device import make_accelerator
from pyro_gmvae.training.links import linked
from pyro_gmvae.training.loop import Transform
from pyro_gmvae.training.objective import warn_uncompiled
from pyro_gmvae.training.recorded import Recorded
from pyro_gmvae.training.reporters import Reporter
from pyro_gmvae.training.resources import whether_to_record

__all__ = ["best_start", "information_loss", "maximize_information"]

MIN_STEPS = 1_000  # what 10 clusters of well separated images take, about
RAMP = 1 / 3  # of the steps
MIN_CONSISTENCY = 0.05
REPORTED = 10_000  # data that a start is judged by, at most


def maximize_information(
    gmvae: GMVAE,
    x: Num[Tensor, "N *event"],
    config: TrainConfig,
    *,
    epochs: float,
    transform: Transform | None = None,
    told: Callable[[float], None] | None = None,
) -> None:
    """Train ``gmvae`` in place on the penalties of its regulariser, and of its links, alone.

    What is trained is what the responsibilities depend on: q(y|x), or in the marginal method q(z|x)
    and p(y|z). A training that follows begins with clusters, and the regulariser keeps them. The
    learning rate falls to zero along a cosine. Consistency comes in little by little over the first
    third: in full from the first step on it would hold on to uniform responsibilities.

    Args:
        gmvae: one of the four GMVAEs, with a `Regularizer`.
        x: data, as `pyro_gmvae.training.fit` takes them.
        config: its batch size, learning rate, precision, seed and device.
        epochs: passes over the data; at least as many as make 1,000 steps are taken.
        transform: as in `pyro_gmvae.training.fit`.
        told: told after each step which share of the steps is done.

    Raises:
        ValueError: without a regulariser.
    """
    accelerator = make_accelerator(config.device)
    device = accelerator.device
    batches = Batches(
        x.to(device),
        config.batch_size,
        transform=transform,
        generator=torch.Generator(device).manual_seed(config.seed or 0),
        drop_last=len(x) > config.batch_size,  # the balance of a few data says little
    )
    total = max(MIN_STEPS, ceil(epochs * len(batches)))
    with forked_rng(device, seed=config.seed), training_context(gmvae, config, accelerator):
        make_step = _Step(gmvae, config, accelerator)
        falling = replace(config, learning_rate_schedule="cosine")
        step = 0
        while step < total:
            for x_batch, *_ in batches:
                make_step.consistency.fill_(min(1.0, MIN_CONSISTENCY + step / (RAMP * total)))
                make_step.learning_rate.fill_(falling.learning_rate_at(step, total))
                make_step.run(x_batch)
                step += 1
                if told is not None:
                    told(step / total)
                if step == total:
                    break
        gmvae.eval()


@torch.no_grad()
def information_loss(
    gmvae: GMVAE,
    x: Num[Tensor, "N *event"],
    *,
    transform: Transform | None = None,
) -> float:
    """The weighted penalties per datum, links among them, in nats, at the same draws every time.

    The criterion that starts are compared by: lower is better. No label enters it.

    Args:
        gmvae: one of the four GMVAEs, with a `Regularizer`.
        x: data, of which the first 10,000 are looked at.
        transform: as in `pyro_gmvae.training.fit`.

    Raises:
        ValueError: without a regulariser.
    """
    device = gmvae.model.component_loc.device
    with forked_rng(device, seed=0), pyro.settings.context(module_local_params=True):
        seen = x[:REPORTED].to(device)
        return _loss(gmvae, seen if transform is None else transform(seen)).item()


def best_start(
    make: Callable[[int], GMVAE],
    seeds: Sequence[int],
    x: Num[Tensor, "N *event"],
    config: TrainConfig,
    *,
    epochs: float,
    groups: Int64[Tensor, " groups"] | None = None,
    judged: Num[Tensor, "M *event"] | None = None,
    transform: Transform | None = None,
    reporters: Sequence[Reporter] = (),
) -> GMVAE:
    """The best of several starts, by successive halving on `information_loss`.

    All are trained by `maximize_information`, then the better half again, until one is left: n
    starts cost about as much as 2 n.

    Args:
        make: a model with a `Regularizer`, from a seed.
        seeds: one for each start, which draws by it too.
        x, config, epochs, transform: as of `maximize_information`.
        groups: of ``x``, as in `pyro_gmvae.training.fit`.
        judged: data to judge by that are not in ``x``; without any, ``x`` itself.
        reporters: told how far the start is.
    """
    rounds = [len(seeds)]
    while rounds[-1] > 1:
        rounds.append(rounds[-1] // 2)
    done = 0

    def told(share: float) -> None:
        for reporter in reporters:
            reporter.beginning((done + share) / sum(rounds))

    starts = [(make(seed), replace(config, seed=seed)) for seed in seeds]
    judged = x if judged is None else judged
    with ExitStack() as stack:
        for gmvae, _ in starts:
            stack.enter_context(linked(gmvae, x, groups, transform=transform))
        try:
            for _ in rounds:
                for gmvae, own in starts:
                    maximize_information(
                        gmvae, x, own, epochs=epochs, transform=transform, told=told
                    )
                    done += 1
                if len(starts) > 1:
                    starts.sort(key=lambda s: information_loss(s[0], judged, transform=transform))
                    del starts[len(starts) // 2 :]
        except BaseException:
            for reporter in reporters:
                reporter.close()
            raise
    return starts[0][0]


class _Step:
    """A gradient step on the penalties alone; on a GPU recorded where it can be.

    Attributes:
        consistency: the factor of that penalty.
        learning_rate: of the optimizer. Both are tensors, filled in place.
        run: the step, with a batch.
    """

    def __init__(self, gmvae: GMVAE, config: TrainConfig, accelerator: Accelerator) -> None:
        device = accelerator.device
        self.gmvae = gmvae
        self.clip_norm = config.clip_norm or inf
        self.consistency = torch.ones((), device=device)
        self.learning_rate = torch.tensor(config.learning_rate, device=device)
        self.parameters = [p for p in gmvae.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, self.learning_rate, fused=True)
        self.run: Callable[[Tensor], None] = self._run
        if whether_to_record(config, accelerator):
            self.run = Recorded(self._run, self.optimizer, device, warn_uncompiled)

    def _run(self, x: Tensor) -> None:
        _loss(self.gmvae, x, consistency=self.consistency).backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()


def _loss(gmvae: GMVAE, x: Tensor, *, consistency: Tensor | float = 1.0) -> Tensor:
    """The mean weighted penalties, that of consistency by another factor as well."""
    guide, regularizer, must_link = gmvae.guide, gmvae.regularizer, gmvae.must_link
    if regularizer is None:
        raise ValueError("there is nothing to start by: give the model a regulariser first")
    log_r = guide.log_responsibilities(x)
    penalties = regularizer.penalties(guide.log_responsibilities, x, log_r, guide.log_p_y())
    weights: dict[str, Tensor | float] = dict(regularizer.weights)
    weights["consistency"] *= consistency
    terms = [weights[name] * p.mean() for name, p in penalties.items()]
    if must_link is not None:
        terms.append(must_link.strength * must_link.penalty(guide.log_responsibilities, log_r))
    return torch.stack(terms).sum()
