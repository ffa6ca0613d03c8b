"""Say how many segments the data support, and how stable each segment is, if that was measured."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.report.words import numbered
from pyro_gmvae.runs.findings import (
    FoundNumber,
    FoundStability,
    Recurrence,
    read_selection,
    read_stability,
    rows_of,
    selection_beside,
)
from pyro_gmvae.runs.recipe import quoted, select_command

__all__ = [
    "Support",
    "commands_for",
    "selection_sentence",
    "stability_sentence",
    "support_cautions",
    "support_of",
    "unknown_sentence",
]

RESAMPLES = 5  # that the command of a report makes


@dataclass(frozen=True)
class Support:
    """Hold what other trainings say of the segments.

    Attributes:
        selection: of their number; None if no selection was run.
        other_rows: whether the selection was of other rows than the run's training.
        stability: of each one; None if no resamples were made.

    >>> Support().to_dict()
    {'selection': None, 'other_rows': False, 'stability': None}
    """

    selection: FoundNumber | None = None
    other_rows: bool = False
    stability: FoundStability | None = None

    def of(self, cluster: int) -> Recurrence | None:
        """Return how well a cluster is found again; None if that is not known."""
        known = () if self.stability is None else self.stability.clusters
        return next((each for each in known if each.cluster == cluster), None)

    def place(self, cluster: int) -> int:
        """Return the place of a cluster among those whose stability is known."""
        assert self.stability is not None
        return [each.cluster for each in self.stability.clusters].index(cluster)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def support_of(
    run: str | os.PathLike[str],
    fitted: FittedModel,
    selection: str | os.PathLike[str] | None = None,
) -> Support:
    """Gather what is known beside a run.

    Args:
        run: its folder.
        fitted: its model.
        selection: the folder of a selection; None takes one of the same training rows that lies
            beside the run.

    Raises:
        InputError: if a file is damaged, or no selection is in the folder that is named.

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> with TemporaryDirectory() as folder:
    ...     support_of(folder, fitted).to_dict()
    {'selection': None, 'other_rows': False, 'stability': None}
    """
    folder = selection or selection_beside(run, fitted.about.fingerprint)
    if folder is None:
        return Support(stability=read_stability(run))
    other = rows_of(folder) != fitted.about.fingerprint
    return Support(read_selection(folder), other, read_stability(run))


def selection_sentence(support: Support, given: int) -> str:
    """Say what a selection recommends, and of which rows.

    >>> found = FoundNumber("customers", 3, 100, 4, True, (), ())
    >>> selection_sentence(Support(found), 4)
    'A selection of 3 trainings with each number of clusters recommends 4, as this model has.'
    """
    found = support.selection
    assert found is not None
    own = "as this model has" if found.n_clusters == given else f"and this model has {given}"
    doubt = "" if found.sure else " The recommendation is not sure."
    if support.other_rows:
        doubt += " It is of other rows than those that this run was trained on."
    return (
        f"A selection of {found.runs} trainings with each number of clusters recommends "
        f"{found.n_clusters}, {own}.{doubt}"
    )


def stability_sentence(found: FoundStability) -> str:
    """Say how the stability of segments was measured.

    >>> stability_sentence(FoundStability(90, 2, 0.9, 0.8, (1.0, 0.8), ())).split(". ")[0]
    'The model was trained again 2 times, on halves of its rows'
    """
    times = "once" if found.resamples == 1 else f"{found.resamples} times"
    return (
        f"The model was trained again {times}, on halves of its rows. The Jaccard index of a "
        "segment compares it with the most similar segment of such a training: it is the number "
        "of rows in both over the number in either. From 0.75 on a segment is called stable, "
        "below 0.6 unstable."
    )


def unknown_sentence(support: Support) -> str:
    """Say what no other training was asked.

    >>> unknown_sentence(Support())
    'This run alone does not tell how many segments the data support, nor whether other rows ...'
    """
    unknown = []
    if support.selection is None:
        unknown.append("how many segments the data support")
    if support.stability is None:
        unknown.append("whether other rows would give the same segments")
    return (
        f"This run alone does not tell {', nor '.join(unknown)}. The next report shows what is "
        "found by:"
    )


def commands_for(support: Support, run: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Write the commands that find out what is not known.

    Args:
        support: what is known.
        run: how the run is called.
        settings: those of its training that are known.

    >>> commands_for(Support(), "runs/a", {"data": "a.csv", "method": "sparse", "clusters": 3})
    ('pyro-gmvae select a.csv --clusters 2:10 --out runs/a-how-many', 'pyro-gmvae stability ...')
    """
    made = []
    if support.selection is None and settings.get("data") is not None:
        made.append(select_command(dict(settings), f"{run.rstrip('/')}-how-many"))
    if support.stability is None:
        made.append(quoted(["stability", run, "--resamples", str(RESAMPLES)]))
    return tuple(made)


def support_cautions(support: Support, given: int) -> Iterator[str]:
    """Say where other trainings do not support the segments.

    >>> found = FoundNumber("customers", 3, 100, 4, True, (), ())
    >>> next(support_cautions(Support(found), 6)).split(". ")[0]
    'The model has 6 clusters, and a selection recommends 4'
    """
    number = support.selection
    if number is not None and number.n_clusters != given:
        yield (
            f"The model has {given} clusters, and a selection recommends {number.n_clusters}. "
            "Segments beyond that number may not come back."
        )
    known = () if support.stability is None else support.stability.clusters
    unstable = [each.cluster for each in known if each.verdict != "stable"]
    if unstable:
        yield (
            f"Trainings on other rows did not find {numbered('segment', unstable)} again well. "
            "What is said there may be an accident of these rows."
        )
