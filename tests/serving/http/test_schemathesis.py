"""A stranger's requests, made from the server's own document, find no fault."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from pyro_gmvae import GMVAE
from pyro_gmvae.serving import Predictor
from tests.serving.http.test_app import TOKEN, customers

schemathesis = pytest.importorskip("schemathesis")
pytest.importorskip("fastapi")
pytestmark = pytest.mark.slow


def test_no_request_finds_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``schemathesis run`` does: valid requests pass, others get one of the errors declared."""
    from hypothesis import HealthCheck, settings
    from starlette.testclient import TestClient

    from pyro_gmvae.serving.http import Limits, make_app

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GMVAE(2, hidden=(8,), max_iter=1, random_state=0).fit(customers()).save(tmp_path / "run")
    app = make_app(Predictor(tmp_path / "run"), token=TOKEN, limits=Limits(rate=1e9))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    document = TestClient(app).get("/openapi.json", headers=headers).json()
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    tried = 0
    for operation in schema.get_all_operations():

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        def check(case: schemathesis.Case) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(headers=headers)

        for mode in schemathesis.GenerationMode:
            strategy = operation.ok().as_strategy(generation_mode=mode)
            from hypothesis import given

            given(case=strategy)(check)()
    assert tried > 200
