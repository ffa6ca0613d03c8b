"""Run a study cell by cell, each kept in a file, and sum the cells up over seeds."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring.finished_cells import cells_folder, finished
from benchmarks.measuring.machine import describe
from benchmarks.measuring.report import Report, write_json

__all__ = ["Cell", "machines_of", "path_of", "run_cells", "summed"]

Cell = dict[str, Any]
PACKAGES = ("numpy", "scikit-learn", "stepmix", "kmodes")


def run_cells(
    study: str,
    arguments: Namespace,
    report: Report,
    wanted: Iterable[Mapping[str, Any]],
    settings: Mapping[str, Any],
    measure: Callable[..., Mapping[str, Any]],
) -> list[Cell]:
    """Measure each cell that has no file yet, and return all cells of the folder.

    Args:
        study: the benchmark's name.
        arguments: with ``cells`` and ``out``, which name the folder.
        report: says the name of each cell that was measured and its figures.
        wanted: the names of each cell, with its ``seed``.
        settings: what a finished cell must agree with.
        measure: takes the names of a cell and returns its figures; ``labels`` among them, the
            clusters of the rows, are kept beside the cell's file, as ``.npy``.
    """
    folder = cells_folder(study, arguments)
    for names in wanted:
        path = path_of(folder, names)
        if finished(path, {"settings": dict(settings)}) is not None:
            continue
        machine, began = {**describe(), "versions": _versions()}, time.perf_counter()
        figures = dict(measure(**names))
        figures.setdefault("seconds", time.perf_counter() - began)
        if (labels := figures.pop("labels", None)) is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path.with_suffix(".npy"), labels.astype(np.int16))
        cell = {**names, "settings": dict(settings), "machine": machine, **figures}
        write_json(path, cell)
        shown = [f"{k} {v:.3f}" for k, v in figures.items() if isinstance(v, float)]
        report.say(f"{path.stem}: {', '.join(shown)}")
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*-seed*.json"))]


def path_of(folder: Path, names: Mapping[str, Any]) -> Path:
    """Return the file of the cell with these names."""
    words = [value if isinstance(value, str) else f"{name}{value}" for name, value in names.items()]
    return folder / f"{'-'.join(words).replace(' ', '-')}.json"


def summed(cells: Sequence[Cell], names: Sequence[str], figures: Sequence[str]) -> list[Cell]:
    """Make a row for each group of seeds: its names, its seeds, and each figure over the seeds."""
    rows: dict[tuple[Any, ...], Cell] = {}
    for cell in sorted(cells, key=lambda cell: int(cell["seed"])):
        key = tuple(cell[name] for name in names)
        row = rows.setdefault(key, {**dict(zip(names, key, strict=True)), "seeds": []})
        row["seeds"].append(cell["seed"])
        for figure in figures:
            row.setdefault(figure, []).append(cell.get(figure))
    return list(rows.values())


def machines_of(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """Return each machine, commit and day that cells were measured on, and how many were."""
    counts: Counter[str] = Counter()
    for cell in cells:
        machine = {name: value for name, value in cell["machine"].items() if name != "load"}
        counts[json.dumps(machine)] += 1
    return [{**json.loads(machine), "cells": n} for machine, n in counts.items()]


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
