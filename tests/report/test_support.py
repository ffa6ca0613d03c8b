"""What other trainings say of the segments: read from files, and shown in every format."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import cluster_stability
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.report.html import html_of
from pyro_gmvae.report.markdown import markdown_of
from pyro_gmvae.report.report import Report
from pyro_gmvae.report.support import Support, selection_sentence, support_of
from pyro_gmvae.runs import save_run, write_training
from pyro_gmvae.runs.findings import (
    FoundNumber,
    FoundStability,
    Recurrence,
    Tried,
    read_selection,
    read_stability,
    write_stability,
)
from pyro_gmvae.visible import markdown_text
from tests.report.conftest import HOSTILE, customers, fitted_to
from tests.report.test_html import Page, at

TRIED = tuple(Tried(k, 3, -9.0, 0.1, 0.5, 0.2, k - 0.5, 0.3, 0.8, float(k)) for k in (2, 3, 4))
NUMBER = FoundNumber("customers", 3, 100, 4, False, ("Take more runs.",), TRIED)
STABILITY = FoundStability(
    240,
    5,
    0.8,
    0.7,
    (0.7, 0.9),
    (
        Recurrence(0, 90, 0.91, 0.85, "stable"),
        Recurrence(1, 80, 0.55, 0.5, "unstable"),
        Recurrence(2, 70, 0.88, 0.8, "stable"),
    ),
)


@pytest.fixture
def supported(report: Report) -> Report:
    return replace(report, support=Support(NUMBER, stability=STABILITY))


def section(html: str) -> str:
    return "<section><h2>" + html.partition('<h2 id="number">')[2].partition("</section>")[0]


def test_the_page_shows_how_many_segments_and_how_stable_each_is(supported: Report) -> None:
    html = html_of(supported)
    values = json.loads(json.dumps(supported.to_dict(), allow_nan=False))
    figures = [f for f in Page(html).figures if f[0].startswith("support.")]
    assert len(figures) == 3 * 6 + 3 * 2 + 3  # tried, stability, and one on each card
    assert all(value == repr(at(values, path)) for path, value, _ in figures)
    text = "".join(Page(section(html)).text)
    assert "recommends 4, and this model has 3. The recommendation is not sure." in text
    assert "4 (recommended)" in text and "Take more runs." in text and "0.55" in text
    assert "pyro-gmvae" not in text  # nothing is left to find out
    cards = html.partition('class="cards"')[2].partition("</section>")[0]
    assert cards.count("Trained on other rows it is") == 3


def test_what_is_not_supported_is_a_caution(supported: Report, report: Report) -> None:
    said = " ".join(supported.cautions)
    assert "The model has 3 clusters, and a selection recommends 4." in said
    assert "Trainings on other rows did not find segment 1 again well." in said
    assert "selection" not in " ".join(report.cautions)


def test_markdown_says_the_same(supported: Report) -> None:
    text = markdown_of(supported)
    assert "| 4 | 4.0 | 3.5 ± 0.3 | 0.80 | 0.50 ± 0.20 |" in text
    assert "| 1 | 0.55 | 0.50 | unstable |" in text and "Take more runs." in text


def test_without_other_trainings_the_commands_are_told(report: Report) -> None:
    command = "pyro-gmvae stability runs/customers --resamples 5"
    page, text = "".join(Page(section(html_of(report))).text), markdown_of(report)
    assert command in page and markdown_text(command) in text
    for shown in (page, text):
        assert "This run alone does not tell how many segments the data support" in shown


def test_one_of_the_two_leaves_one_command(report: Report) -> None:
    known = replace(report, support=Support(stability=STABILITY))
    text = section(html_of(known))
    assert "whether other rows" not in text and "stability runs" not in text


def test_hostile_texts_of_these_files_are_text(supported: Report) -> None:
    number = replace(NUMBER, doubts=HOSTILE, data=HOSTILE[0])
    unlike = tuple(replace(c, verdict=HOSTILE[c.cluster]) for c in STABILITY.clusters)
    attacked = replace(
        supported,
        support=Support(number, stability=replace(STABILITY, clusters=unlike)),
        command_run=HOSTILE[3],
    )
    plain, found = Page(html_of(supported)), Page(html_of(attacked))
    assert found.tags - plain.tags == {"li": len(HOSTILE) - 1} and not plain.tags - found.tags
    assert "<script" not in markdown_of(attacked) and "<img" not in markdown_of(attacked)


def test_figures_are_kept_in_the_run_until_its_model_changes(tmp_path: Path) -> None:
    fitted, data = fitted_to(customers(80), "customers", 2)
    run = tmp_path / "run"
    save_run(run, fitted)
    assert read_stability(run) is None
    labels = fitted.responsibilities(data.x).argmax(-1)
    found = cluster_stability(labels, [labels, 1 - labels], 2)
    write_stability(run, found)
    kept = read_stability(run)
    assert (
        kept is not None and json.loads(json.dumps(Support(stability=kept).to_dict()))["stability"]
    )
    assert [c.jaccard for c in kept.clusters] == [1.0] * len(kept.clusters)
    with torch.no_grad():
        fitted.gmvae.model.component_loc.add_(1)
    save_run(run, fitted)  # trained on
    assert read_stability(run) is None
    (run / "stability.json").write_text('{"weights_sha256": "", "stability": {"n": "many"}}')
    with pytest.raises(InputError, match="is damaged .* delete it"):
        read_stability(run)


def selection(folder: Path, fingerprint: str, clusters: int) -> None:
    folder.mkdir()
    write_training(folder, Settings.of("customers.csv"), fingerprint)
    content = Support(replace(NUMBER, n_clusters=clusters)).to_dict()["selection"]
    (folder / "selection.json").write_text(json.dumps(content))


def test_a_selection_of_the_same_rows_is_found_beside_the_run(tmp_path: Path) -> None:
    fitted, _ = fitted_to(customers(80), "customers", 2)
    fitted = replace(fitted, about=replace(fitted.about, fingerprint="a" * 64))
    save_run(tmp_path / "run", fitted)
    assert support_of(tmp_path / "run", fitted).selection is None
    for name, digest, clusters in (("older", "a", 5), ("other", "b", 6), ("newer", "a", 7)):
        selection(tmp_path / name, 64 * digest, clusters)
    os.utime(tmp_path / "older/selection.json", (1, 1))
    found = support_of(tmp_path / "run", fitted).selection
    assert found is not None and found.n_clusters == 7
    named = support_of(tmp_path / "run", fitted, tmp_path / "older").selection
    assert named is not None and named.n_clusters == 5
    other = support_of(tmp_path / "run", fitted, tmp_path / "other")
    assert other.other_rows and "of other rows" in selection_sentence(other, 6)
    with pytest.raises(InputError, match="there is no selection in"):
        read_selection(tmp_path / "run")
