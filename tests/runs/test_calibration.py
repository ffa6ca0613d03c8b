"""A calibration is loaded as it was saved, or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save

from pyro_gmvae.data import TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import Calibration
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.runs import load, save_run
from tests.helpers.small import small_gmvae

CALIBRATION = Calibration(
    torch.tensor([-1e300, -2.0, 3.0], dtype=torch.float64),
    torch.tensor([0.5, 1.0, 0.75]),
    torch.tensor([-11.0, 2.0], dtype=torch.float64),
    num_samples=7,
)


@pytest.fixture
def fitted() -> FittedModel:
    gmvae = small_gmvae("exact", input_dim=2, likelihood="gaussian").eval()
    encoding = TableEncoding.standardize(torch.randn(20, 2))
    return FittedModel(gmvae, encoding, calibration=CALIBRATION)


def test_round_trip(fitted: FittedModel, tmp_path: Path) -> None:
    save_run(tmp_path, fitted)
    found = load(tmp_path).calibration
    assert found is not None and found.num_samples == 7
    for name in ("log_p", "certainty", "cell_log_p"):
        assert getattr(found, name).tolist() == getattr(CALIBRATION, name).tolist()
    save_run(tmp_path, replace(fitted, calibration=None))
    assert load(tmp_path).calibration is None


@pytest.mark.parametrize(
    ("form", "tensors"),
    [
        ({"rows": 4}, {}),
        ({"rows": -1}, {}),
        ({"rows": 10**30}, {}),
        ({"num_samples": 0}, {}),
        ({"columns": 1}, {}),
        ({"more": 1}, {}),
        (None, {}),
        ({}, {"certainty": torch.tensor([0.5, 2.0, 0.5], dtype=torch.float64)}),
        ({}, {"log_p": torch.tensor([0.5, torch.nan, 0.5], dtype=torch.float64)}),
        ({}, {"log_p": torch.zeros(3)}),
    ],
    ids=str,
)
def test_damage(
    form: dict[str, int] | None,
    tensors: dict[str, torch.Tensor],
    fitted: FittedModel,
    tmp_path: Path,
) -> None:
    save_run(tmp_path, fitted)
    config: dict[str, Any] = json.loads((tmp_path / "config.json").read_text())
    weights = load_file(tmp_path / "weights.safetensors")
    written = save(weights | {f"calibration/{name}": t for name, t in tensors.items()})
    (tmp_path / "weights.safetensors").write_bytes(written)
    config["weights_sha256"] = hashlib.sha256(written).hexdigest()
    config["calibration"] = None if form is None else config["calibration"] | form
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="calibration|digits"):
        load(tmp_path)
