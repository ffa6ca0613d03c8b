"""Write a report as Markdown, with the same figures as the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyro_gmvae.report.cautions import blurs_of
from pyro_gmvae.report.outcomes import outcome_rows, outcome_sentences
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
from pyro_gmvae.segments.explanation.explain import Segment
from pyro_gmvae.segments.outcomes.text import segments_sentence
from pyro_gmvae.visible import markdown_text

__all__ = ["markdown_of"]


def markdown_of(report: Report) -> str:
    """Write a report as Markdown.

    >>> import numpy as np
    >>> from pyro_gmvae.fitted import FittedModel
    >>> from pyro_gmvae.report.report import make_report
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> markdown_of(make_report(fitted, data)).splitlines()[1]
    '# Segments of array'
    """
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    found, origin = report.explanation, report.origin
    yield REPORT_MARK
    yield f"# Segments of {markdown_text(report.name)}"
    yield ""
    yield from (markdown_text(sentence) for sentence in summary_of(report))
    yield "\n## Segments\n"
    sizes = [
        (
            s.cluster,
            markdown_text(report.names[s.cluster]),
            percent_text(s.size.share, 1),
            f"{percent_text(s.size.low, 1)} to {percent_text(s.size.high, 1)}",
            f"{s.size.n_rows:,}",
            percent_text(s.size.certainty),
            percent_text(s.size.certain_share),
        )
        for s in found.segments
    ]
    head = ("segment", "name", "share", "95% interval", "rows", "certainty", "above 90%")
    yield from _table(head, sizes)
    for segment in found.segments:
        yield from _segment(report, segment)
    if report.rules is not None:
        yield "\n## Rules\n"
        yield markdown_text(rules_sentence(report.rules)) + "\n"
        yield from (
            f"* {rule.segment}: {markdown_text(words)} ({judged})"
            for rule, words, judged in rule_lines(report.rules)
        )
    for outcome in report.outcomes or ():
        yield f"\n## {markdown_text(outcome.name)}, by segment\n"
        heads = ["level", *(str(s.segment) for s in outcome.segments)]
        yield from _table(heads, [tuple(map(markdown_text, r)) for r in outcome_rows(outcome)])
        yield ""
        yield from (markdown_text(sentence) for sentence in outcome_sentences(outcome))
    if report.outcomes is not None:
        yield ""
        yield segments_sentence(report.outcomes)
    yield "\n## Which segments blur\n"
    blurs = blurs_of(found)
    yield from (f"* {percent_text(p)} of the rows in {i} are expected in {j}." for i, j, p in blurs)
    if not blurs:
        yield "No two segments blur by 5% of their rows or more."
    yield "\n## How many segments, and are they stable?\n"
    yield from _support(report)
    yield "\n## What to be careful about\n"
    yield from (f"* {markdown_text(caution)}" for caution in report.cautions)
    yield "\n## How it was made\n"
    yield (
        f"* Gaussian mixture VAE, {origin.method} method, {origin.n_components} clusters, "
        f"{origin.latent_dim} latent dimensions, likelihood {origin.likelihood}."
    )
    yield (
        f"* Log-likelihood {report.fit.log_likelihood:.2f} ± {report.fit.error:.2f} nats per row, "
        f"of {report.fit.n:,} rows."
    )
    if origin.covariates:
        yield (
            "* The segment of a row depends on these columns too, which it is not made of: "
            f"{', '.join(map(markdown_text, origin.covariates))}."
        )
    if origin.fingerprint:
        yield f"* Training rows: SHA-256 {origin.fingerprint}."
    if origin.command:
        yield f"* {markdown_text(origin.command)}"
    yield f"* {', '.join(f'{name} {number}' for name, number in origin.versions.items())}."


def _support(report: Report) -> Iterator[str]:
    support, given = report.support, report.origin.n_components
    if support.selection is not None:
        yield selection_sentence(support, given)
        yield ""
        yield from (f"* {markdown_text(doubt)}" for doubt in support.selection.doubts)
        yield ""
        tried = [
            (
                c.clusters,
                f"{c.in_use:.1f}",
                f"{c.found_again:.1f} ± {c.found_again_se:.1f}",
                f"{c.ari:.2f}",
                f"{c.behind:.2f} ± {c.behind_se:.2f}",
            )
            for c in support.selection.candidates
        ]
        yield from _table(("clusters", "with rows", "found again", "ARI", "behind"), tried)
        yield ""
    if support.stability is not None:
        yield stability_sentence(support.stability)
        yield ""
        rows = [
            (r.cluster, f"{r.jaccard:.2f}", f"{r.least:.2f}", markdown_text(r.verdict))
            for r in support.stability.clusters
        ]
        yield from _table(("segment", "Jaccard", "least", "verdict"), rows)
        yield ""
    commands = commands_for(support, report.command_run, report.origin.settings)
    if commands:
        yield unknown_sentence(support)
        yield ""
        yield from (f"* {markdown_text(command)}" for command in commands)


def _segment(report: Report, segment: Segment) -> Iterator[str]:
    yield f"\n### {segment.cluster}: {markdown_text(report.names[segment.cluster])}\n"
    if not segment.telling:
        yield "No single column sets it apart clearly."
        return
    rows = [
        (
            markdown_text(trait_head(trait, report.profiles)),
            *map(markdown_text, trait_values(trait, report.profiles)),
            markdown_text(effect_text(trait.effect)),
        )
        for trait in segment.telling
    ]
    yield from _table(("trait", "here", "others", "difference"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"
