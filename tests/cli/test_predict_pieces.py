"""Rows that are placed in pieces are where they are when all are placed at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas
import pytest

from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.run_data import load_new_rows
from pyro_gmvae.tasks import large as large_module
from pyro_gmvae.tasks import parts as parts_module
from pyro_gmvae.tasks import pieces as pieces_module
from pyro_gmvae.tasks.large import is_large
from pyro_gmvae.tasks.parts import open_parts
from pyro_gmvae.tasks.pieces import Tally, place_in_pieces, placed_pieces
from pyro_gmvae.tasks.predict import predict_run
from tests.cli.conftest import Cli, run_cli
from tests.helpers.saved_runs import CLUSTERS, mixed_rows, save_images, save_mixed

N = 2_500
MAIN = "from pyro_gmvae_cli.main import main; main()"
pytestmark = pytest.mark.filterwarnings("ignore::pyro_gmvae.data.checks.DataWarning")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of mixed columns, not to be changed; tables of new rows are beside it."""
    folder = tmp_path_factory.mktemp("pieces")
    save_mixed(folder / "run")
    frame = mixed_rows(N, seed=7, unseen=True).assign(id=np.arange(N))
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_parquet(folder / "t.parquet", row_group_size=700)
    (folder / "t").mkdir()
    for i, start in enumerate(range(0, N, 900)):
        part = frame[start : start + 900].reset_index(drop=True)
        part.to_parquet(folder / "t" / f"{i}.parquet", row_group_size=250)
    return folder / "run"


@pytest.fixture
def fitted(run: Path) -> FittedModel:
    from pyro_gmvae.runs import load

    return load(run)


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_module, "WHOLE_BYTES", 0)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t"])
@pytest.mark.parametrize("reject", [None, 0.1])
def test_pieces_are_the_whole(
    run: Path, fitted: FittedModel, name: str, reject: float | None
) -> None:
    source = str(run.parent / name)
    dense = reject is not None
    wanted = predict_run(fitted, load_new_rows(fitted, source), density=dense, reject=reject)
    pieces = list(placed_pieces(fitted, source, density=dense, reject=reject, rows=300))
    assert len(pieces) > 5
    found = pandas.concat(pieces, ignore_index=True)
    pandas.testing.assert_frame_equal(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize("name", ["t.csv", "t"])
def test_the_command_writes_the_same_table(
    cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    source = run.parent / name
    whole = cli("predict", run, source, "-o", f"whole{suffix}", "--json")
    monkeypatch.setattr(large_module, "WHOLE_BYTES", 0)
    pieces = cli("predict", run, source, "-o", f"pieces{suffix}", "--json")
    assert pieces.exit_code == 0, pieces.output
    told, wanted = json.loads(pieces.stdout), json.loads(whole.stdout)
    assert {**told, "output": ""} == {**wanted, "output": ""}
    if suffix == ".csv":
        assert Path("pieces.csv").read_bytes() == Path("whole.csv").read_bytes()
    read = pandas.read_parquet if suffix == ".parquet" else pandas.read_csv
    pandas.testing.assert_frame_equal(read(f"pieces{suffix}"), read(f"whole{suffix}"))
    assert "left out, for training did not have them: id" in pieces.stderr


def test_standard_output_has_one_header(cli: Cli, run: Path, all_large: None) -> None:
    cli("predict", run, run.parent / "t", "-o", "a.csv", "--quiet")
    printed = cli("predict", run, run.parent / "t", "-o", "-", "--quiet")
    assert printed.stdout == Path("a.csv").read_text()
    assert printed.stdout.count("probability,second") == 1


def test_a_stopped_folder_is_gone_on_with(
    run: Path, fitted: FittedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_module, "PART_ROWS", 600)
    source, out = str(run.parent / "t"), tmp_path / "out"
    whole = place_in_pieces(fitted, str(run), source, f"{tmp_path / 'all'}/")
    seen: list[int] = []
    real = pieces_module.assign

    def stopping(*args: object, **options: object) -> object:
        seen.append(1)
        if len(seen) == 5:
            raise KeyboardInterrupt
        return real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pieces_module, "assign", stopping)
    with pytest.raises(KeyboardInterrupt):
        place_in_pieces(fitted, str(run), source, f"{out}/")
    kept = {p.name: p.stat().st_mtime_ns for p in out.glob("part-*")}
    assert kept and not (out / "_SUCCESS").exists()
    monkeypatch.setattr(pieces_module, "assign", real)
    again = place_in_pieces(fitted, str(run), source, f"{out}/")
    assert again == whole and whole.rows == N
    assert all((out / name).stat().st_mtime_ns == time for name, time in kept.items())
    pandas.testing.assert_frame_equal(
        pandas.read_parquet(out), pandas.read_parquet(tmp_path / "all"), rtol=1e-5
    )
    before = {p: p.stat().st_mtime_ns for p in out.iterdir()}
    assert place_in_pieces(fitted, str(run), source, str(out)) == whole  # nothing is left to do
    assert {p: p.stat().st_mtime_ns for p in out.iterdir()} == before


def test_a_folder_of_other_things_is_refused(
    run: Path, fitted: FittedModel, tmp_path: Path
) -> None:
    source = str(run.parent / "t")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(InputError, match=r"holds notes\.txt, which this command did not write"):
        place_in_pieces(fitted, str(run), source, str(tmp_path / "other"))
    place_in_pieces(fitted, str(run), source, f"{tmp_path}/out/")
    with pytest.raises(InputError, match="of another run or table, or of other options"):
        place_in_pieces(fitted, str(run), source, f"{tmp_path}/out/", density=True)
    with pytest.raises(InputError, match="of another run or table"):
        place_in_pieces(fitted, str(run), str(run.parent / "t.csv"), f"{tmp_path}/out/")
    (tmp_path / "out" / "_job.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"), open_parts(tmp_path / "out", {}):
        pass


def test_rows_that_cannot_be_in_pieces(cli: Cli, run: Path, tmp_path: Path) -> None:
    save_images(tmp_path / "images")
    for model, data in ((tmp_path / "images", "digits"), (run, "t.xlsx")):
        refused = cli("predict", model, data, "-o", "out/")
        assert refused.exit_code == 2 and "cannot be read in pieces" in refused.stderr
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [("real", "tall", "holds 'tall' in row 1900 of real"), ("count", "-3", "holds -3 in row 1900")],
)
def test_a_late_odd_cell_is_named_and_nothing_is_written(
    cli: Cli, run: Path, all_large: None, column: str, cell: str, words: str
) -> None:
    frame = pandas.read_csv(run.parent / "t.csv", dtype=str)
    frame.loc[1900, column] = cell
    frame.to_csv("late.csv", index=False)
    refused = cli("predict", run, "late.csv", "-o", "a.csv")
    assert refused.exit_code == 2 and words in refused.stderr.replace("\n", " ")
    assert not Path("a.csv").exists()


