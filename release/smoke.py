"""Use an installed pyro_gmvae: ``python smoke.py RUNS_OF_0.1 FOLDER_TO_WRITE``.

It needs the wheel and its dependencies, and nothing of the clone. FOLDER_TO_WRITE gets models and
their answers, for which `same_answers.py` asks another environment.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_wine

import pyro_gmvae
from pyro_gmvae import GMVAE
from pyro_gmvae.data import load
from same_answers import answers

COMMAND = Path(sysconfig.get_path("scripts")) / "pyro-gmvae"


def run(*words: object) -> str:
    """Run the command; an error ends the smoke test."""
    print("pyro-gmvae", *words, flush=True)
    done = subprocess.run(
        [str(COMMAND), *map(str, words)], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def check_demo(folder: Path) -> None:
    """Train on the digits, and evaluate."""
    demo = folder / "demo"
    run("train", "digits", "--clusters", 10, "--epochs", 2, "--starts", 1, "--out", demo)
    run("evaluate", demo)
    assert (demo / "clusters.png").stat().st_size > 1_000


def check_table(folder: Path) -> None:
    """Train on a file of numbers, names, dates and gaps, place its rows, and write a report."""
    wine = load_wine(as_frame=True)
    file, run_folder = folder / "wine.csv", folder / "wine"
    rng = np.random.default_rng(0)
    days = rng.integers(0, 900, len(wine.data))
    table = wine.data.assign(
        colour=np.where(wine.data["hue"] > 1, "red", "brown"),
        bottled=pd.Timestamp("2020-01-01") + pd.to_timedelta(days, "D"),
    )
    table.mask(rng.random(table.shape) < 0.05).to_csv(file, index=False)
    run("train", file, "--clusters", 3, "--seed", 0, "--out", run_folder)
    run("predict", run_folder, file, "-o", folder / "placed.csv")
    run("report", run_folder, "-o", folder / "report.html")
    placed = pd.read_csv(folder / "placed.csv")
    assert len(placed) == len(wine.data) and placed["cluster"].nunique() == 3
    assert "<html" in (folder / "report.html").read_text()


def check_estimator(folder: Path) -> None:
    """Save and load an estimator."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)) + 6 * rng.integers(0, 2, (300, 1))
    gm = GMVAE(2, max_iter=20, random_state=0).fit(x)
    gm.save(folder / "numbers")
    np.save(folder / "numbers.npy", x)
    loaded = GMVAE.load(folder / "numbers")
    assert np.array_equal(loaded.predict_proba(x), gm.predict_proba(x))


def check_runs_of_the_oldest_version(runs: Path) -> None:
    """Load what version 0.1 wrote, and compare with its answers."""
    kept = np.load(runs / "answers.npz")
    table = pd.DataFrame(kept["table"], columns=kept["names"])
    digits = load("digits").x[: len(kept["digits_proba"]), 0].numpy()
    for name, x in (("table", table), ("saved-table", table), ("digits", digits)):
        found = GMVAE.load(runs / name).predict_proba(x)
        expected = kept[f"{name.replace('-', '_')}_proba"]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def main(runs: Path, folder: Path) -> None:
    """Run all checks."""
    package = Path(pyro_gmvae.__file__)
    assert "site-packages" in package.parts, f"not the wheel: {package}"
    assert (package.parent / "py.typed").is_file()
    print("pyro_gmvae", pyro_gmvae.__version__, "on Python", sys.version.split()[0])
    folder.mkdir()
    assert pyro_gmvae.__version__ in run("--version")
    check_demo(folder)
    check_table(folder)
    check_estimator(folder)
    check_runs_of_the_oldest_version(runs)
    np.savez(folder / "answers.npz", **answers(folder))
    print("smoke tests passed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
