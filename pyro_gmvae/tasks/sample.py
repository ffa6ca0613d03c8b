"""New data from a run's clusters, as a picture or a table."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import sample
from pyro_gmvae.files import written_whole
from pyro_gmvae.runs import Run
from pyro_gmvae.tasks.pictures import draw_samples

__all__ = ["sample_run"]

PICTURES = (".png", ".pdf", ".svg", ".jpg")


def sample_run(
    run: Run, path: str | os.PathLike[str], *, per_cluster: int = 10, seed: int = 0
) -> None:
    """Write ``per_cluster`` draws of each cluster: of images a grid, of tables rows in raw units.

    Raises:
        InputError: for a file of another type than the data's, or one that cannot be written.
    """
    if per_cluster < 1:
        raise InputError(f"per-cluster must be at least 1, got {per_cluster}")
    suffix = Path(path).suffix.lower()
    if run.preprocessor.kind == "image":
        if suffix not in PICTURES:
            raise InputError(
                f"samples of images are a picture: name a file such as {_named(path, '.png')}"
            )
        with written_whole(path) as partial:
            draw_samples(run, per_cluster, seed, partial)
    else:
        if suffix != ".csv":
            raise InputError(
                f"samples of a table are a table: name a file such as {_named(path, '.csv')}"
            )
        with written_whole(path) as partial:
            _write_rows(run, per_cluster, seed, partial)


def _named(path: str | os.PathLike[str], suffix: str) -> str:
    return Path(path).with_suffix(suffix).name


def _write_rows(run: Run, per_cluster: int, seed: int, path: Path) -> None:
    import pandas

    k = run.gmvae.n_components
    y = torch.arange(k).repeat_interleave(per_cluster)
    # Draws from p(x|z), not its means: rows that could be data.
    x, _ = sample(run.gmvae, k * per_cluster, y=y, mean=False, seed=seed)
    raw = run.preprocessor.cpu().inverse(x)
    names = run.details.get("feature_names") or [f"column {i}" for i in range(raw.shape[1])]
    frame = pandas.DataFrame(raw.numpy(), columns=list(names))
    # A feature may have that name too.
    frame.insert(len(names), "cluster", y.numpy(), allow_duplicates=True)
    frame.to_csv(path, index=False, float_format="%.12g")
