"""The pictures of a run."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pyro_gmvae.data import Dataset
from pyro_gmvae.evaluation import cluster_means, reconstruct, sample
from pyro_gmvae.files import written_whole
from pyro_gmvae.plots import plot_clusters, plot_grid, plot_history
from pyro_gmvae.runs import Run
from pyro_gmvae.tasks.data import cluster_input, row_responsibilities
from pyro_gmvae.training import Record

__all__ = ["draw_clusters", "draw_history", "draw_reconstructions", "draw_samples"]

N_DRAWN = 10_000  # rows that a picture of clusters chooses its members from
PAIRS, COLUMNS = 4, 12  # of a picture of reconstructions


def draw_clusters(run: Run, data: Dataset, path: Path) -> None:
    """Who is in each cluster: members and means of images, a heat map for tables."""
    x = data.x[:N_DRAWN]
    q_y = row_responsibilities(run.gmvae, run.preprocessor, x)
    figure = plot_clusters(
        _as_seen(run, x),
        q_y,
        cluster_means(run.gmvae),
        feature_names=data.feature_names,
        title=f"{data.name}: {run.gmvae.n_components} clusters, {run.gmvae.method} method",
    )
    with written_whole(path) as partial:
        figure.savefig(partial)


def draw_history(history: list[Record], path: Path) -> None:
    """How the training went."""
    with written_whole(path) as partial:
        plot_history(history).savefig(partial)


def draw_samples(run: Run, per_cluster: int, seed: int, path: Path) -> None:
    """Images drawn from each cluster, one row a cluster."""
    k = run.gmvae.n_components
    y = torch.arange(k).repeat_interleave(per_cluster)
    x, _ = sample(run.gmvae, k * per_cluster, y=y, seed=seed)
    figure = plot_grid(x.unflatten(0, (k, per_cluster)), [str(i) for i in range(k)])
    figure.savefig(path)


def draw_reconstructions(run: Run, data: Dataset, path: Path, *, seed: int = 0) -> None:
    """Images at random, each above what the model makes of it."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    chosen = data.x[order[: PAIRS * COLUMNS]]
    made = reconstruct(run.gmvae, chosen, transform=cluster_input(run.preprocessor))
    seen = _as_seen(run, chosen)
    rows = []
    for start in range(0, len(chosen), COLUMNS):
        for images in (seen, made):
            row = images.new_full((COLUMNS, *images.shape[1:]), torch.nan)
            part = images[start : start + COLUMNS]
            row[: len(part)] = part
            rows.append(row)
    names = ["data", "model"] * (len(rows) // 2)
    title = f"{data.name}: reconstructions, {run.gmvae.method} method"
    with written_whole(path) as partial:
        plot_grid(torch.stack(rows), names, title=title).savefig(partial)


@torch.no_grad()
def _as_seen(run: Run, x: Tensor) -> Tensor:
    """Raw data on the scale of pictures, on the CPU."""
    return run.preprocessor.mean_input(x.to(run.preprocessor.shift.device)).cpu()
