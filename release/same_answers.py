"""Ask the models that `smoke.py` wrote again: ``python same_answers.py FOLDER``.

Run it in another environment, or by another version of Python.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from pyro_gmvae import GMVAE
from pyro_gmvae.data import load

# Other versions of torch may round otherwise.
TOLERANCES = {
    "predict_proba": {"rtol": 0, "atol": 1e-6},
    "transform": {"rtol": 1e-4, "atol": 1e-5},
    "score_samples": {"rtol": 1e-4, "atol": 1e-4},
}


def answers(folder: Path) -> dict[str, np.ndarray]:
    """Ask the models of numbers, of mixed columns and of images."""
    rows = {
        "numbers": np.load(folder / "numbers.npy"),
        "wine": pd.read_csv(folder / "wine.csv"),
        "demo": load("digits").x[:200, 0].numpy(),
    }
    return {
        f"{name}.{method}": getattr(GMVAE.load(folder / name), method)(x)
        for name, x in rows.items()
        for method in TOLERANCES
    }


def main(folder: Path) -> None:
    """Compare with the answers that were kept."""
    kept = np.load(folder / "answers.npz")
    for name, found in answers(folder).items():
        tolerance = TOLERANCES[name.partition(".")[2]]
        np.testing.assert_allclose(found, kept[name], **tolerance, err_msg=name)
    print("the same answers on Python", sys.version.split()[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
