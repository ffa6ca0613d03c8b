"""Write a report of a run's segments to a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal, get_args

from pyro_gmvae.data import Dataset
from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.report.html import html_of
from pyro_gmvae.report.markdown import markdown_of
from pyro_gmvae.report.report import Report, make_report
from pyro_gmvae.report.support import Support
from pyro_gmvae.runs.contents import REPORT, why_foreign
from pyro_gmvae.segments import SegmentDescription

__all__ = ["FORMATS", "Format", "format_of", "own_report", "report_run", "text_of"]

Format = Literal["html", "md", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)


def format_of(path: str | os.PathLike[str], given: str | None = None) -> Format:
    """Return the format of a report: the one that is given, or else by the ending of its file.

    Raises:
        InputError: for another format or ending, a folder, or an ending that says another format.

    >>> format_of("report.md"), format_of("notes.txt", "md")
    ('md', 'md')
    """
    if Path(path).is_dir():
        raise InputError(f"{os.fspath(path)} is a folder: name a file in it")
    suffix = Path(path).suffix.lower().removeprefix(".")
    by_name = {"htm": "html", "markdown": "md"}.get(suffix, suffix)
    if given is None and by_name not in FORMATS:
        raise InputError(
            f"{os.fspath(path)} does not end in .html, .md or .json: name such a file, or the "
            "--format"
        )
    if given is not None and by_name in FORMATS and by_name != given:
        raise InputError(f"{os.fspath(path)} is no name for the format {given}: leave one out")
    for known in FORMATS:
        if known == (given or by_name):
            return known
    raise InputError(f"{given} is no format of a report: use html, md or json")


def report_run(
    fitted: FittedModel,
    data: Dataset,
    path: str | os.PathLike[str],
    *,
    outcomes: SegmentDescription | None = None,
    support: Support | None = None,
    form: str | None = None,
    run: str = "RUN",
    seed: int = 0,
) -> Report:
    """Explain the clusters of a model by rows, and write the report whole or not at all.

    The file is made at once, so that a path which cannot be written is refused before the work.

    Args:
        fitted: a trained model.
        data: rows that conform to it.
        path: the file.
        outcomes: columns that were not clustered on, by segment.
        support: what other trainings say of the segments.
        form: ``"html"``, ``"md"`` or ``"json"``; by the file's ending if None.
        run: how the run is called in commands that the report names.
        seed: fixes every draw.

    Raises:
        InputError: for a file or format that cannot be used, or rows that none counts of.

    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> with TemporaryDirectory() as folder:
    ...     report = report_run(fitted, data, f"{folder}/report.md")
    ...     Path(f"{folder}/report.md").read_text().splitlines()[1]
    '# Segments of array'
    """
    chosen = format_of(path, form)
    with written_whole(path) as partial:
        report = make_report(fitted, data, outcomes=outcomes, support=support, run=run, seed=seed)
        partial.write_text(text_of(report, chosen), encoding="utf-8")
    return report


def own_report(run: str | os.PathLike[str], form: str | None = None) -> Path:
    """Return the file in a run folder that its report is written to.

    Raises:
        InputError: if another program's file, or a user's own, has the name.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     own_report(folder).name, own_report(folder, "json").name
    ('report.html', 'report.json')
    """
    path = Path(run, REPORT).with_suffix(f".{form or FORMATS[0]}")
    if path.exists() and why_foreign(Path(run), path) is not None:
        raise InputError(
            f"{path} is not overwritten, because it was not written by this program: name another "
            "file with --output"
        )
    return path


def text_of(report: Report, form: Format) -> str:
    """Return a report as text in a format.

    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> json.loads(text_of(make_report(fitted, data), "json"))["data"]
    'array'
    """
    if form == "html":
        return html_of(report)
    if form == "md":
        return markdown_of(report)
    return json.dumps(report.to_dict(), indent=1, allow_nan=False) + "\n"
