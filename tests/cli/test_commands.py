"""Evaluate, predict and sample on runs that exist."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pyro_gmvae.data import TableEncoding
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.runs import load, save_run
from tests.cli.conftest import Cli, write_table
from tests.cli.test_train import FIGURES, SCORES
from tests.helpers.small import small_gmvae


def figures(cli: Cli, *arguments: object) -> dict[str, float]:
    result = cli("evaluate", *arguments, "--samples", 30, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def rows(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_evaluate_json(cli: Cli, trained_digits: Path) -> None:
    first = figures(cli, trained_digits)
    assert set(first) >= FIGURES | SCORES
    assert first["num_samples"] == 30
    assert first["elbo"] < first["log_likelihood"]
    assert figures(cli, trained_digits) == first
    assert figures(cli, trained_digits, "--seed", 1)["elbo"] != first["elbo"]


@pytest.mark.parametrize(("split", "n"), [("train", 1455), ("validation", 162), ("all", 1797)])
def test_evaluate_splits(cli: Cli, trained_digits: Path, split: str, n: int) -> None:
    assert figures(cli, trained_digits, "--split", split)["n"] == n


def test_evaluate_table_for_people(cli: Cli, trained_digits: Path) -> None:
    result = cli("evaluate", trained_digits, "--samples", 5)
    assert "digits, test rows (180)" in result.stdout
    assert "log-likelihood" in result.stdout and "±" in result.stdout
    assert "5 samples are too few" in " ".join(result.stderr.split())
    assert max(len(line.rstrip()) for line in result.stdout.splitlines()) <= 80
    assert cli("evaluate", trained_digits, "--samples", 5, "--quiet").output == ""


def test_evaluate_other_data(cli: Cli, trained_table: Path) -> None:
    write_table(Path("new.csv"), 40, seed=1)
    found = figures(cli, trained_table, "new.csv")
    assert (found["data"], found["split"], found["n"]) == ("new", "all", 40)
    assert "accuracy" in found
    # Without the label column, and the columns in another order.
    table = [line.split(",") for line in Path("new.csv").read_text().splitlines()]
    Path("bare.csv").write_text("\n".join(f"{b},{a}" for a, b, _ in table) + "\n")
    bare = figures(cli, trained_table, "bare.csv")
    assert bare["log_likelihood"] == found["log_likelihood"]
    assert "accuracy" not in bare
    # Its name in capitals, as some programs write it.
    Path("NEW.CSV").write_text(Path("new.csv").read_text())
    assert "accuracy" in figures(cli, trained_table, "NEW.CSV")


def test_evaluate_from_another_folder(
    cli: Cli, trained_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert figures(cli, trained_table)["n"] == 6


def test_densities_are_in_raw_units(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each row's draws depend on its values; here they are to be the same in both units.
    monkeypatch.setattr("pyro_gmvae.fitted.row_keys", lambda x: list(range(len(x))))
    gmvae = small_gmvae("exact", input_dim=2, likelihood="gaussian")
    x = torch.randn(20, 2) * torch.tensor([3.0, 50.0])
    np.save("x.npy", x.numpy())
    standard = TableEncoding.standardize(x)
    np.save("scaled.npy", standard(x).numpy())
    save_run("raw", FittedModel(gmvae, standard))
    save_run("scaled", FittedModel(gmvae, TableEncoding((2,))))
    raw, scaled = figures(cli, "raw", "x.npy"), figures(cli, "scaled", "scaled.npy")
    for name in ("log_likelihood", "elbo"):
        assert raw[name] == pytest.approx(
            scaled[name] - standard.scale.log().sum().item(), abs=1e-4
        )
    # A run without a source cannot be judged on it.
    assert "name the data" in cli("evaluate", "raw").stderr


def test_predict(cli: Cli, trained_table: Path) -> None:
    write_table(Path("new.csv"), 1)
    result = cli("predict", trained_table, "new.csv", "-o", "a.csv")
    assert result.exit_code == 0 and "Assigned 1 rows to 1 clusters" in result.stdout
    (row,) = rows("a.csv")
    columns = ["row", "cluster", "probability", "second_cluster", "second_probability"]
    assert list(row) == columns
    assert row["row"] == "0" and row["cluster"] in "012"
    assert 1 / 3 <= float(row["probability"]) <= 1
    assert sorted(p.name for p in Path().iterdir()) == ["a.csv", "new.csv"]


def test_predict_json(cli: Cli, trained_digits: Path) -> None:
    result = cli("predict", trained_digits, "digits", "-o", "a.csv", "--json")
    found = json.loads(result.stdout)
    assert found["rows"] == sum(found["cluster_sizes"]) == len(rows("a.csv")) == 1797
    again = cli("predict", trained_digits, "digits", "-o", "b.csv", "--quiet")
    assert again.output == ""
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


def test_sample_images(cli: Cli, trained_digits: Path) -> None:
    result = cli("sample", trained_digits, "-o", "a.png", "--per-cluster", 4)
    assert result.exit_code == 0 and "Drew 4 from each of 3 clusters" in result.stdout
    cli("sample", trained_digits, "-o", "b.png", "--per-cluster", 4, "--quiet")
    cli("sample", trained_digits, "-o", "c.png", "--per-cluster", 4, "--seed", 1)
    a, b, c = (Path(f"{name}.png").read_bytes() for name in "abc")
    assert a.startswith(b"\x89PNG")
    assert a == b != c


def test_sample_table(cli: Cli, trained_table: Path) -> None:
    result = cli("sample", trained_table, "-o", "a.csv", "--per-cluster", 5, "--json")
    assert json.loads(result.stdout) == {"output": "a.csv", "clusters": 3, "per_cluster": 5}
    found = rows("a.csv")
    assert list(found[0]) == ["width", "height", "cluster"]
    assert [row["cluster"] for row in found] == ["0"] * 5 + ["1"] * 5 + ["2"] * 5
    heights = np.array([float(row["height"]) for row in found])
    assert heights.std() > 10  # raw units, not standardised ones


def test_nothing_is_unpickled(cli: Cli, trained_digits: Path) -> None:
    assert load(trained_digits).gmvae.training is False
    assert not [p for p in trained_digits.rglob("*") if p.suffix in (".pt", ".pkl", ".pth")]
