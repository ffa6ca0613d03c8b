import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.data import Column, Schema
from pyro_gmvae.evaluation import select
from pyro_gmvae.plots import (
    plot_cluster_members,
    plot_cluster_profiles,
    plot_column_profiles,
    plot_grid,
    plot_history,
    plot_selection,
)
from pyro_gmvae.plots.profiles import MAX_COLUMNS
from pyro_gmvae.plots.rows import MAX_ROWS
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


def test_rows_of_a_heat_map_count_by_their_weights() -> None:
    x, clusters = torch.tensor([[0.0], [4.0], [1.0]]), torch.tensor([0, 0, 1])
    weights = torch.tensor([3.0, 1.0, 1.0])
    figure = plot_cluster_profiles(x, assigned(clusters, 2), weights=weights)
    drawn = figure.axes[0].images[0].get_array()
    assert drawn[:, 0].tolist() == [1, 1]
    assert {"0    80.0%", "1    20.0%"} <= set(texts(figure))
    images = x.view(3, 1, 1, 1).expand(3, 1, 4, 4) / 4
    assert "80.0%" in texts(plot_cluster_members(images, assigned(clusters, 2), weights=weights))


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


MIXED = Schema(
    (
        Column("age"),
        Column("spend", "amount"),
        Column("visits", "count"),
        Column("since", "date", "date", format="%Y-%m-%d"),
        Column("gain", "spike", usual=0.0),
        Column("paid", "binary", "text", levels=("no", "yes")),
        Column("tier", "category", "text", levels=("gold", "silver", "tin")),
        Column("children", "ordinal", levels=(0.0, 1.0, 2.0)),
    )
)
ROWS = [  # two customers of one cluster, one of another, and cells that are missing
    [20.0, 10.0, 1.0, 15_000.0, 0.0, 0.0, 0.0, 0.0],
    [30.0, 20.0, 3.0, 15_000.0, 500.0, 1.0, 0.0, 1.0],
    [50.0, torch.nan, 9.0, 18_000.0, 0.0, 1.0, 2.0, 2.0],
    [torch.nan, torch.nan, 9.0, 18_000.0, 0.0, 1.0, 2.0, 2.0],
]


def test_profiles_of_several_kinds_of_columns_say_what_is_in_the_rows() -> None:
    x, q = torch.tensor(ROWS), assigned(torch.tensor([0, 0, 1, 1]), 3)
    figure = plot_column_profiles(MIXED, x, q, title="shop")
    found = texts(figure)
    assert {"shop", "0    50.0%", "empty", "25", "15", "2011-01", "50%: 500", "50%"} <= set(found)
    assert {"gold: 100%", "tin: 100%", "no cell", "100%"} <= set(found)
    assert {"age (25% gaps)", "spend (50% gaps)", "gain ≠ 0", "paid = yes"} <= set(found)
    figure.canvas.draw()


def test_rows_of_profiles_count_by_their_weights() -> None:
    x, q = torch.tensor(ROWS[:2] + ROWS[2:3]), assigned(torch.tensor([0, 0, 1]), 2)
    weighted = plot_column_profiles(MIXED, x, q, weights=torch.tensor([3.0, 1.0, 1.0]))
    repeated = plot_column_profiles(
        MIXED, x[[0, 0, 0, 1, 2]], assigned(torch.tensor([0, 0, 0, 0, 1]), 2)
    )
    assert texts(weighted) == texts(repeated)
    assert {"0    80.0%", "22.5"} <= set(texts(weighted))


def test_close_dates_have_a_day() -> None:
    x = torch.tensor([[19_000.0], [19_030.0]])
    schema = Schema((Column("since", "date", "date", format="%Y-%m-%d"),))
    found = texts(plot_column_profiles(schema, x, assigned(torch.arange(2), 2)))
    assert {"2022-01-08", "2022-02-07"} <= set(found)


def test_columns_that_tell_clusters_apart_are_drawn_first() -> None:
    clusters = torch.arange(200) % 2
    noise = torch.randn(200, MAX_COLUMNS + 5)
    x = torch.cat([noise, clusters.unsqueeze(1) * 10.0 + noise[:, :1]], 1)
    schema = Schema.of_numbers(x.shape[1], [f"name {i}" for i in range(x.shape[1])])
    found = texts(plot_column_profiles(schema, x, assigned(clusters, 2), title="wide"))
    said = f"wide ({MAX_COLUMNS} of {x.shape[1]} columns, those that tell clusters apart most)"
    assert {said, f"name {x.shape[1] - 1}"} <= set(found)
    assert sum(t.startswith("name ") for t in found) == MAX_COLUMNS


@pytest.mark.parametrize("copies", [1, 3, 8])
@pytest.mark.parametrize("clusters", [3, 40])
def test_texts_of_profiles_do_not_cover_one_another(copies: int, clusters: int) -> None:
    columns = tuple(
        replace(c, name=f"{c.name} of the year {i}") for c in MIXED.columns for i in range(copies)
    )
    x = torch.tensor(ROWS).repeat_interleave(copies, 1).repeat(clusters, 1)
    q = assigned(torch.arange(len(x)) % clusters, clusters)
    figure = plot_column_profiles(Schema(columns), x, q, title="many")
    renderer = FigureCanvasAgg(figure).get_renderer()
    page = figure.bbox
    for axes in figure.axes:
        level = [t for t in axes.texts if t.get_text() and not t.get_rotation()]
        boxes = [t.get_window_extent(renderer) for t in level]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        every = [t.get_window_extent(renderer) for t in axes.texts if t.get_text()]
        assert all(page.x0 <= b.x0 and b.x1 <= page.x1 and b.y1 <= page.y1 for b in every)


NAN = float("nan")
ODD = {
    "one column without a name": ([Column(None)], [[1.0], [2.0], [NAN]]),
    "a name that is long, and no text": (
        [Column("a$b$\x1b[31m\n" + "x" * 200)],
        [[1.0], [2.0], [3.0]],
    ),
    "levels that are no words": (
        [Column("t", "category", "text", levels=("$a$", "b\n", "", "é" * 90))],
        [[0.0], [2.0], [3.0]],
    ),
    "huge numbers": (
        [Column("s", "spike", usual=-1e300), Column("n", "amount")],
        [[-1e300, -1e9], [1e300, 1e300], [NAN, 0.0]],
    ),
    "dates beyond the calendar": (
        [Column("d", "date", "date", format="%Y"), Column("year", "date")],
        [[1e9, 1990.0], [-1e9, 2000.0], [NAN, NAN]],
    ),
    "no cell, and one value": ([Column("a"), Column("b")], [[NAN, 5.0], [NAN, 5.0], [NAN, 5.0]]),
    "many levels": (
        [Column("t", "category", levels=tuple(map(float, range(10_000))))],
        [[0.0], [9999.0], [5.0]],
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("columns", "rows"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("weights", [None, torch.tensor([0.0, 1.0, 2.0])])
def test_odd_tables_are_drawn(
    columns: list[Column], rows: list[list[float]], weights: Tensor | None
) -> None:
    x = torch.tensor(rows, dtype=torch.float64)
    figure = plot_column_profiles(Schema(tuple(columns)), x, torch.eye(3), weights=weights)
    FigureCanvasAgg(figure).draw()
