"""Bound what a client may ask for: who it is, how much, and how often."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from pyro_gmvae.errors import InputError

__all__ = ["Limits", "RateLimit", "is_authorised"]

MOST_CLIENTS = 10_000  # addresses that are remembered
LEAST_TOKEN = 16  # characters


@dataclass(frozen=True)
class Limits:
    """Say what one request may ask for, and how many a client may send.

    Attributes:
        rows: rows of a request, at most.
        body: bytes of a request, at most.
        rate: requests of one client in a second, on average; a burst may be twice as many.

    >>> Limits(rate=5.0).rows
    10000
    """

    rows: int = 10_000
    body: int = 10 * 2**20
    rate: float = 100.0

    def __post_init__(self) -> None:
        for name in ("rows", "body", "rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"the limit of {name} must be positive: give a larger one")


def is_authorised(token: str | None, header: str | None) -> bool:
    """Compare the header ``Authorization`` with the token, in a time that tells nothing of it.

    >>> is_authorised("correct horse battery", "Bearer correct horse battery")
    True
    >>> is_authorised("correct horse battery", None), is_authorised(None, None)
    (False, True)
    """
    if token is None:
        return True
    scheme, _, given = (header or "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return same and scheme.lower() == "bearer"


def checked_token(token: str) -> str:
    """Refuse a token that is short, or that no header can hold.

    Raises:
        InputError: saying what is wrong.

    >>> checked_token("secret")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: the token has 6 characters: take at least 16, at random
    """
    if len(token) < LEAST_TOKEN:
        raise InputError(
            f"the token has {len(token)} characters: take at least {LEAST_TOKEN}, at random"
        )
    if not token.isascii() or not token.isprintable() or token != token.strip():
        raise InputError("the token has characters that no header holds: take letters and digits")
    return token


@dataclass
class RateLimit:
    """Let each client send ``rate`` requests a second on average (a token bucket).

    Args:
        rate: requests in a second.
        clock: gives the seconds.

    >>> now = iter([0.0, 0.0, 0.0, 1.0])
    >>> limit = RateLimit(1.0, clock=lambda: next(now))
    >>> [limit.wait("10.0.0.1") for _ in range(4)]
    [0.0, 0.0, 1.0, 0.0]
    """

    rate: float
    clock: Callable[[], float] = time.monotonic
    _clients: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def wait(self, client: str) -> float:
        """Count a request, and return the seconds that the client has to wait; 0 lets it pass."""
        most = max(2 * self.rate, 1.0)
        with self._lock:
            now = self.clock()
            left, then = self._clients.pop(client, (most, now))
            left = min(most, left + (now - then) * self.rate)
            passes = left >= 1
            self._clients[client] = (left - passes, now)
            if len(self._clients) > MOST_CLIENTS:
                self._clients.popitem(last=False)
        return 0.0 if passes else (1 - left) / self.rate
