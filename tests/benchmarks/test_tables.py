"""The studies of mixed tables: they run, and their arithmetic is right on what is known."""

from __future__ import annotations

import json
from argparse import Namespace
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.measuring.study_cells import summed
from benchmarks.tables import commands, density, generated, imputation, rivals
from benchmarks.tables.contenders import CONTENDERS, OURS, Case
from benchmarks.tables.dependent_picture import matched
from benchmarks.tables.description import described
from benchmarks.tables.encoding import Scale, hidden
from benchmarks.tables.real_tables import ADULT_COLUMNS, ADULT_KINDS, TABLES
from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from tests.benchmarks.conftest import Bench

MIXED = "clusters_are" in signature(GMVAE).parameters
needs_mixed = pytest.mark.skipif(not MIXED, reason="the estimator does not take mixed tables")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Small tables with the names and columns of the real ones; one in ten cells is missing."""
    rng = np.random.default_rng(0)
    files = {"adult": 400, "adult-test": 300, "wholesale": 120}
    for name, n in files.items():
        table = TABLES[name]
        columns = ADULT_COLUMNS if name.startswith("adult") else [*table.kinds, *table.held_out]
        frame = pd.DataFrame(
            {column: cells_of(table.kinds.get(column, ""), n, rng) for column in columns}
        )
        path = tmp_path / table.file
        path.parent.mkdir(exist_ok=True)
        if name.startswith("adult"):
            head = "|1x3 Cross validator\n" if name == "adult-test" else ""
            path.write_text(head + frame.to_csv(index=False, header=False))
        else:
            frame.to_csv(path, index=False)
    return tmp_path


def cells_of(kind: str, n: int, rng: np.random.Generator) -> pd.Series:
    if kind in ("real", "amount"):
        return pd.Series(rng.integers(1, 1000, n))
    if kind == "spike":
        return pd.Series(np.where(rng.random(n) < 0.8, 0, rng.integers(1, 1000, n)))
    if kind == "ordinal":
        return pd.Series(rng.integers(0, 9, n))
    levels = rng.integers(0, 2 if kind == "binary" else 3, n)
    return pd.Series(np.array(["one", "two", "three"])[levels]).mask(rng.random(n) < 0.1)


def run(bench: Bench, *options: object) -> dict[str, Any]:
    result = bench(*options, "--device", "cpu", "--out", "found/out.json")
    assert result.exit_code == 0, result.stderr
    values: dict[str, Any] = json.loads(Path("found/out.json").read_text())
    assert values["benchmark"] == options[0]
    return values


def test_generated(bench: Bench) -> None:
    values = run(bench, "tables-generated", "--small", "--seeds", 2)
    rows = {row["contender"]: row for row in values["results"]}
    assert list(rows) == ["em-from-truth", "em", "kmeans"]
    assert all(row["seeds"] == [0, 1] and len(row["ari"]) == 2 for row in rows.values())
    assert rows["em"]["ari"] == pytest.approx(rows["em-from-truth"]["ari"], abs=0.1)
    assert min(rows["em"]["ari"]) > max(rows["kmeans"]["ari"])
    cells = sorted(Path("found/cells/out").iterdir())
    assert len(cells) == 6
    (machine,) = values["machines"]
    assert machine["versions"].keys() >= {"numpy", "scikit-learn"}
    assert machine["cells"] == 6
    before = [path.stat().st_mtime_ns for path in cells]
    run(bench, "tables-generated", "--small", "--seeds", 2)
    assert before == [path.stat().st_mtime_ns for path in cells]


def test_real(bench: Bench, tables: Path) -> None:
    values = run(bench, "tables-real", "--small", "--data-dir", tables)
    assert str(tables) not in json.dumps(values)
    for row in values["results"]:
        assert row["held_out"][0].keys() == {"Channel", "Region"}
        assert len(row["agreement"]) == 1
        assert all(sum(sizes) == 120 for sizes in row["sizes"])
        assert len(row["description"][0]) == sum(size > 0 for size in row["sizes"][0])
    refused = bench("tables-real", "--small", "--data-dir", "nowhere")
    assert refused.exit_code == 2
    assert "name the folder of the tables by --data-dir" in refused.stderr


def test_density(bench: Bench, tables: Path) -> None:
    values = run(bench, "tables-density", "--small", "--data-dir", tables)
    found = {row["contender"]: row["log_density"][0] for row in values["results"]}
    # The columns are independent, and a mixture's overfit is small.
    assert found["em"] == pytest.approx(found["independent"], abs=1)


def test_imputation(bench: Bench) -> None:
    values = run(bench, "tables-imputation", "--small")
    rows = {row["contender"]: row for row in values["results"]}
    assert rows["em"]["numbers"] < rows["mean"]["numbers"]
    assert rows["em"]["levels"] > rows["mean"]["levels"]
    assert rows["mean"]["numbers"][0] == pytest.approx(1, abs=0.1)


def test_picture(bench: Bench) -> None:
    (row,) = run(bench, "tables-picture", "--small", "--picture", "a/b.png")["results"]
    assert row["contender"] == "em"
    assert Path("a/b.png").stat().st_size > 0


@needs_mixed
def test_ours(bench: Bench, tables: Path) -> None:
    ours = ["--contenders", "held", "free"]
    rows = run(bench, "tables-generated", "--small", *ours)["results"]
    assert {row["contender"] for row in rows} == {"held", "free"}
    run(bench, "tables-density", "--small", "--data-dir", tables, "--cells", "d", *ours)
    run(bench, "tables-imputation", "--small", "--cells", "i", *ours)


@needs_mixed
def test_step(bench: Bench) -> None:
    values = run(bench, "tables-step", "--small")
    assert [row["clusters"] for row in values["results"]] == [2, 3]
    assert all(row["seconds"] > row["product_seconds"] > 0 for row in values["results"])


def test_missing_rivals_are_refused_before_anything_is_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rivals, "find_spec", lambda name: None)
    result = bench("tables-generated", "--small", "--contenders", "em", "stepmix", "kprototypes")
    assert result.exit_code == 2
    assert "`pip install kmodes stepmix`" in result.stderr
    assert not Path("cells").exists()


@pytest.mark.parametrize(("name", "package"), rivals.PACKAGES.items())
def test_rivals(name: str, package: str) -> None:
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    case = two_groups()
    found = CONTENDERS[name](case)
    assert case.labels is not None
    assert (matched(case.labels, found) == case.labels).mean() > 0.95


def two_groups(n: int = 200) -> Case:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    frame = pd.DataFrame(
        {
            "r": rng.normal(size=n) + 8 * y,
            "a": np.exp(rng.normal(size=n) + 5 * y),
            "n": rng.poisson(1 + 20 * y),
            "c": np.array(["x", "y", "z"])[y + (rng.random(n) < 0.1)],
        }
    )
    kinds = {"r": "real", "a": "amount", "n": "count", "c": "category"}
    return Case(hidden(frame, 0.1, rng), kinds, 2, 0, labels=y)


@pytest.mark.parametrize("name", [n for n in CONTENDERS if n not in (*OURS, *rivals.PACKAGES)])
def test_contenders_find_two_groups(name: str) -> None:
    case = two_groups()
    assert case.labels is not None
    assert (matched(case.labels, CONTENDERS[name](case)) == case.labels).mean() > 0.95


def test_the_start_at_the_truth_needs_the_truth() -> None:
    case = two_groups()
    with pytest.raises(InputError, match="leave it out"):
        CONTENDERS["em-from-truth"](Case(case.frame, case.kinds, 2, 0))


def test_margins_pair_the_seeds() -> None:
    def row(table: str, contender: str, *ari: float) -> dict[str, Any]:
        names = {"table": table, "gaps": 0, "noise": 3, "contender": contender}
        return {**names, "seeds": list(range(len(ari))), "ari": list(ari)}

    rows = [
        row("a", "em-from-truth", 0.9, 0.8),
        row("a", "start", 0.8, 0.7),
        row("a", "held", 0.85),
    ]
    rows += [row("b", "start", 0.5), row("b", "kmeans", 0.6), row("b", "free", 0.7)]
    first, second = generated.margins(rows)
    assert first["over_bar"] == pytest.approx(-0.05)  # of seed 0 alone
    assert first["over_start"] == pytest.approx(0.05)
    assert second["over_bar"] == pytest.approx(0.1)
    assert second["over_start"] == pytest.approx(0.2)
    assert "| b | 0 | 3 | free | +0.100 | +0.200 |" in generated.table_of_margins([first, second])
    assert "| free |  | 0.70 |" in generated.table_of(rows)


def test_cells_are_summed_in_the_order_of_their_seeds() -> None:
    cells = [{"name": "x", "seed": seed, "ari": seed / 2} for seed in (10, 9, 1)]
    (row,) = summed(cells, ["name"], ["ari"])
    assert (row["seeds"], row["ari"]) == ([1, 9, 10], [0.5, 4.5, 5.0])


def test_imputed_levels_and_numbers_are_compared_where_they_were_hidden() -> None:
    frame = pd.DataFrame({"r": [0.0, 2.0, 4.0], "c": ["x", "y", "x"]})
    kinds = {"r": "real", "c": "category"}
    scale = Scale.of(frame, kinds)
    gappy = frame.copy()
    gappy.loc[0, "r"], gappy.loc[1, "c"], gappy.loc[2, "c"] = np.nan, np.nan, np.nan
    found = frame.copy()
    found.loc[0, "r"], found.loc[1, "c"] = 2.0, "x"
    figures = imputation.scores(scale(frame), scale(gappy), scale(found), kinds)
    assert figures["numbers"] == pytest.approx(2 / frame["r"].std(ddof=0))
    assert figures["levels"] == 0.5
    assert figures["counts"] is None


def test_a_level_without_a_training_row_is_not_held_out(tables: Path) -> None:
    path = tables / TABLES["adult-test"].file
    head, *lines = path.read_text().splitlines()
    path.write_text(
        "\n".join(
            [
                head,
                *lines[:-1],
                lines[-1].replace("one", "four").replace("two", "four").replace("three", "four"),
            ]
        )
    )
    options = Namespace(data_dir=tables, rows=400, held_out=300)
    train, test = density.drawn(0, options)
    assert (len(train), len(test)) == (400, 299)
    assert (train["age"] % 1 > 0).all()
    assert ((train["capital_gain"] == 0) | (train["capital_gain"] % 1 > 0)).all()


def test_a_cluster_is_told_by_where_it_differs() -> None:
    case = two_groups()
    assert case.labels is not None
    lines = described(case.frame, case.kinds, case.labels, words=1)
    assert [line.split(":")[0] for line in lines] == ["50%", "50%"]
    rare = case.frame.assign(s=np.where(np.arange(200) == 0, 1e6, 0.0))
    lines = described(rare, {**case.kinds, "s": "spike"}, case.labels, words=3)
    assert not any("s (" in line for line in lines)  # of one cell


def test_the_four_tables_kinds_are_known() -> None:
    known = {"real", "amount", "count", "binary", "category", "ordinal", "date", "spike"}
    assert all(set(table.kinds.values()) <= known for table in TABLES.values())
    assert set(ADULT_KINDS) < set(ADULT_COLUMNS)


def test_found_clusters_get_the_numbers_of_true_ones() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1])
    assert matched(truth, np.array([7, 7, 7, 3, 3, 5])).tolist() == [0, 0, 0, 1, 1, 3]
    assert matched(truth, np.array([4, 4, 4, 4, 4, 4])).tolist() in ([0] * 6, [1] * 6)
    assert stats.mode(matched(truth, np.array([1, 1, 0, 0, 0, 0]))).mode == 1


def test_rows_a_second_with_and_without_densities(bench: Bench) -> None:
    (row,) = run(bench, "tables-predict", "--small")["results"]
    assert (row["columns"], row["clusters"]) == (5, 3)
    # The decoder is read a hundred times for each row.
    assert row["ratio"] > 1 and row["rows_per_second"] > row["rows_per_second_with_density"]


def test_the_commands_on_a_table(bench: Bench, tmp_path: Path) -> None:
    values = run(bench, "tables-commands", "--small")
    (row,) = values["results"]
    each = [row[command] for command in ("train", "evaluate", "predict")]
    bare = commands.run(["--version"], tmp_path, {})  # neither a table nor a model is read
    assert min(each) > bare.processor and row["all"] == pytest.approx(sum(each))
    assert row["processor_seconds"] > 3 * bare.processor > 0 and values["additions"] > 0
    result = bench("tables-commands", "--small", "--tables", "adult", "--data-dir", "nowhere")
    assert result.exit_code == 2 and "name the folder of the tables by --data-dir" in result.stderr


def test_the_report_of_a_table(bench: Bench) -> None:
    (row,) = run(bench, "tables-report", "--small")["results"]
    assert (row["rows"], row["columns"]) == (300, 40)
    assert row["processor_seconds"] > 0 and 10_000 < row["page"] < 5_000_000


def test_more_starts_are_never_less_likely(bench: Bench) -> None:
    rows = {row["starts"]: row for row in run(bench, "mixture-starts", "--small")["results"]}
    assert rows.keys() == {1, 2, "truth"}
    assert rows[2]["nats"][0] >= rows[1]["nats"][0] - 1e-9
    assert all(len(row["ari"]) == 1 and row["seconds"][0] > 0 for row in rows.values())
