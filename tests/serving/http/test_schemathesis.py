"""A stranger's requests, made from the server's own document, find no fault."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from pyro_gmvae import GMVAE
from pyro_gmvae.serving import Predictor
from tests.serving.http.test_app import TOKEN, customers

pytest.importorskip("schemathesis")
pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")
pytestmark = pytest.mark.slow


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server on this machine, in a thread."""
    from pyro_gmvae.serving.http import Limits, make_app

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GMVAE(2, hidden=(8,), max_iter=1, random_state=0).fit(customers()).save(tmp_path / "run")
    app = make_app(Predictor(tmp_path / "run"), token=TOKEN, limits=Limits(rate=1e6))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_no_request_finds_a_fault(address: str, tmp_path: Path) -> None:
    """All checks: valid requests pass, others get an error that the document declares."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"]
    options = ["--header", f"Authorization: Bearer {TOKEN}", "--max-examples", "50", "--seed", "1"]
    ran = subprocess.run(
        [*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-6_000:] + ran.stderr[-2_000:]
    assert "/predict" in ran.stdout or "passed" in ran.stdout
