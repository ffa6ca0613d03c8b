"""Run the server of a run on this machine."""

from __future__ import annotations

import os
from importlib.util import find_spec
from ipaddress import ip_address

from pyro_gmvae.errors import InputError
from pyro_gmvae.serving.http.app import make_app
from pyro_gmvae.serving.http.limits import Limits, checked_token
from pyro_gmvae.serving.predictor import Predictor

__all__ = ["require_http", "serve"]


def serve(
    run: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    limits: Limits | None = None,
    density: bool = False,
    reject: float | None = None,
    device: str = "cpu",
) -> None:
    """Answer requests until a signal ends the process.

    Args:
        run: the folder of a run.
        host: the address to listen at.
        port: the port.
        token: what clients have to send as ``Authorization: Bearer TOKEN``; None asks for none.
        limits: the limits of requests.
        density, reject, device: as in `Predictor`.

    Raises:
        InputError: if fastapi or uvicorn is not installed, for an address that other machines reach
            without a token, a token that is too short, or a run that cannot be read.

    >>> serve("runs/a", host="0.0.0.0")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: 0.0.0.0 is reached from other machines: set a token, or listen ...
    """
    check_address(host, token)
    require_http()
    import uvicorn

    predictor = Predictor(run, density=density, reject=reject, device=device)
    app = make_app(predictor, token=token, limits=limits)
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)


def check_address(host: str, token: str | None) -> None:
    """Refuse an address beyond this machine without a token, and a token that is too short.

    Raises:
        InputError: saying which.

    >>> check_address("localhost", None)
    """
    if token is not None:
        checked_token(token)
    elif not _is_loopback(host):
        raise InputError(
            f"{host} is reached from other machines: set a token, or listen at 127.0.0.1"
        )


def require_http() -> None:
    """Refuse to go on without the packages of a server.

    Raises:
        InputError: naming the one that is missing.

    >>> require_http()  # fastapi and uvicorn are installed
    """
    for name in ("fastapi", "uvicorn"):
        if find_spec(name) is None:
            raise InputError(f"{name} is not installed: pip install 'pyro-gmvae[serve]'")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
