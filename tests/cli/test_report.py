"""``pyro-gmvae report``, the report after a training, and the model card of a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.runs import load
from pyro_gmvae.runs.contents import CARD_MARK
from pyro_gmvae.runs.recipe import shared_settings, train_command
from pyro_gmvae_cli.settings import named_settings
from pyro_gmvae_cli.train import command as train_options
from tests.cli.conftest import TINY as WITHOUT_REPORT
from tests.cli.conftest import Cli, write_table

TINY = [option for option in WITHOUT_REPORT if option != "--no-report"]


@pytest.fixture
def table(cli: Cli, tmp_path: Path) -> Path:
    write_table(tmp_path / "blobs.csv")
    result = cli("train", "blobs.csv", "--label-column", "kind", "--out", "run", *TINY)
    assert result.exit_code == 0, result.output
    return tmp_path / "run"


def test_a_training_on_a_table_ends_with_its_report(cli: Cli, tmp_path: Path) -> None:
    write_table(tmp_path / "blobs.csv")
    options = [o for o in TINY if o != "--quiet"]
    result = cli("train", "blobs.csv", "--out", "run", *options)
    assert result.stdout.rstrip().endswith("run/report.html.")
    assert Path("run/report.html").read_text().startswith("<!doctype html>")
    assert cli("train", "blobs.csv", "--out", "b", *TINY, "--no-report").exit_code == 0
    assert not Path("b/report.html").exists()
    assert cli("train", "blobs.csv", "--out", "run", *TINY, "--overwrite").exit_code == 0


def test_a_training_on_images_has_a_report_if_it_is_asked_for(cli: Cli) -> None:
    assert cli("train", "digits", "--out", "a", *TINY, "--report").exit_code == 0
    assert "data:image/png" in Path("a/report.html").read_text()


def test_a_report_that_fails_does_not_lose_the_run(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("pyro_gmvae.tasks.report.make_report", broken)
    write_table(tmp_path / "blobs.csv")
    result = cli("train", "blobs.csv", "--out", "run", *TINY)
    assert result.exit_code == 0
    assert "no report was written (a bug); the run is in run" in result.stderr.replace("\n", " ")
    assert load("run").gmvae.n_components == 3 and not Path("run/report.html").exists()


@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_formats(cli: Cli, table: Path, form: str) -> None:
    assert cli("report", "run", "--format", form, "--quiet").stdout == ""
    by_name = cli("report", "run", "-o", f"other.{form}")
    assert f"The report is other.{form}." in by_name.stdout
    assert Path(f"run/report.{form}").read_bytes() == Path(f"other.{form}").read_bytes()


def test_the_rows_are_those_of_training_or_others(cli: Cli, table: Path, tmp_path: Path) -> None:
    own = json.loads(cli("report", "run", "--json").stdout)
    assert own["n_rows"] == len(_training_rows())
    write_table(tmp_path / "new.csv", rows=25, seed=1)
    new = json.loads(cli("report", "run", "new.csv", "-o", "new.json", "--json").stdout)
    assert new["n_rows"] == 25 and json.loads(Path("new.json").read_text()) == new
    assert sum(s["size"]["n_rows"] for s in new["segments"]) == 25


def test_columns_that_were_not_clustered_on_are_described(cli: Cli, table: Path) -> None:
    own = json.loads(cli("report", "run", "--describe", "kind", "--json").stdout)
    (kind,) = own["outcomes"]["outcomes"]
    rows = sum(1 for line in Path("blobs.csv").read_text().splitlines()[1:] if line.strip())
    assert kind["name"] == "kind" and kind["rows"] + kind["gaps"] == rows
    for segment in kind["segments"]:
        assert sum(e["value"] for e in segment["estimates"]) == pytest.approx(1)
    page = Path("run/report.html").read_text()
    assert 'id="outcomes"' in page and 'data-path="outcomes.outcomes.0.segments.0.rows"' in page
    result = cli("report", "run", "--describe", "nothing")
    assert result.exit_code == 2 and "has no column nothing" in result.stderr


def _training_rows() -> object:
    from pyro_gmvae.run_data import load_run_rows

    return load_run_rows(load("run"), "train").x


def test_what_is_refused(cli: Cli, table: Path) -> None:
    for arguments, message in (
        (["-o", "page.pdf"], "does not end in .html, .md or .json"),
        (["-o", "page.md", "--format", "html"], "is no name for the format html"),
        (["-o", "run"], "is a folder"),
        (["-o", "nowhere/page.html"], "nowhere"),
    ):
        result = cli("report", "run", *arguments)
        assert result.exit_code == 2 and message in result.stderr, result.output
    Path("run/report.html").write_text("<html>mine</html>")
    result = cli("report", "run")
    assert result.exit_code == 2 and "not written by this program" in result.stderr
    assert Path("run/report.html").read_text() == "<html>mine</html>"


def test_the_card_is_true(cli: Cli, table: Path) -> None:
    card = Path("run/README.md").read_text()
    fitted = load("run")
    assert card.startswith(CARD_MARK)
    assert (
        f"{fitted.gmvae.n_components} clusters" in card and f"{fitted.gmvae.method} method" in card
    )
    for column in fitted.encoding.schema.columns:
        assert f"| {column.name} | {column.kind} |" in card
    config = json.loads(Path("run/config.json").read_text())
    assert config["weights_sha256"] in card and str(fitted.about.fingerprint) in card
    assert f"{fitted.about.lower_bound:.3f}" in card
    # It loads as the card says.
    code = re.search(r"```python\n(.*?)```", card, re.S)
    assert code is not None
    names: dict[str, object] = {}
    exec(code[1].replace("path/to/this/folder", "run"), names)
    assert names["model"].n_components == 3 and names["model"].n_features_in_ == 2  # type: ignore[attr-defined]
    for line in re.search(r"```bash\n(.*?)```", card, re.S)[1].splitlines():  # type: ignore[index]
        words = line.replace("path/to/this/folder", "run").replace("new-rows", "blobs.csv").split()
        assert cli(*words[1:]).exit_code == 0, line


def test_a_readme_of_the_user_stays(cli: Cli, table: Path) -> None:
    Path("run/README.md").write_text("# Mine")
    assert cli("train", "blobs.csv", "--out", "run", *TINY, "--resume").exit_code == 0
    assert Path("run/README.md").read_text() == "# Mine"
    result = cli("train", "blobs.csv", "--out", "run", *TINY, "--overwrite")
    assert result.exit_code == 2 and "README.md in it was not written" in result.stderr
    assert Path("run/README.md").read_text() == "# Mine"


@pytest.mark.parametrize(
    "values",
    [
        {"clusters": 5, "seed": 3, "hidden": (8, 4), "learn_mixture": True},
        {"learn_mixture": False, "drop": ["a b", "c,d"], "column": ["x=count"], "method": "exact"},
        {
            "weight_column": "w",
            "learning_rate": 0.01,
            "tensorboard": True,
            "column_weight": ["a=2"],
        },
        {"drop": ['say "hi"', "$(rm -rf x)"]},
    ],
)
def test_the_command_of_a_card_trains_by_the_same_settings(values: dict[str, object]) -> None:
    import shlex

    settings = Settings.of("rows.csv", **values)  # type: ignore[arg-type]
    words = shlex.split(train_command(shared_settings(settings.to_dict())))[2:]
    with (
        click.Context(train_options) as parent,
        train_options.make_context("train", words, parent=parent) as made,
    ):
        given = {k: v for k, v in made.params.items() if k in settings.to_dict() and k != "data"}
    again = Settings.of("rows.csv", **named_settings(given))
    left = {"data", "data_dir"}
    ours, theirs = (
        {k: v for k, v in s.to_dict().items() if k not in left} for s in (settings, again)
    )
    assert json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)
