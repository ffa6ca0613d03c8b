"""Answer requests by a predictor: the application, without the server that runs it."""

# Annotations are read by FastAPI when a route is made, among them types that are made here.
import logging
import time
import warnings
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.metadata import version
from math import isfinite
from threading import Lock
from typing import Any

import numpy as np

from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.errors import InputError
from pyro_gmvae.serving.http.limits import Limits, RateLimit, is_authorised
from pyro_gmvae.serving.http.metrics import Metrics
from pyro_gmvae.serving.http.records import columns_of, request_model
from pyro_gmvae.serving.predictor import Predictor

__all__ = ["make_app"]

OPEN = ("/health",)  # paths that need no token
PATHS = ("/health", "/metrics", "/predict", "/openapi.json")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_log = logging.getLogger(__name__)


def make_app(
    predictor: Predictor, *, token: str | None = None, limits: Limits | None = None
) -> Any:
    """Make the FastAPI application of a run.

    ``/health`` says that it answers, ``/predict`` places records, ``/metrics`` counts what it did,
    and ``/openapi.json`` describes the records by the columns of the run. Errors are JSON objects
    of one sentence, ``{"error": ...}``; what went wrong in the server itself stays in its log.

    Args:
        predictor: places the rows, one request at a time.
        token: what clients have to send, but for ``/health``; None asks for none.
        limits: the limits of requests.
    """
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse, PlainTextResponse
    from starlette.exceptions import HTTPException

    limits = limits or Limits()
    metrics, turn = Metrics(), Lock()
    encoding = predictor.fitted.encoding
    Rows = request_model(encoding, limits.rows)  # noqa: N806
    app = FastAPI(
        title=f"Clusters of {predictor.fitted.about.name}",
        version=version("pyro-gmvae"),
        openapi_url="/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        openapi_tags=None,
        separate_input_output_schemas=False,
    )
    guard: dict[str, Any] = {} if token is None else {"security": [{"bearer": []}]}
    failures = {code: {"description": words, **ERROR} for code, words in FAILURES.items()}

    @app.get("/health", responses={429: failures[429]})
    def health() -> dict[str, Any]:
        """Say that the server answers, and which model it has."""
        gmvae = predictor.fitted.gmvae
        return {"status": "ok", "clusters": gmvae.n_components, "version": app.version}

    @app.get(
        "/metrics",
        response_class=PlainTextResponse,
        openapi_extra=guard,
        responses={code: failures[code] for code in (401, 429)},
    )
    def counts() -> str:
        """Count requests, seconds and rows by cluster, in the text format of Prometheus."""
        return metrics.text()

    @app.post("/predict", openapi_extra=guard, responses=failures)
    def predict(rows: Rows) -> dict[str, Any]:  # type: ignore[valid-type]
        """Place records: the figures of each, as `pyro-gmvae predict` writes them."""
        # Warnings belong to the process, and the model uses all cores for one request.
        with turn, warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", DataWarning)
            found = predictor(columns_of(encoding, rows))
        metrics.rows(found["cluster"].tolist())
        said = [str(w.message) for w in told if issubclass(w.category, DataWarning)]
        return {"rows": _records(found), "warnings": said}

    @app.exception_handler(InputError)
    def refused(request: Request, error: InputError) -> JSONResponse:
        return _error(422, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
        return _error(422, f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    def unknown(request: Request, error: HTTPException) -> JSONResponse:
        return _error(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    def failed(request: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed", exc_info=error)
        return _error(500, "the server failed, and its log says why: try again, or other rows")

    if token is not None:
        _declare_token(app)
    app.add_middleware(_Gate, token=token, limits=limits, metrics=metrics)
    return app


FAILURES = {
    400: "the body is no text in UTF-8",
    401: "the token is missing or wrong",
    413: "the request is too large",
    422: "the records do not fit the model",
    429: "too many requests: wait",
}
_OBJECT = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
ERROR = {"content": {"application/json": {"schema": _OBJECT}}}


class _Gate:
    """Refuse requests before they are read: by token, rate and size; and time the others."""

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
            return _error(429, FAILURES[429], {"Retry-After": str(int(wait) + 1)})
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["path"] not in OPEN and not is_authorised(
            self.token, headers.get(b"authorization")
        ):
            return _error(401, FAILURES[401], {"WWW-Authenticate": "Bearer"})
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
    return _error(413, f"the request is larger than {limits.body} bytes: send fewer records")


def _error(status: int, sentence: str, headers: Any = None) -> Any:
    from fastapi.responses import JSONResponse

    return JSONResponse({"error": sentence}, status, headers=headers)


def _records(found: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Turn arrays by name into an object for each row; what is no number is null."""
    columns = {
        name: [
            None if isinstance(value, float) and not isfinite(value) else value
            for value in values.tolist()
        ]
        for name, values in found.items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _declare_token(app: Any) -> None:
    """Say in the document how the token is sent."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        document: dict[str, Any] = plain()
        schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
        document.setdefault("components", {})["securitySchemes"] = schemes
        return document

    app.openapi = described
