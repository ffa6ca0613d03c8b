import subprocess
import sys

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.evaluation import select
from pyro_gmvae.plots import (
    plot_cluster_members,
    plot_cluster_profiles,
    plot_grid,
    plot_history,
    plot_selection,
)
from pyro_gmvae.plots.clusters import MAX_ROWS
from tests.evaluation.test_selection import candidates


def texts(figure: Figure) -> list[str]:
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
        found += [label.get_text() for label in axes.get_yticklabels() + axes.get_xticklabels()]
        found.append(axes.get_title(loc="left"))
    return found


def assigned(clusters: Tensor, k: int) -> Tensor:
    return one_hot(clusters, k).float()


@pytest.mark.parametrize("channels", [1, 3])
def test_images_with_an_empty_cluster(channels: int) -> None:
    x, q = torch.rand(30, channels, 8, 8), assigned(torch.arange(30) % 2, 3)
    figure = plot_cluster_members(x, q, torch.rand(3, channels, 8, 8), title="three")
    found = texts(figure)
    assert {"0", "1", "2", "50.0%", "empty", "mean", "three"} <= set(found)
    figure.canvas.draw()


def test_surest_members_come_first() -> None:
    x = torch.linspace(0.1, 0.9, 9).reshape(9, 1, 1, 1).expand(9, 1, 4, 4)
    q = torch.stack([1 - x[:, 0, 0, 0] / 3, x[:, 0, 0, 0] / 3], -1)
    figure = plot_cluster_members(x, q, n_confident=3, n_random=0)
    picture = figure.axes[0].images[0].get_array()
    assert torch.tensor(picture[0, ::5]).float().allclose(torch.tensor([0.1, 0.2, 0.3]))


def test_only_the_largest_of_many_clusters() -> None:
    k = MAX_ROWS + 5
    x = torch.rand(2 * k, 1, 4, 4)
    q = assigned(torch.arange(2 * k) % k, k)
    for figure in (
        plot_cluster_members(x, q, title="many"),
        plot_cluster_profiles(x.flatten(1), q, title="many"),
    ):
        assert f"many (the {MAX_ROWS} largest)" in texts(figure)


@pytest.mark.parametrize("columns", [1, 5, 30, 100])
def test_table(columns: int) -> None:
    x, q = torch.randn(30, columns), assigned(torch.arange(30) % 2, 3)
    names = [f"name {i}" for i in range(columns)]
    figure = plot_cluster_profiles(x, q, feature_names=names, title="table")
    found = texts(figure)
    assert "empty" in found
    assert ("name 0" in found) == (columns < 60)
    figure.canvas.draw()


def test_grid() -> None:
    figure = plot_grid(torch.rand(2, 4, 1, 5, 7), ["a", "b"])
    assert {"a", "b"} <= set(texts(figure))
    assert figure.axes[0].images[0].get_array().shape == (2 * 6 - 1, 4 * 8 - 1)


@pytest.mark.parametrize("epochs", [1, 30])
@pytest.mark.parametrize("held_out", [False, True])
def test_history(epochs: int, held_out: bool) -> None:
    history = [
        {"epoch": i + 1, "elbo": -100 / (i + 1), "kl_z": 2.0, "kl_y": 1.0, "clusters_in_use": 3}
        | ({"validation_elbo": -90 / (i + 1)} if held_out else {})
        for i in range(epochs)
    ]
    figure = plot_history(history)
    assert len(figure.axes) == 3
    assert len(figure.axes[0].lines) == 1 + held_out
    figure.canvas.draw()


def test_selection_marks_the_chosen_number() -> None:
    figure = plot_selection(select(candidates()), title="blobs")
    assert "blobs: 3 clusters" in texts(figure)
    for axes in figure.axes:
        assert axes.lines[-1].get_xdata().tolist() == [3]
    figure.canvas.draw()


def test_matplotlib_is_imported_when_drawing() -> None:
    code = "import sys, pyro_gmvae.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
