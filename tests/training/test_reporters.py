"""Who is told about a training, and what they make of it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pandas as pd
import pytest
from accelerate.tracking import TensorBoardTracker

from pyro_gmvae.inference import Schedule
from pyro_gmvae.training import MetricsCSV, ProgressBar, Record, Reporter, Tracker, fit
from tests.helpers.tiny import Spy, blobs, quick, tiny

RECORD: Record = {
    **{"epoch": 12, "step": 480, "loss": 99.5, "elbo": -101.25, "log_likelihood": -90.5},
    **{"kl_z": 8.75, "kl_y": 2.0, "kl_weight": 0.25, "z_kl_weight": 1.0, "temperature": 0.66},
    **{"learning_rate": 1e-3, "clusters_in_use": 9, "validation_elbo": -103.5, "seconds": 0.1},
}
FIGURES = [
    *("ELBO -101.25", "log p(x|z) -90.50", "KL z 8.75", "KL y 2.00"),
    *("w 0.25", "tau 0.66", "clusters 9", "held out -103.50"),
]


def test_a_reporter_by_itself_does_nothing() -> None:
    fit(tiny(), blobs()[0], quick(epochs=1), reporters=[Reporter()])


def test_metrics_csv(tmp_path: Path) -> None:
    x, _ = blobs()
    gmvae = tiny()
    spy = Spy(gmvae)
    path = tmp_path / "metrics.csv"
    path.write_text("what an earlier training left\n")
    seen: list[int] = []

    class Reader(Reporter):
        def epoch(self, record: Record) -> None:
            seen.append(len(pd.read_csv(path)))

    reporters = [MetricsCSV(path), Reader(), spy]
    fit(gmvae, x, quick(), validation=x, reporters=reporters)
    assert seen == [1, 2, 3]
    rows = pd.read_csv(path)
    assert list(rows.columns) == list(spy.records[0])
    assert rows.to_dict("records") == [pytest.approx(record) for record in spy.records]
    assert rows["epoch"].dtype == rows["step"].dtype == int


def shown(err: str) -> str:
    """What is on the screen, without colours and line breaks."""
    return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err).split())


@pytest.mark.parametrize("columns", [200, 80])
def test_progress_bar_shows_every_figure(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    bar = ProgressBar()
    bar.start(1000, [])
    bar.step(100)
    time.sleep(0.01)
    bar.step(480)
    bar.epoch(RECORD)
    bar.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 12" in shown(err)
    assert re.search(r"\d:\d\d", shown(err)), "the time left"
    for figure in FIGURES:
        assert figure in shown(err)
    assert "…" not in err
    assert max(map(len, err.splitlines())) <= columns


def test_progress_bar_of_a_resumed_training(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar()
    bar.start(1000, [RECORD])
    bar.close()
    assert "epoch 12" in shown(capsys.readouterr().err)


def test_progress_bar_in_a_training(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    config = quick(kl_annealing=Schedule(end=0.75), temperature=Schedule(end=0.33))
    bar = ProgressBar()
    for _ in range(2):  # one bar may serve again
        record = fit(tiny("concrete"), blobs()[0], config, reporters=[bar]).history[-1]
        err = shown(capsys.readouterr().err)
        assert "epoch 3" in err
        assert f"ELBO {record['elbo']:.2f}" in err
        assert "w 0.75" in err and "tau 0.33" in err
        assert f"clusters {record['clusters_in_use']:.0f}" in err
        assert "held out" not in err


def test_closing_a_bar_that_was_never_started() -> None:
    ProgressBar().close()


def test_tensorboard(tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    x, _ = blobs()
    tracker = Tracker(TensorBoardTracker("run", tmp_path))
    history = fit(tiny(), x, quick(), validation=x, reporters=[tracker]).history
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))
    events = event_accumulator.EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == set(history[0]) - {"epoch", "step"}
    for name in ("elbo", "kl_y", "validation_elbo", "clusters_in_use"):
        scalars = events.Scalars(name)
        assert [event.step for event in scalars] == [4, 8, 12]
        assert [e.value for e in scalars] == pytest.approx([r[name] for r in history], rel=1e-6)
