"""Hold where a fitted model comes from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pyro_gmvae.data import MIN_VALIDATION
from pyro_gmvae.evaluation import SampleStability
from pyro_gmvae.stored import typed

__all__ = ["About"]


@dataclass(frozen=True)
class About:
    """Say where a fitted model comes from.

    Attributes:
        name: what the training data are called.
        settings: the settings of the training, by name (see `pyro_gmvae.fitting.settings`).
        class_names: names of the classes that the data came with, if they have any.
        fingerprint: the digest of the training rows (see `pyro_gmvae.data.Dataset.fingerprint`).
        known_rows: rows of the source that were kept in training, for they had a label or a group.
        least_validation: the fewest rows that were held out for early stopping.
        streamed_rows: the training rows that were read in stream, where only a sample was in
            memory; None for rows in memory.
        stopped: why training ended: ``"patience"``, ``"epochs"``, ``"schedule"`` (the learning
            rate had fallen to almost zero), ``"max_steps"``, or ``"non-finite loss"``; None if it
            has not.
        best_epoch: the epoch whose weights were kept; None if they are the last ones.
        n_steps: gradient steps in all.
        seconds: the duration of the training.
        lower_bound: mean ELBO of the training rows, in nats, in raw units; None if unknown.
        held: whether q(y|x) stayed as it began; None if unknown.
        kept_clusters: the former numbers of the clusters of a pruned model.
        estimator: the estimator's parameters that a training does not depend on.
        sample: what is known of a training on a sample of the rows; None for all rows.

    >>> About("digits").name
    'digits'
    """

    name: str = "data"
    settings: dict[str, Any] | None = None
    class_names: tuple[str, ...] | None = None
    fingerprint: str | None = None
    known_rows: tuple[int, ...] | None = None
    least_validation: int = MIN_VALIDATION
    streamed_rows: int | None = None
    stopped: str | None = None
    best_epoch: float | None = None
    n_steps: int | None = None
    seconds: float | None = None
    lower_bound: float | None = None
    held: bool | None = None
    kept_clusters: tuple[int, ...] | None = None
    estimator: dict[str, Any] = field(default_factory=dict)
    sample: SampleStability | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> About:
        """Rebuild what `to_dict` gave, from JSON.

        Raises:
            InputError: for other names or types.
        """
        return typed(cls, values, "about")
