"""The files of results belong to their commands, and their summaries to their trainings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.clusters.summary_table import summary as clusters_summary
from benchmarks.measuring.finished_cells import RESULTS
from benchmarks.paper.summary_table import summary as paper_summary

README = (RESULTS / "README.md").read_text()
FILES = [
    path.relative_to(RESULTS)
    for path in sorted(RESULTS.rglob("*"))
    if path.suffix in (".json", ".png") and "cells" not in path.parts
]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_has_its_command(file: Path) -> None:
    assert f"`{file}`" in README
    if file.suffix == ".json":
        assert json.loads((RESULTS / file).read_text())["benchmark"] in NAMES


def test_every_command_and_link_of_the_table_exists() -> None:
    assert set(re.findall(r"python -m benchmarks (\S+?)[` ]", README)) <= set(NAMES)
    assert {str(file) for file in FILES} == set(re.findall(r"`([\w/]+\.(?:json|png))`", README))
    links = re.findall(r"\]\(([^)#]+)", README)
    assert links
    assert all((RESULTS / link).exists() for link in links)


def test_summaries_are_those_of_the_trainings(tmp_path: Path) -> None:
    paper = json.loads((RESULTS / "paper_cpu.json").read_text())
    assert paper_summary(paper["cells"]) == paper["results"]
    for file in ("clusters.json", "clusters_10_epochs.json", "gpu/clusters.json"):
        values = json.loads((RESULTS / file).read_text())
        cells = values["cells"]
        again = {
            (row["data"], row["contender"]): row
            for row in clusters_summary(cells, [tmp_path / "none"] * len(cells))
        }
        assert len(again) == len(values["results"])
        for row in values["results"]:
            found = again[row["data"], row["contender"]]
            for name in ("accuracy", "nmi", "ari", "seconds", "seeds"):
                assert sorted(row[name]) == sorted(found[name])
