"""Runs of untrained models of each method, on mixed columns and on images, and rows for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch

from pyro_gmvae.data import ImageEncoding, TableEncoding, from_frame
from pyro_gmvae.evaluation import Calibration
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models import GMVAE
from pyro_gmvae.runs import save_run
from tests.helpers.small import small_gmvae
from tests.helpers.tables import table_gmvae

CLUSTERS = 4


def mixed_rows(n: int = 200, *, seed: int = 0, unseen: bool = False) -> pandas.DataFrame:
    """A column of each kind, with gaps in all of them; some texts may be of no level."""
    rng = np.random.default_rng(seed)
    tiers = ["bronze", "gold", "silver", *(["tin", "wood"] if unseen else [])]
    columns: dict[str, Any] = {
        "real": rng.normal(50, 7, n),
        "amount": rng.lognormal(4, 1, n),
        "count": rng.poisson(5, n).astype(float),
        "rooms": rng.choice([1.0, 2.0, 4.0, *([7.0] if unseen else [])], n),
        "flag": rng.random(n) < 0.3,
        "tier": rng.choice(tiers, n),
        "gain": np.where(rng.random(n) < 0.7, -1.0, rng.lognormal(6, 2, n)),
    }
    made = pandas.DataFrame(columns).astype({"flag": object, "tier": object})
    days = pandas.to_timedelta(rng.integers(0, 900, n), unit="D")
    made["since"] = pandas.Timestamp("2020-01-01") + days
    return made.mask(rng.random(made.shape) < 0.1)


def save_mixed(folder: Path, method: str = "exact") -> FittedModel:
    """A model of `mixed_rows`, of random weights and with a calibration, saved in a folder."""
    data = from_frame(mixed_rows())
    encoding = TableEncoding.fit(data, "mixed")
    structure = TableStructure(encoding.columns)
    return _saved(folder, table_gmvae(structure, CLUSTERS, method), encoding, 8)


def save_images(folder: Path, method: str = "exact") -> FittedModel:
    """A model of grey images of 5 by 6 pixels, saved in a folder."""
    gmvae = small_gmvae(method, CLUSTERS, input_dim=(1, 5, 6))
    return _saved(folder, gmvae, ImageEncoding((1, 5, 6), "dynamic"), 0)


def _saved(folder: Path, gmvae: GMVAE, encoding: Any, width: int) -> FittedModel:
    n = torch.arange(99, dtype=torch.float64)
    calibration = Calibration(-n, 1 - n.float() / 200, torch.zeros(width, dtype=torch.float64), 5)
    fitted = FittedModel(gmvae.eval(), encoding, calibration=calibration)
    save_run(folder, fitted)
    return fitted
