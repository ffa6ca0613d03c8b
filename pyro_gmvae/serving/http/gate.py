"""Refuse requests before they are read, and time the others."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pyro_gmvae.serving.http.limits import Limits, RateLimit, is_authorised
from pyro_gmvae.serving.http.metrics import Metrics
from pyro_gmvae.serving.http.replies import FAILURES, error_reply

__all__ = ["Gate"]

OPEN = ("/health",)  # paths that need no token
PATHS = ("/health", "/metrics", "/predict", "/openapi.json")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Gate:
    """Refuse requests before they are read: by token, rate and size; and time the others.

    Args:
        app: the application behind it, as ASGI has it.
        token: what clients have to send; None asks for none.
        limits: the limits of requests.
        metrics: counts every request.

    >>> from starlette.responses import PlainTextResponse
    >>> from starlette.testclient import TestClient
    >>> gate = Gate(PlainTextResponse("inside"), "secret", Limits(), Metrics())
    >>> client = TestClient(gate)
    >>> client.get("/predict").status_code
    401
    >>> client.get("/predict", headers={"Authorization": "Bearer secret"}).text
    'inside'
    """

    def __init__(self, app: Any, token: str | None, limits: Limits, metrics: Metrics) -> None:
        self.app, self.token, self.limits, self.metrics = app, token, limits, metrics
        self.rate = RateLimit(limits.rate)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            answer = self._refusal(scope)
            if answer is None:
                body, answer = await self._body(receive)
                receive = _again(body, receive)
            await (self.app if answer is None else answer)(scope, receive, counted)
        finally:
            path = scope["path"] if scope["path"] in PATHS else "other"
            self.metrics.request(path, status, time.perf_counter() - began)

    def _refusal(self, scope: Any) -> Any:
        client = scope.get("client") or ("unknown",)
        wait = self.rate.wait(client[0])
        if wait:
            return error_reply(429, FAILURES[429], {"Retry-After": str(int(wait) + 1)})
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["path"] not in OPEN and not is_authorised(
            self.token, headers.get(b"authorization")
        ):
            return error_reply(401, FAILURES[401], {"WWW-Authenticate": "Bearer"})
        length = headers.get(b"content-length", "0")
        return _too_large(self.limits) if _beyond(length, self.limits.body) else None

    async def _body(self, receive: Receive) -> tuple[bytes, Any]:
        """Read the body up to the limit; a header may say less than what comes."""
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break  # the client has gone
            part = message.get("body", b"")
            size += len(part)
            if size > self.limits.body:
                return b"", _too_large(self.limits)
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts), None


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, and then what else the client sends."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def given() -> Message:
        return messages.pop() if messages else await receive()

    return given


def _beyond(length: str, most: int) -> bool:
    return not length.isdecimal() or int(length[:20]) > most


def _too_large(limits: Limits) -> Any:
    return error_reply(413, f"the request is larger than {limits.body} bytes: send fewer records")
