"""Rebuild the model of a run from its configuration and its file of weights."""

from __future__ import annotations

import hashlib
from math import prod
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pyro_gmvae.about import About
from pyro_gmvae.data import Encoding, encoding_from_config
from pyro_gmvae.data.covariates import CovariateDesign
from pyro_gmvae.evaluation import Calibration
from pyro_gmvae.files import under_prefix, with_prefix
from pyro_gmvae.files.tensors import (
    TensorForm,
    compare_forms,
    form_of,
    read_forms,
    read_tensors,
    require_finite,
)
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.models import GMVAE, from_config
from pyro_gmvae.process.alone import alone
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.runs.calibration import CalibrationForm, calibration_tensors
from pyro_gmvae.runs.version_1 import config_of_version_1
from pyro_gmvae.stored import DamagedError, cut, typed

__all__ = ["check_numbers", "read_model", "sha256_of", "tensors_of"]

# How much larger a file of weights may be than its numbers: its header.
HEADER, HEADER_OF_EACH = 2**16, 2**10
LARGEST_NUMBER = 8  # bytes
Dtype = Literal["float64", "float32", "float16", "bfloat16"]
FLOATS = ("F64", "F32", "F16", "BF16")


@alone
def read_model(path: Path, config: dict[str, Any]) -> FittedModel:
    """Rebuild the model; nothing is allocated before the file of weights is known to fill it.

    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> import json
    >>> from pyro_gmvae.runs import save_run
    >>> with TemporaryDirectory() as folder:
    ...     save_run(folder, fitted)
    ...     config = json.loads(Path(folder, "config.json").read_text())
    ...     read_model(Path(folder, "weights.safetensors"), config).gmvae.n_components
    2
    """
    is_old = config["version"] == 1
    if is_old:
        config = config_of_version_1(config)
    model = typed(dict[str, Any], config.get("model"), "model")
    dtype: torch.dtype = getattr(torch, typed(Dtype, config.get("dtype"), "dtype"))
    about = About.from_dict(config.get("about"))
    stored = config.get("covariates")
    covariates = None if stored is None else CovariateDesign.from_config(stored)
    calibrated = CalibrationForm.from_config(config.get("calibration"))
    try:
        with torch.device("meta"):
            blank = from_config(model).to(dtype), encoding_from_config(config.get("encoding"))
    except RuntimeError as error:  # by torch, for the size of a tensor that no number can hold
        raise DamagedError(cut(error)) from error
    if blank[0].event_shape != blank[1].model_shape:
        raise DamagedError("the model and its encoding are for rows of different shapes")
    if blank[0].options["n_covariates"] != (0 if covariates is None else len(covariates)):
        raise DamagedError("the model and its covariates do not fit together")

    wanted = {name: form_of(tensor) for name, tensor in tensors_of(*blank).items()}
    if is_old:
        wanted = {name.replace("encoding/", "preprocessor/", 1): f for name, f in wanted.items()}
    if calibrated is not None:
        wanted |= calibrated.forms
    _check_digest(path, config.get("weights_sha256"), wanted)
    found = read_forms(path)
    for name, form in wanted.items():  # an encoding keeps its own precision
        if name.startswith("encoding/") and name in found and found[name].dtype in FLOATS:
            wanted[name] = form._replace(dtype=found[name].dtype)
    compare_forms(found, wanted)

    with forked_rng():  # initial weights are drawn, only to be replaced
        gmvae = from_config(model).to(dtype)
    encoding = encoding_from_config(config["encoding"])
    tensors = read_tensors(path)
    if is_old:
        tensors = {n.replace("preprocessor/", "encoding/", 1): t for n, t in tensors.items()}
    for name, buffer in encoding.state_dict(keep_vars=True).items():
        where, _, own = name.rpartition(".")
        stored = buffer.to(tensors[f"encoding/{name}"].dtype)
        setattr(encoding.get_submodule(where), own, stored)
    check_numbers(tensors)
    for part, module in _parts(gmvae, encoding):
        module.load_state_dict(under_prefix(part, tensors))
    calibration = None if calibrated is None else calibrated.read(tensors)
    return FittedModel(
        gmvae.eval(), encoding, about, calibration=calibration, covariates=covariates
    )


def _check_digest(path: Path, digest: Any, wanted: dict[str, TensorForm]) -> None:
    """Refuse a file that is not the one that was saved, or larger than what it should hold."""
    numbers = sum(prod(form.shape) for form in wanted.values())
    if path.stat().st_size > LARGEST_NUMBER * numbers + HEADER + HEADER_OF_EACH * len(wanted):
        raise DamagedError(f"{path.name} is larger than the model")
    if sha256_of(path) != digest:
        raise DamagedError(f"{path.name} is not the file that was saved")


def sha256_of(path: Path) -> str:
    """Return the digest of a file, which is read piece by piece.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.txt")
    ...     _ = path.write_bytes(b"hello")
    ...     sha256_of(path)[:8]
    '2cf24dba'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_numbers(tensors: dict[str, Tensor]) -> None:
    """Refuse weights that are no numbers, scales of 0, and maps that are not in order.

    >>> check_numbers({"encoding/scale": torch.ones(2)})
    >>> check_numbers({"encoding/scale": torch.zeros(2)})
    Traceback (most recent call last):
        ...
    pyro_gmvae.stored.DamagedError: the tensor 'encoding/scale' has entries that are not positive
    """
    require_finite(tensors)
    if not (tensors["encoding/scale"] > 0).all():
        raise DamagedError("the tensor 'encoding/scale' has entries that are not positive")
    for name in ("encoding/mixed.knots", "encoding/mixed.scores"):
        if name in tensors and not (tensors[name].diff(dim=-1) > 0).all():
            raise DamagedError(f"the tensor {name!r} is not in order")


def tensors_of(
    gmvae: GMVAE, encoding: Encoding, calibration: Calibration | None = None
) -> dict[str, Tensor]:
    """Return the state of the model, its encoding and its calibration by the names in the file.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> tensors = tensors_of(fitted.gmvae, fitted.encoding)
    >>> tensors["encoding/scale"].shape
    torch.Size([2])
    """
    parts = _parts(gmvae, encoding)
    state = {n: t for p, module in parts for n, t in with_prefix(p, module.state_dict()).items()}
    return state | calibration_tensors(calibration)


def _parts(gmvae: GMVAE, encoding: Encoding) -> list[tuple[str, nn.Module]]:
    return [("model", gmvae), ("encoding", encoding)]
