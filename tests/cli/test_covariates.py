"""``--covariate``: a column that clusters depend on and are not made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from pyro_gmvae import GMVAE
from tests.cli.conftest import TINY, Cli

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    older = rng.random(120) < 0.5
    frame = pandas.DataFrame(
        {
            "spend": rng.normal(4.0 * older, 1.0),
            "visits": rng.normal(4.0 * older, 1.0),
            "age": np.round(rng.normal(40 + 10 * older, 5)),
            "region": rng.choice(["north", "south"], 120),
        }
    )
    frame.to_csv(tmp_path / "c.csv", index=False)
    frame[["region", "age", "visits", "spend"]].head(20).to_csv(tmp_path / "new.csv", index=False)
    frame.drop(columns="age").to_csv(tmp_path / "lack.csv", index=False)
    options = ("--covariate", "age", "--covariate", "region", "--no-report")
    result = cli("train", "c.csv", "--out", "run", *options, *TINY)
    assert result.exit_code == 0, result.output
    return "run"


def test_from_a_table_to_new_rows(cli: Cli, run: str, tmp_path: Path) -> None:
    result = cli("predict", run, "new.csv", "-o", "placed.csv", "--density")
    assert result.exit_code == 0, result.output
    placed, new = pandas.read_csv(tmp_path / "placed.csv"), pandas.read_csv(tmp_path / "new.csv")
    model = GMVAE.load(tmp_path / run)
    w = new[["age", "region"]]
    again = model.predict_proba(new[["spend", "visits"]], covariates=w)
    np.testing.assert_allclose(placed["probability"], again.max(1), atol=1e-5)
    assert (placed["cluster"] == again.argmax(1)).all()
    assert cli("evaluate", run).exit_code == 0
    card = (tmp_path / run / "README.md").read_text()
    assert "need them" in card and "age, region" in card
    config = json.loads((tmp_path / run / "config.json").read_text())
    assert config["model"]["n_covariates"] == 2
    written = cli("report", run, "-o", "report.json")
    assert written.exit_code == 0, written.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["origin"]["covariates"] == ["age", "region"]
    for form, text in (("md", "depends on these columns too"), ("html", "<dt>Covariates</dt>")):
        assert cli("report", run, "-o", f"report.{form}").exit_code == 0
        assert text in (tmp_path / f"report.{form}").read_text()


REFUSED = {
    ("predict", "run", "lack.csv", "-o", "p.csv"): "has no covariate column age",
    ("predict", "run", "new.csv", "-o", "parts/"): "not placed in pieces",
    ("impute", "run", "new.csv", "-o", "p.csv"): "has the covariates age, region",
    ("export", "run", "--format", "onnx", "-o", "m.onnx"): "has the covariates age, region",
    ("train", "c.csv", "--out", "r", "--covariate", "ages"): "did you mean age",
    ("train", "digits", "--out", "r", "--covariate", "age"): "is not a table",
    ("train", "c.csv", "--out", "r", "--covariate", "age", "--stream", "on"): "takes no covariates",
}


def test_what_cannot_be_done_is_refused(cli: Cli, run: str) -> None:
    for words, says in REFUSED.items():
        result = cli(*words)
        assert result.exit_code != 0
        assert says in result.stderr.replace("\n", " "), words
