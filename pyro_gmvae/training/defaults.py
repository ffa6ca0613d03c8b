"""What a training takes where the user does not say, by what the data are."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from pyro_gmvae.data import Dataset
from pyro_gmvae.inference import KLAnnealing
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.initialization import MIN_STEPS

__all__ = ["annealing_epochs", "batch_size", "drawn_share", "learning_rate", "start_steps"]

OF_IMAGES, OF_TABLES = 1e-3, 3e-3
STEPS, LEAST = 10, 16  # of an epoch; rows of a step
STEPS_OF_TABLES = 250  # of a start


def annealing_epochs(start: str, event_shape: Sequence[int]) -> float:
    """Epochs until w_t is 1: 10, or 0 for a table that has its clusters by then.

    While KL(q(y|x) || p(y)) costs little, clusters form where there are none, but those that a
    table's training began near drift into each other (see docs/clusters.md).

    Args:
        start: as `pyro_gmvae.training.start_by` gives it, or ``"given"``.
        event_shape: of a datum.
    """
    begun = start not in ("information", "random")
    return 0.0 if begun and _is_table(event_shape) else KLAnnealing.duration


def batch_size(most: int, n_rows: int, event_shape: Sequence[int]) -> int:
    """Rows in a step: ``most``, or of a small table so few that an epoch has about ten steps."""
    return max(LEAST, min(most, n_rows // STEPS)) if _is_table(event_shape) else most


def drawn_share(regularized: bool) -> float:
    """The share of a batch whose drawn cluster the sparse method decodes: a quarter, or all.

    A regularised q(y|x) is sure of nearly every datum, and what it leaves for the drawn cluster
    hardly matters. Trained by the likelihood alone it is not, and a quarter costs some of it (see
    docs/paper.md).
    """
    return 0.25 if regularized else 1.0


def learning_rate(event_shape: Sequence[int]) -> float:
    """Of Adam: 3e-3 for tables, where steps are few, and 1e-3 for images."""
    return OF_TABLES if _is_table(event_shape) else OF_IMAGES


def start_steps(train: Dataset, config: TrainConfig) -> int:
    """Least steps in which a model takes over clusters that its training begins near.

    50, but 250 for a table, or a third of a shorter training: a table's clusters often touch, it
    takes long to learn where, and what a model has not learned it soon leaves (see
    docs/clusters.md). But where labels or groups of some rows are known, it should stay easy to
    leave: they may want other clusters.

    Args:
        train: the rows to train on.
        config: of the training to come.
    """
    if not _is_table(train.event_shape) or train.given is not None or train.groups is not None:
        return MIN_STEPS
    total = config.total_steps(ceil(len(train) / config.batch_size))
    return max(MIN_STEPS, min(STEPS_OF_TABLES, total // 3))


def _is_table(event_shape: Sequence[int]) -> bool:
    return len(event_shape) == 1
