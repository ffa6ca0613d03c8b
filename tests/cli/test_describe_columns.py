"""Columns of a run's file that it was not trained on are described row for row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyro_gmvae import runs
from pyro_gmvae.data.sources.named import read_named_columns
from pyro_gmvae.errors import InputError
from pyro_gmvae.run_data import load_run_rows
from pyro_gmvae.segments import describe_run
from tests.cli.conftest import Cli

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

OPTIONS = ["--clusters", 2, "--epochs", 2, "--hidden", 8, "--latent-dim", 2, "--quiet"]


def write(path: Path) -> np.ndarray:
    """Semicolons, decimal commas and gaps; two segments whose churn and revenue differ."""
    rng = np.random.default_rng(0)
    segment = rng.integers(0, 2, 300)
    lines = ["id;visits;spend;churn;revenue"]
    for i, y in enumerate(segment):
        spend = f"{rng.lognormal(1 + 3 * y, 0.3):.2f}".replace(".", ",")
        churn = "" if rng.random() < 0.1 else ["ja", "nein"][int(rng.random() < 0.2 + 0.6 * y)]
        revenue = (
            "-" if rng.random() < 0.1 else f"{rng.normal(10 + 90 * y, 5):.1f}".replace(".", ",")
        )
        lines.append(f"{i};{rng.poisson(2 + 20 * y)};{spend};{churn};{revenue}")
    path.write_text("\n".join(lines) + "\n")
    return segment


def test_dropped_and_left_out_columns_are_described(cli: Cli, tmp_path: Path) -> None:
    segment = write(tmp_path / "c.csv")
    drop = ["--drop", "churn", "--drop", "revenue"]
    result = cli("train", "c.csv", "--out", "run", *drop, *OPTIONS)
    assert result.exit_code == 0, result.output
    fitted = runs.load("run", "cpu")
    data = load_run_rows(fitted, "all")
    frame = read_named_columns("c.csv", ["churn", "revenue", "id"])
    found = describe_run(fitted, data, frame, kinds={"id": "real"})
    churn, revenue = found["churn"], found["revenue"]
    assert churn.rows == frame["churn"].notna().sum() and 0 < churn.gaps < 60
    assert revenue.gaps == frame["revenue"].isna().sum() > 0
    own = [s.estimates[0].value for s in revenue.segments]
    assert sorted(own) == pytest.approx([10, 100], abs=2)
    order = np.argsort(own)
    shares = np.array([s.estimates[1].value for s in churn.segments])[order]
    known = frame["churn"].notna().to_numpy()
    truth = [(frame["churn"][known & (segment == y)] == "nein").mean() for y in (0, 1)]
    assert shares == pytest.approx(truth, abs=0.03)
    assert found["id"].test.p_value > 1e-4
    with pytest.raises(InputError, match="the model clusters by visits"):
        describe_run(fitted, data, read_named_columns("c.csv", ["visits"]))
