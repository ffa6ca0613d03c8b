"""The figures of a run on some data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyro_gmvae.data import Dataset
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import evaluate
from pyro_gmvae.runs import Run
from pyro_gmvae.tasks.data import cluster_input

__all__ = ["Figures", "evaluate_run"]


@dataclass(frozen=True)
class Figures:
    """What `evaluate_run` found.

    Attributes:
        values: plain JSON, likelihoods in nats per datum, and ``bits_per_dim`` where p(x) is a
            probability over the levels of 8-bit images; null where a figure is not finite.
        warning: why the log-likelihood is not to be trusted, in plain words, or None.
    """

    values: dict[str, Any]
    warning: str | None


def evaluate_run(
    run: Run, data: Dataset, *, num_samples: int = 500, seed: int = 0, part: str = "all"
) -> Figures:
    """Evaluate on ``data``, on the device that the model is on.

    The densities of a table are in its raw units, so that figures compare between
    standardisations: log p(raw) = log p(x) - sum of log scale. Those of images are of their pixels
    on [0, 1], or no densities but the probabilities of their 256 levels.

    Args:
        run: a trained model.
        data: in raw units.
        num_samples: importance samples for each datum.
        seed: fixes every draw.
        part: which rows these are, for the record.

    Raises:
        InputError: for data that do not fit, or ``num_samples`` below 1.
    """
    if num_samples < 1:
        raise InputError(f"samples must be at least 1, got {num_samples}")
    preprocessor = run.preprocessor.to(run.gmvae.model.component_loc.device)
    evaluation = evaluate(
        run.gmvae,
        data.x,
        labels=data.y,
        num_samples=num_samples,
        transform=preprocessor,
        encode_mean=cluster_input(preprocessor),
        seed=seed,
    )
    about = {"data": data.name, "split": part, "clusters": run.gmvae.n_components}
    values: dict[str, Any] = about | evaluation.to_dict()
    for name in ("log_likelihood", "elbo"):
        if values[name] is not None:
            values[name] += preprocessor.log_abs_det().item()
    return Figures(values, evaluation.likelihood.warning)
