"""Define ``pyro-gmvae serve``."""

from __future__ import annotations

from typing import Any

import click

from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command
from pyro_gmvae_cli.terminal import say


@click.command(cls=Command)
@options.run_argument
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address or name to listen at."
)
@click.option(
    "--port", type=click.IntRange(1, 65_535), metavar="N", default=8000, show_default=True,
    help="Port to listen at.",
)  # fmt: skip
@click.option(
    "--token-file",
    metavar="FILE",
    help="File whose first line clients have to send as a bearer token.  [default: the environment "
    "variable PYRO_GMVAE_TOKEN, or no token]",
)
@click.option(
    "--max-rows", type=click.IntRange(1, 10**6), metavar="N", default=10_000, show_default=True,
    help="Rows of a request, at most.",
)  # fmt: skip
@click.option(
    "--max-bytes", type=click.IntRange(1, 2**30), metavar="N", default=10 * 2**20,
    show_default=True, help="Bytes of a request, at most.",
)  # fmt: skip
@click.option(
    "--rate", type=click.FloatRange(0, 1e6, min_open=True), metavar="N", default=100.0,
    show_default=True, help="Requests of a client in a second, on average, at most.",
)  # fmt: skip
@click.option("--density", is_flag=True, help="Also answer log p(x) and typicality.")
@options.reject
@options.device
@options.quiet
def command(
    run: str,
    token_file: str | None,
    max_rows: int,
    max_bytes: int,
    rate: float,
    quiet: bool,
    **served: Any,
) -> None:
    """Place rows over HTTP by the model in the folder RUN, until Ctrl-C.

    POST /predict takes JSON, {"records": [...]}, with a member for each column; null, or no member,
    is a gap. It answers the figures of each row, as predict writes them. GET /openapi.json
    describes the columns, /metrics counts requests and rows for Prometheus, /health answers while
    the server lives. An error is one sentence of JSON.

    Without a token it listens on this machine alone. There is no encryption: beyond this machine,
    put it behind a proxy that has it.

    \b
    Examples:
      pyro-gmvae serve runs/customers
      curl 127.0.0.1:8000/predict --json '{"records": [{"age": 31, "tier": "gold"}]}'
      pyro-gmvae serve runs/customers --host 0.0.0.0 --token-file token.txt
    """
    from pyro_gmvae.serving.http.limits import Limits
    from pyro_gmvae.tasks.serve import serve_run

    if not quiet:
        say(f"Serving {run} at http://{served['host']}:{served['port']}; Ctrl-C ends it.")
    limits = Limits(rows=max_rows, body=max_bytes, rate=rate)
    serve_run(run, token_file=token_file, limits=limits, **served)
