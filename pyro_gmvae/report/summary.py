"""Say in a few sentences what a report found."""

from __future__ import annotations

from pyro_gmvae.report.cautions import blurs_of
from pyro_gmvae.report.report import Report
from pyro_gmvae.report.words import percent_text
from pyro_gmvae.visible import visible

__all__ = ["summary_of"]


def summary_of(report: Report) -> list[str]:
    """Write the summary, a sentence or two each.

    >>> import numpy as np
    >>> from pyro_gmvae.fitted import FittedModel
    >>> from pyro_gmvae.report.report import make_report
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> "20 rows of array" in summary_of(make_report(fitted, data))[0]
    True
    """
    found = report.explanation
    segments, n = found.segments, found.n_rows
    largest, smallest = segments[0], segments[-1]
    name = visible(report.name)
    if len(segments) == 1:
        return [f"All {n:,} rows of {name} are in one segment."]
    said = [
        f"The {n:,} rows of {name} fall into {len(segments)} segments, from "
        f"{percent_text(smallest.size.share, 1)} to {percent_text(largest.size.share, 1)} of all "
        "rows."
    ]
    sure = sum(s.size.n_rows * s.size.certain_share for s in segments) / n
    said.append(
        f"{percent_text(sure)} of the rows belong to their segment with a probability above 90%."
    )
    blurs = blurs_of(found)
    if blurs:
        one, other, share = blurs[0]
        said.append(
            f"Segments {one} and {other} blur most: {percent_text(share)} of the rows in {one} are "
            f"expected to belong to {other}."
        )
    else:
        said.append("No two segments blur by 5% of their rows or more.")
    return said
