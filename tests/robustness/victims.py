"""Define the work that is killed: commands and a save, each with what it must leave."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyro_gmvae.estimator import GMVAE
from pyro_gmvae.fitting.plan import plan
from pyro_gmvae_cli.main import main

__all__ = ["Scenario", "Work", "make_sources", "scenarios", "state_of"]

Work = Callable[[], Any]
EPOCHS = 6
OPTIONS = ["--label-column", "kind", "--hidden", "8", "--latent-dim", "2", "--clusters", "3"]
OPTIONS += ["--quiet", "--compile", "off", "--regularize", "none", "--device", "cpu"]
OPTIONS += ["--initialization", "random", "--patience", "50"]
# The files whose content does not depend on the clock.
EXACT = ("train.json", "weights.safetensors", "clusters.png")


@dataclass(frozen=True)
class Scenario:
    """Describe work that may be killed at any moment.

    Attributes:
        name: what it is called in the table.
        target: the file or folder that it writes, below the place of a case.
        before: what stands at the target first; None if nothing does.
        first: makes the work that a user begins with, for a target.
        then: makes what a user tries after it was killed, one until it is accepted.
        keeps: whether the target must always be usable: as it was before, or finished.
    """

    name: str
    target: str
    before: Path | None
    first: Callable[[Path], Work]
    then: Callable[[Path], Sequence[Work]]
    keeps: bool

    def prepare(self, place: Path) -> Path:
        """Put what stands there first into ``place``, and return the target."""
        target = place / self.target
        if self.before is not None and self.before.is_dir():
            shutil.copytree(self.before, target)
        elif self.before is not None:
            shutil.copy(self.before, target)
        return target


def command(*arguments: object) -> Work:
    """Run ``pyro-gmvae`` with a checkpoint after every epoch."""

    def saving(*given: Any) -> Any:
        made = plan(*given)
        return replace(made, config=replace(made.config, checkpoint_seconds=0.0))

    def work() -> None:
        pytest.MonkeyPatch().setattr("pyro_gmvae.tasks.train.plan", saving)
        main([str(a) for a in arguments], prog_name="pyro-gmvae")

    return work


def training(source: Path, *options: object) -> Callable[[Path], Work]:
    """Train on ``source``, with the target as the run folder."""
    return lambda target: command("train", source, "--out", target, *OPTIONS, *options)


def make_sources(root: Path) -> Path:
    """Write the table that is trained on."""
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=600)
    x = rng.normal(size=(600, 2)) * [1, 10] + kind[:, None] * [8, 200]
    rows = [f"{a:.4f},{b:.4f},{'abc'[k]}" for (a, b), k in zip(x, kind, strict=True)]
    source = root / "blobs.csv"
    source.write_text("\n".join(["width,height,kind", *rows]) + "\n")
    return source


def scenarios(source: Path, other: Path, finished: Path, old_answers: Path) -> list[Scenario]:
    """List all work that is killed.

    Args:
        source: the table.
        other: a finished run with another seed.
        finished: a finished run of fewer epochs.
        old_answers: a file that ``predict`` wrote earlier, with other rows.
    """
    # The seed is named, so that the training that was to be overwritten is not resumed instead.
    run, epochs = "run", ("--epochs", EPOCHS, "--seed", 0)
    plain = training(source, *epochs)
    several = training(source, *epochs, "--starts", 2)
    overwrite, resume = (training(source, *epochs, o) for o in ("--overwrite", "--resume"))
    model = GMVAE.load(finished)

    def save(target: Path) -> Work:
        return lambda: model.save(target, overwrite=True)

    def predict(target: Path) -> Work:
        return command("predict", finished, source, "-o", target, "--quiet")

    def again(one: Callable[[Path], Work]) -> Callable[[Path], Sequence[Work]]:
        return lambda target: [one(target)]

    def going_on(target: Path) -> Sequence[Work]:
        return [resume(target), plain(target), overwrite(target)]

    def several_going_on(target: Path) -> Sequence[Work]:
        options = (*epochs, "--starts", 2)
        return [training(source, *options, o)(target) for o in ("--resume", "--overwrite")]

    return [
        Scenario("train", run, None, plain, going_on, keeps=False),
        Scenario("train --starts 2", run, None, several, several_going_on, keeps=False),
        Scenario("train --overwrite", run, other, overwrite, going_on, keeps=False),
        Scenario("train --resume", run, finished, resume, going_on, keeps=True),
        Scenario("GMVAE.save", run, other, save, again(save), keeps=True),
        Scenario("predict -o", "answers.csv", old_answers, predict, again(predict), keeps=True),
    ]


def state_of(target: Path) -> dict[str, str]:
    """Describe a target by all that does not depend on the clock: names, weights, figures."""
    if target.is_file():
        return {target.name: hashlib.sha256(target.read_bytes()).hexdigest()}
    found = {str(p.relative_to(target)): "" for p in sorted(target.rglob("*"))}
    for name in EXACT:
        if name in found:
            found[name] = hashlib.sha256((target / name).read_bytes()).hexdigest()
    if "config.json" in found:
        config = json.loads((target / "config.json").read_text())
        found["config.json"] = config["weights_sha256"]
    if "metrics.csv" in found:
        with (target / "metrics.csv").open(newline="") as file:
            found["metrics.csv"] = repr([{**r, "seconds": ""} for r in csv.DictReader(file)])
    return found
