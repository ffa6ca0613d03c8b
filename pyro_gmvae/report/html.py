"""Write a report as one HTML file, which loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from pyro_gmvae.report.cautions import blurs_of
from pyro_gmvae.report.heatmap import heat_map
from pyro_gmvae.report.outcomes import outcome_sentences
from pyro_gmvae.report.report import Report
from pyro_gmvae.report.rules import rule_lines, rules_sentence
from pyro_gmvae.report.summary import summary_of
from pyro_gmvae.report.support import (
    commands_for,
    selection_sentence,
    stability_sentence,
    unknown_sentence,
)
from pyro_gmvae.report.words import effect_text, percent_text, trait_head, trait_values
from pyro_gmvae.runs.contents import REPORT_MARK
from pyro_gmvae.segments.outcomes.text import (
    level_places,
    segments_sentence,
    shown_interval,
    shown_value,
)
from pyro_gmvae.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["html_of"]

COLOURS = 10  # different ones; with more segments they come again, and numbers tell
EVIDENCE = 4  # columns of a row's evidence that are shown
NEAR = 3  # traits against the nearest segment
LEAST_HEIGHT = 200.0
MARGIN = 30  # around the map, whose longer side is 1000


def html_of(report: Report) -> str:
    """Write a report as a page.

    All text from files is escaped by Jinja's autoescape, control characters by
    `pyro_gmvae.visible.visible`. A policy in the page lets no script run but its own, and nothing
    be loaded. Each figure is a ``data`` element whose value is that of the JSON report, at the path
    ``data-path``.

    >>> import numpy as np
    >>> from pyro_gmvae.fitted import FittedModel
    >>> from pyro_gmvae.report.report import make_report
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> page = html_of(make_report(fitted, data))
    >>> "20 rows of array" in page, "http://" in page  # nothing is loaded
    (True, False)
    """
    script = _file("report.js")
    values = report.to_dict()
    clusters = [s.cluster for s in report.explanation.segments]
    mass = np.zeros(len(report.explanation.confusion))
    mass[clusters] = [s.size.share for s in report.explanation.segments]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            mark=REPORT_MARK,
            report=report,
            values=values,
            figure=lambda path, text: figure(values, path, text),
            lines=heat_map(report.explanation.profiles, clusters, mass),
            blurs=blurs_of(report.explanation),
            rules=[] if report.rules is None else list(rule_lines(report.rules)),
            rules_sentence=rules_sentence,
            outcome_sentences=outcome_sentences,
            segments_sentence=segments_sentence,
            shown_interval=shown_interval,
            level_places=level_places,
            shown_value=shown_value,
            selection_sentence=selection_sentence,
            stability_sentence=stability_sentence,
            unknown_sentence=unknown_sentence(report.support),
            unknown=commands_for(report.support, report.command_run, report.origin.settings),
            summary=summary_of(report),
            map=_map(report, clusters),
            largest=max(s.size.high for s in report.explanation.segments),
            colour={k: i % COLOURS for i, k in enumerate(clusters)},
            style=_file("style.css"),
            script=script,
            digest=digest,
            most_evidence=EVIDENCE,
            most_near=NEAR,
        )
    )


@cache
def environment() -> Environment:
    """Return Jinja's environment, in which all text is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("pyro_gmvae.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "pct": percent_text,
        "visible": lambda text: visible(str(text)),
        "effect": effect_text,
    }
    made.globals |= {"trait_head": trait_head, "trait_values": trait_values}
    return made


def figure(values: dict[str, Any], path: str, text: object) -> Any:
    """Write a figure of the JSON report, which a reader sees as ``text``.

    >>> str(figure({"a": [0.25]}, "a.0", "25%"))
    '<data value="0.25" data-path="a.0">25%</data>'

    Raises:
        KeyError: for a path that leads nowhere.
    """
    from markupsafe import Markup

    value: Any = values
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    shown = "" if value is None else repr(value)
    return Markup('<data value="{}" data-path="{}">{}</data>').format(shown, path, text)


def _map(report: Report, clusters: list[int]) -> dict[str, Any]:
    """Place the points of the map in a picture 1000 wide, and the numbers of the segments."""
    points = report.latent.points
    wide = 1000 - 2 * MARGIN
    top = min((p.y for p in points), default=0.0)
    needed = (max((p.y for p in points), default=0.0) - top) * wide + 2 * MARGIN
    height = max(needed, LEAST_HEIGHT)
    bottom = (height + needed) / 2  # a flat cloud lies in the middle
    placed = [
        [
            round(MARGIN + p.x * wide, 1),
            round(bottom - MARGIN - (p.y - top) * wide, 1),
            p.cluster,
            round(p.probability, 4),
            p.row,
        ]
        for p in points
    ]
    labels = []
    for k in clusters:
        own = [p for p in placed if p[2] == k]
        if own:
            middle = [sorted(p[axis] for p in own)[len(own) // 2] for axis in (0, 1)]
            labels.append((k, *middle, len(own)))
    return {"height": round(height, 1), "points": placed, "labels": labels}


def _file(name: str) -> str:
    return (files("pyro_gmvae.report") / "templates" / name).read_text(encoding="utf-8")
