"""The server answers as `predict` does, and refuses by one sentence."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from pyro_gmvae.serving import Predictor

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient  # noqa: E402

from pyro_gmvae.serving.http import Limits, make_app, serve  # noqa: E402

TOKEN = "0123456789abcdefgh"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def customers(rows: int = 90) -> pandas.DataFrame:
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 2
    return pandas.DataFrame(
        {
            "spend ": rng.lognormal(2 + 3 * y, 0.5),
            "visits": rng.poisson(2 + 6 * y),
            "tier": np.where(rng.random(rows) < 0.9, np.array(["gold", "iron"])[y], "tin"),
            "member": rng.random(rows) < 0.2 + 0.6 * y,
            "since": pandas.Timestamp("2023-01-01")
            + pandas.to_timedelta(rng.integers(300, size=rows), "D"),
        }
    ).mask(rng.random((rows, 5)) < 0.1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "run"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GMVAE(2, hidden=(8,), max_iter=1, random_state=0).fit(customers()).save(folder)
    return folder


def client(run: Path, token: str | None = TOKEN, **limits: Any) -> TestClient:
    app = make_app(Predictor(run), token=token, limits=Limits(**{"rate": 1e6} | limits))
    return TestClient(app, raise_server_exceptions=False)


def records(frame: pandas.DataFrame) -> list[dict[str, Any]]:
    since = frame["since"].dt.strftime("%Y-%m-%d")
    rows = json.loads(frame.assign(since=since).to_json(orient="records"))
    return [{n: v for n, v in row.items() if v is not None} for row in rows]


def test_rows_are_placed_as_by_predict(run: Path) -> None:
    frame = customers(40)
    frame.loc[0, "tier"] = "platinum"
    answer = client(run).post("/predict", json={"records": records(frame)}, headers=HEADERS)
    assert answer.status_code == 200
    found = answer.json()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = GMVAE.load(run).predict_proba(frame)
    given = np.array([row["probabilities"] for row in found["rows"]])
    np.testing.assert_allclose(given, expected, atol=1e-5)
    assert [row["cluster"] for row in found["rows"]] == expected.argmax(-1).tolist()
    assert "platinum" in found["warnings"][0]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"records": [{"visits": 2.5}]}, "multiple"),
        ({"records": [{"visits": -1}]}, "greater"),
        ({"records": [{"spend ": "12"}]}, "number"),
        ({"records": [{"member": "yes"}]}, "boolean"),
        ({"records": [{"colour": "red"}]}, "Extra"),
        ({"records": []}, "at least 1"),
        ({"records": [{}] * 4}, "at most 3"),
        ({}, "required"),
        ([], "valid"),
    ],
)
def test_records_that_do_not_fit_are_refused_by_a_sentence(run: Path, body: Any, word: str) -> None:
    answer = client(run, rows=3).post("/predict", json=body, headers=HEADERS)
    assert answer.status_code == 422
    (sentence,) = answer.json().values()
    assert word in sentence and "\n" not in sentence and "Traceback" not in sentence


def test_only_health_is_open(run: Path) -> None:
    served = client(run)
    assert served.get("/health").json()["clusters"] == 2
    for path in ("/metrics", "/openapi.json"):
        for headers in ({}, {"Authorization": TOKEN}, {"Authorization": f"Bearer {TOKEN}x"}):
            answer = served.get(path, headers=headers)
            assert (answer.status_code, list(answer.json())) == (401, ["error"])
        assert served.get(path, headers=HEADERS).status_code == 200
    assert served.post("/predict", json={"records": [{}]}).status_code == 401
    assert client(run, token=None).get("/metrics").status_code == 200


def test_a_request_that_is_too_large_is_not_read(run: Path) -> None:
    served = client(run, body=1_000)
    for content in (b"x" * 1_001, iter([b"x" * 600, b"x" * 600])):  # with its length, and without
        answer = served.post("/predict", content=content, headers=HEADERS)
        assert answer.status_code == 413 and "larger than 1000 bytes" in answer.json()["error"]


def test_a_client_that_asks_too_often_has_to_wait(run: Path) -> None:
    served = client(run, rate=0.5)
    codes = [served.get("/health").status_code for _ in range(3)]
    assert codes == [200, 429, 429]
    assert int(served.get("/health").headers["Retry-After"]) >= 1


def test_counts_in_the_text_of_prometheus(run: Path) -> None:
    served = client(run)
    served.post("/predict", json={"records": [{}, {}]}, headers=HEADERS)
    served.get("/nowhere", headers=HEADERS)
    lines = served.get("/metrics", headers=HEADERS).text.splitlines()
    assert 'pyro_gmvae_requests_total{path="/predict",status="200"} 1' in lines
    assert 'pyro_gmvae_requests_total{path="other",status="404"} 1' in lines
    rows = [line.split()[-1] for line in lines if line.startswith("pyro_gmvae_rows_total")]
    assert sum(map(int, rows)) == 2


def test_a_failure_of_the_server_tells_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Predictor, columns: Any) -> Any:
        raise RuntimeError("the secret path /home/me")

    monkeypatch.setattr(Predictor, "__call__", fails)
    answer = client(run).post("/predict", json={"records": [{}]}, headers=HEADERS)
    assert answer.status_code == 500
    assert "secret" not in answer.text and list(answer.json()) == ["error"]


def test_the_document_describes_the_columns(run: Path) -> None:
    document = client(run).get("/openapi.json", headers=HEADERS).json()
    record = document["components"]["schemas"]["Record"]
    assert list(record["properties"]) == ["spend ", "visits", "tier", "member", "since"]
    assert "gold" in record["properties"]["tier"]["description"]
    assert not record["additionalProperties"]


def test_images_and_rows_without_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 4, 3), dtype=np.uint8)
    numbers = rng.normal(size=(60, 3)) + 5 * (np.arange(60) % 2)[:, None]
    options = {"hidden": (8,), "max_iter": 1, "random_state": 0}
    for name, x, shape in (("i", images, (1, 4, 3)), ("n", numbers, (3,))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            moves = {"regularize": "none", "init_params": "random"} if name == "i" else {}
            gmvae = GMVAE(2, **options, **moves).fit(x)
        gmvae.save(tmp_path / name)
        body = {"records": x[:5].reshape(5, *shape).tolist()}
        answer = client(tmp_path / name, token=None).post("/predict", json=body)
        given = [row["probabilities"] for row in answer.json()["rows"]]
        np.testing.assert_allclose(given, gmvae.predict_proba(x[:5]), atol=1e-5)
        odd = client(tmp_path / name, token=None).post("/predict", json={"records": [[1]]})
        assert odd.status_code == 422


def test_an_address_beyond_this_machine_needs_a_token(run: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.0.1", "example.org"):
        with pytest.raises(InputError, match="set a token"):
            serve(run, host=host)
    with pytest.raises(InputError, match="at least 16"):
        serve(run, host="0.0.0.0", token="short")
