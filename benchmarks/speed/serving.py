"""Load the server of a run: requests in a second and their latency, alone and eight at a time.

A small model of a generated mixed table is served in a process of its own. Each client keeps one
connection and sends the next request when the last one is answered.

    python -m benchmarks serving --out benchmarks/results/serving.json
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.processes import PROGRAM
from benchmarks.measuring.report import Report
from pyro_gmvae import GMVAE

HOST, PATIENCE = "127.0.0.1", 120.0  # seconds until the server answers


def trained(folder: Path, seed: int) -> list[dict[str, object]]:
    """Write a run of 2,000 rows of four columns, and return as many records."""
    rng = np.random.default_rng(seed)
    import pandas

    y = rng.integers(0, 4, 2_000)
    frame = pandas.DataFrame(
        {
            "spend": rng.lognormal(2 + y, 0.5),
            "visits": rng.poisson(1 + 4 * y),
            "tier": np.array(["gold", "silver", "iron", "tin"])[y],
            "age": rng.normal(20 + 15 * y, 5),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GMVAE(4, max_iter=3, random_state=seed).fit(frame).save(folder)
    records: list[dict[str, object]] = json.loads(frame.to_json(orient="records"))
    return records


@contextmanager
def served(run: Path) -> Iterator[int]:
    """Serve a run in a process of its own, and give its port."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-c", PROGRAM, "serve", str(run), "--port", str(port)]
    process = subprocess.Popen([*command, "--rate", "1000000", "--quiet"])
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            connection = HTTPConnection(HOST, port, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the server did not answer: see what it printed")


def client(port: int, body: bytes, seconds: float) -> list[float]:
    """Send requests for a while, and return the seconds of each."""
    connection, taken = HTTPConnection(HOST, port, timeout=60), []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the server answered {answer.status}")
        taken.append(time.perf_counter() - began)
    return taken


def main(argv: Sequence[str]) -> None:
    small = {"seconds": 1, "concurrency": [1], "rows": [1]}
    parser = Parser("serving", __doc__, small=small, full={"seconds": 60})
    parser.add_argument("--concurrency", nargs="+", type=at_least(1), default=[1, 8])
    parser.add_argument("--rows", nargs="+", type=at_least(1), default=[1, 100], help="a request")
    parser.add_argument("--seconds", type=at_least(1), default=10)
    arguments = parser.read(argv)
    report = Report("serving", arguments)
    report.header("clients", "rows", "requests/s", "rows/s  ", "p50, ms", "p99, ms")
    with TemporaryDirectory() as folder:
        records = trained(Path(folder) / "run", 0)
        with served(Path(folder) / "run") as port:
            _measured(report, arguments, records, port)
    report.close()


def _measured(
    report: Report, arguments: Namespace, records: list[dict[str, object]], port: int
) -> None:
    for rows in arguments.rows:
        body = json.dumps({"records": records[:rows]}).encode()
        client(port, body, 1.0)  # the first requests find nothing warm
        for clients in arguments.concurrency:
            with ThreadPoolExecutor(clients) as pool:
                began = time.perf_counter()
                each = [
                    pool.submit(client, port, body, float(arguments.seconds))
                    for _ in range(clients)
                ]
                taken = np.concatenate([np.array(one.result()) for one in each])
            rate = len(taken) / (time.perf_counter() - began)
            half, most = (float(np.percentile(taken, p)) * 1e3 for p in (50, 99))
            report.add(clients=clients, rows=rows, requests=rate, p50=half, p99=most)
            report.line(
                clients, rows, f"{rate:.0f}", f"{rate * rows:.0f}", f"{half:.1f}", f"{most:.1f}"
            )
