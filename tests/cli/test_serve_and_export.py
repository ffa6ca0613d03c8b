"""``pyro-gmvae serve`` and ``export`` place rows as ``predict`` does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas
import pytest

from pyro_gmvae.serving.http.limits import Limits
from pyro_gmvae_cli.serve import command
from tests.cli.conftest import Cli

TOKEN = "a token of a test 0123456789"
SECONDS = 120


@pytest.fixture(scope="module")
def rows(trained_table: Path) -> pandas.DataFrame:
    return pandas.read_csv(trained_table.parent / "blobs.csv")[["width", "height"]]


@pytest.fixture
def placed(cli: Cli, trained_table: Path) -> pandas.DataFrame:
    source = trained_table.parent / "blobs.csv"
    result = cli("predict", trained_table, source, "-o", "p.parquet", "--quiet")
    assert result.exit_code == 0, result.output
    return pandas.read_parquet("p.parquet")


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def server(trained_table: Path, tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    token = tmp_path / "token.txt"
    token.write_text(f"{TOKEN}\n")
    command = [sys.executable, "-c", "from pyro_gmvae_cli.main import main; main()", "serve"]
    options = [
        str(trained_table),
        "--port",
        str(port),
        "--token-file",
        str(token),
        "--max-rows",
        "60",
    ]
    process = subprocess.Popen([*command, *options], text=True, stderr=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def posted(port: int, records: list[dict[str, float]], token: str = TOKEN) -> dict[str, object]:
    """The answer to one request; waits until the server listens."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict",
        data=json.dumps({"records": records}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    for _ in range(10 * SECONDS):
        try:
            with urllib.request.urlopen(request) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            return {"status": error.code, **json.load(error)}
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError("the server does not listen")


def check_as_placed(responsibilities: np.ndarray, placed: pandas.DataFrame) -> None:
    assert responsibilities.argmax(-1).tolist() == placed["cluster"].tolist()
    np.testing.assert_allclose(responsibilities.max(-1), placed["probability"], atol=1e-5)


def test_a_server_places_rows_until_a_signal_ends_it(
    server: subprocess.Popen[str], port: int, rows: pandas.DataFrame, placed: pandas.DataFrame
) -> None:
    answer = posted(port, rows.to_dict("records"))
    found = np.array([row["probabilities"] for row in answer["rows"]])  # type: ignore[attr-defined]
    check_as_placed(found, placed)
    assert posted(port, rows.to_dict("records"), token="another")["status"] == 401
    assert posted(port, 2 * rows.to_dict("records"))["status"] == 422
    server.send_signal(signal.SIGTERM)
    _, said = server.communicate(timeout=SECONDS)
    assert (
        server.returncode in (0, -signal.SIGTERM, 128 + signal.SIGTERM) and "Traceback" not in said
    )


def test_a_server_for_other_machines_wants_a_token(
    refused: Cli, trained_table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYRO_GMVAE_TOKEN", raising=False)
    error = refused("serve", trained_table, "--host", "0.0.0.0", "--quiet")
    assert "set a token" in error


def test_an_onnx_graph_places_rows(
    cli: Cli, trained_table: Path, rows: pandas.DataFrame, placed: pandas.DataFrame
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    result = cli("export", trained_table, "--format", "onnx", "-o", "m.onnx", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"output": "m.onnx", "format": "onnx"}
    session = runtime.InferenceSession("m.onnx")
    feed = {
        i.name: rows[i.name].to_numpy(np.float64 if "double" in i.type else np.float32)
        for i in session.get_inputs()
    }
    (found,) = session.run(["responsibilities"], feed)
    check_as_placed(found, placed)


def test_a_refused_export_writes_nothing(refused: Cli, trained_table: Path) -> None:
    error = refused("export", trained_table, "--format", "mlflow", "-o", "m", "--dates", "text")
    assert "dates" in error
    assert not os.path.exists("m")


def test_the_limits_of_the_command_are_those_of_the_server() -> None:
    """The command repeats them, so that its help need not load the server."""
    default = {option.name: option.default for option in command.params}
    limits = Limits()
    assert (default["max_rows"], default["max_bytes"], default["rate"]) == astuple(limits)
