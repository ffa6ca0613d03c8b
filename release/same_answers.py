"""Ask the model that `smoke.py` wrote again: ``python same_answers.py FOLDER``.

Run it in another environment, or by another version of Python.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from pyro_gmvae import GMVAE


def main(folder: Path) -> None:
    """Compare with the answers that were kept; other versions of torch may round otherwise."""
    answers = np.load(folder / "answers.npz")
    loaded, x = GMVAE.load(folder / "model"), answers["x"]
    np.testing.assert_allclose(loaded.predict_proba(x), answers["p"], atol=1e-6)
    np.testing.assert_allclose(loaded.transform(x), answers["z"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(loaded.score_samples(x), answers["log_p"], rtol=1e-4, atol=1e-4)
    print("the same answers on Python", sys.version.split()[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
