"""Several runs on the same data: what they agree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyro_gmvae.data import Dataset
from pyro_gmvae.evaluation import Stability, responsibilities, stability
from pyro_gmvae.runs import Run
from pyro_gmvae.tasks.data import cluster_input

if TYPE_CHECKING:
    import pandas

__all__ = ["agreed_clusters", "compare_runs"]


def compare_runs(runs: Sequence[Run], data: Sequence[Dataset], *, seed: int = 0) -> Stability:
    """How far ``runs`` agree on the same rows.

    Args:
        runs: trained models; they may differ in method and in K.
        data: the rows as each run knows them, one data set for each run.
        seed: of a random binarisation, where a model has no other input.

    Raises:
        InputError: for fewer than two runs.
    """
    found = []
    for run, rows in zip(runs, data, strict=True):
        preprocessor = run.preprocessor.to(run.gmvae.model.component_loc.device)
        seen = cluster_input(preprocessor)
        found.append(responsibilities(run.gmvae, rows.x, transform=seen, seed=seed))
    return stability(found)


def agreed_clusters(report: Stability, data: Dataset) -> pandas.DataFrame:
    """Columns ``row``, ``cluster``, ``probability`` (the mean one) and ``agreement``.

    Agreement is the share of the runs that put the row there. The rows of a folder of images have
    their ``file`` as well.
    """
    import pandas

    probability, cluster = report.consensus.max(-1)
    columns: dict[str, object] = {"row": range(len(data))}
    if data.row_names is not None:
        columns["file"] = data.row_names
    columns |= {
        "cluster": cluster.numpy(),
        "probability": probability.numpy(),
        "agreement": report.agreement.numpy(),
    }
    return pandas.DataFrame(columns)
