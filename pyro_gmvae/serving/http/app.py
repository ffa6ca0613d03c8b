"""Answer requests by a predictor: the application, without the server that runs it."""

# Annotations are read by FastAPI when a route is made, among them types that are made here.
import logging
import warnings
from importlib.metadata import version
from threading import Lock
from typing import Any

from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.errors import InputError
from pyro_gmvae.serving.http.gate import Gate
from pyro_gmvae.serving.http.limits import Limits
from pyro_gmvae.serving.http.metrics import Metrics
from pyro_gmvae.serving.http.records import columns_of, request_model
from pyro_gmvae.serving.http.replies import ERROR, FAILURES, error_reply, objects_of
from pyro_gmvae.serving.predictor import Predictor

__all__ = ["make_app"]

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

    >>> import torch
    >>> from tempfile import TemporaryDirectory
    >>> from starlette.testclient import TestClient
    >>> from pyro_gmvae.fitted import FittedModel
    >>> from pyro_gmvae.runs import save_run
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> with TemporaryDirectory() as folder:
    ...     save_run(folder, fitted)
    ...     app = make_app(Predictor(folder))
    >>> TestClient(app).get("/health").json()["clusters"]
    2
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
    failures: dict[int | str, dict[str, Any]] = {
        code: {"description": words, **ERROR} for code, words in FAILURES.items()
    }

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
        return {"rows": objects_of(found), "warnings": said}

    @app.exception_handler(InputError)
    def refused(request: Request, error: InputError) -> JSONResponse:
        return error_reply(422, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
        return error_reply(422, f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    def unknown(request: Request, error: HTTPException) -> JSONResponse:
        return error_reply(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    def failed(request: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed", exc_info=error)
        return error_reply(500, "the server failed, and its log says why: try again, or other rows")

    if token is not None:
        _declare_token(app)
    app.add_middleware(Gate, token=token, limits=limits, metrics=metrics)
    return app


def _declare_token(app: Any) -> None:
    """Say in the document how the token is sent."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        document: dict[str, Any] = plain()
        schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
        document.setdefault("components", {})["securitySchemes"] = schemes
        return document

    app.openapi = described