def test_no_rows_are_refused(run: Path, fitted: FittedModel, tmp_path: Path) -> None:
    mixed_rows(3)[:0].to_parquet(tmp_path / "none.parquet")
    with pytest.raises(InputError, match="none has no rows"):
        next(placed_pieces(fitted, str(tmp_path / "none.parquet")))


def test_what_is_large(fitted: FittedModel, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("t.csv", "t", "none.csv", "digits", "t.xlsx"):
        assert not is_large(fitted, str(run.parent / name) if "t" in name else name)
    monkeypatch.setattr(large_module, "WHOLE_BYTES", 8 * 9 * N - 1)  # of nine columns
    assert is_large(fitted, str(run.parent / "t")) and not is_large(
        fitted, str(run.parent / "none.csv")
    )


@pytest.mark.parametrize("change", ["comma", "currency", "utf-16", "blank"])
def test_a_text_that_pieces_would_read_otherwise_is_read_whole(
    cli: Cli, run: Path, fitted: FittedModel, all_large: None, change: str
) -> None:
    frame = pandas.read_csv(run.parent / "t.csv")
    separator, encoding, decimal = ",", "utf-8", "."
    if change == "comma":
        separator, decimal = ";", ","
    elif change == "currency":
        frame["amount"] = frame["amount"].map("${:.2f}".format, na_action="ignore")
    elif change == "utf-16":
        encoding = "utf-16"
    frame.to_csv("other.csv", index=False, sep=separator, encoding=encoding, decimal=decimal)
    if change == "blank":
        Path("other.csv").write_text("# customers\n\n" + Path("other.csv").read_text())
    assert is_large(fitted, "other.csv") == (change == "blank")
    for source, out in ((run.parent / "t.csv", "wanted.csv"), ("other.csv", "found.csv")):
        assert cli("predict", run, source, "-o", out, "--quiet").exit_code == 0
    found, wanted = pandas.read_csv("found.csv"), pandas.read_csv("wanted.csv")
    tolerance = 0.01 if change == "currency" else 1e-5  # of amounts that were rounded
    pandas.testing.assert_frame_equal(found, wanted, atol=tolerance)


def test_rejected_rows_are_counted() -> None:
    frame = pandas.DataFrame(
        {"cluster": [0, -1, -1, 2], "rejected_because": ["", "torn", "unlike", ""]}
    )
    tally = Tally((0, 0, 0)).plus(frame).plus(frame)
    assert (tally.sizes, tally.unlike, tally.torn, tally.rows) == ((2, 0, 2), 2, 2, 8)


def test_unseen_levels_are_told_once(run: Path, fitted: FittedModel) -> None:
    with pytest.warns(DataWarning, match="'wood', 'tin' in tier") as told:
        list(placed_pieces(fitted, str(run.parent / "t"), rows=100))
    assert len(told) == 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(run: Path, fitted: FittedModel, tmp_path: Path) -> None:
    peaks = []
    for copies in (20, 80):
        folder = tmp_path / str(copies)
        folder.mkdir()
        for i in range(copies):
            (folder / f"{i}.parquet").symlink_to(run.parent / "t.parquet")
        tracemalloc.start()
        for _ in placed_pieces(fitted, str(folder), rows=1_000):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**20  # the rows themselves are 9 MiB more


@pytest.mark.slow
def test_a_killed_command_is_gone_on_with(run: Path, tmp_path: Path) -> None:
    table = tmp_path / "large"
    table.mkdir()
    mixed_rows(400_000, seed=1).to_parquet(table / "0.parquet")
    for i in range(1, 10):
        (table / f"{i}.parquet").symlink_to(table / "0.parquet")
    arguments = ["predict", str(run), str(table), "-o", f"{tmp_path}/out/"]
    command = [sys.executable, "-c", MAIN, *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (tmp_path / "out" / "part-00000.parquet").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    kept = (tmp_path / "out" / "part-00000.parquet").stat().st_mtime_ns
    told = run_cli(*arguments, "--json")
    assert sum(json.loads(told.stdout)["cluster_sizes"]) == 4_000_000
    assert (tmp_path / "out" / "part-00000.parquet").stat().st_mtime_ns == kept
    rows = pandas.read_parquet(tmp_path / "out", columns=["row"])["row"].to_numpy()
    assert np.array_equal(rows, np.arange(4_000_000)) and CLUSTERS
