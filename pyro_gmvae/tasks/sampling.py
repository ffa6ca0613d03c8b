"""Place the rows that a sample left out, and compare the model with models of parts of it."""

from __future__ import annotations

from pyro_gmvae.data import Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import SampleStability
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.plan import plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.train import train

__all__ = ["check_sample", "sample_stability"]

PARTS = 4  # the smallest sample is a quarter of the sample


def check_sample(settings: Settings) -> None:
    """Refuse a sample that is too small for fits of its quarter, or beside known clusters.

    Raises:
        InputError: naming the least sample, or the settings that exclude one another.

    >>> check_sample(Settings.of("a.csv", clusters=5, sample=10_000))
    >>> check_sample(Settings.of("a.csv", clusters=5, sample=10))
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: a sample of 10 rows is too small for 5 clusters...
    """
    data = settings.data
    if data.sample is not None and (data.labels is not None or data.must_link is not None):
        raise InputError(
            "a sample would leave out rows that labels or must-link are known of: leave the sample "
            "out"
        )
    drawn, least = settings.data.sample, 2 * PARTS * settings.model.clusters
    if drawn is not None and drawn < least:
        raise InputError(
            f"a sample of {drawn} rows is too small for {settings.model.clusters} clusters and "
            f"halves of it: draw at least {least}"
        )


def sample_stability(fitted: FittedModel, settings: Settings, splits: Splits) -> SampleStability:
    """Train on half of the sample, and on half of that, and compare clusters on the other rows.

    Args:
        fitted: the model of the whole sample, on the device to answer on.
        settings: those of its training.
        splits: a sample, with the rows that were not drawn.

    Raises:
        NonFiniteLossError: if a training fails.

    >>> from pyro_gmvae.data import load_splits
    >>> splits = load_splits("digits", seed=0).sampled(100, seed=0)
    >>> settings = Settings.of("digits", clusters=1, hidden=(4,), epochs=1, sample=100)
    >>> found = sample_stability(train(plan(settings, splits)), settings, splits)
    >>> found.rows, found.of  # of the rows that are no test rows
    (100, 1617)
    """
    assert splits.rest is not None
    models, part = [fitted], splits
    for _ in range(2):
        part = part.with_share(0.5, seed=settings.training.seed)
        models.append(train(plan(settings, part)).to(fitted.device))
    drawn = len(splits.train) + len(splits.validation)
    return SampleStability.of_clusters(
        [model.responsibilities(splits.rest.x, splits.rest.w).argmax(-1) for model in models],
        n_clusters=fitted.gmvae.n_components,
        rows=drawn,
        of=drawn + len(splits.rest),
        seed=settings.training.seed,
    )
