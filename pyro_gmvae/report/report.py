"""Gather all that a report says: one place, from which every format is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any

import torch

from pyro_gmvae.data import Dataset
from pyro_gmvae.data.columns.profiles import ColumnProfile
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import LogLikelihood
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.report.cautions import cautions_of
from pyro_gmvae.report.latent import LatentMap, latent_map
from pyro_gmvae.report.origin import Origin, origin_of
from pyro_gmvae.report.outcomes import outcome_cautions
from pyro_gmvae.report.support import Support, support_cautions
from pyro_gmvae.report.thumbnails import thumbnails
from pyro_gmvae.report.words import names_of
from pyro_gmvae.segments import RuleList, SegmentDescription, rules_of_run
from pyro_gmvae.segments.explanation.explain import Explanation, Member, explain

__all__ = ["Fit", "Report", "make_report"]

SCORED_ROWS = 1_000  # rows whose log-likelihood is computed
FEWEST_RULED = 100  # rows from which rules are grown and judged


@dataclass(frozen=True)
class Fit:
    """Hold how well the model describes the rows.

    Attributes:
        log_likelihood, error: the mean log p(x) in nats per row, and its standard error.
        n: the number of rows, drawn at random, that it is the mean of.
        bad_k: the share of rows whose Pareto k-hat is above 0.7.
        warning: why the figure is not to be trusted, or None.

    >>> fit = Fit(log_likelihood=-3.5, error=0.1, n=500, bad_k=0.0, warning=None)
    >>> fit.to_dict()["log_likelihood"]
    -3.5
    """

    log_likelihood: float
    error: float
    n: int
    bad_k: float
    warning: str | None

    @classmethod
    def of(cls, figures: LogLikelihood) -> Fit:
        """Take the figures of an estimate."""
        bad = figures.pareto_k_bad_fraction
        return cls(figures.mean, figures.standard_error, len(figures.log_p), bad, figures.warning)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; what is not finite is null."""
        return {n: v if v == v else None for n, v in vars(self).items()}


@dataclass(frozen=True, eq=False)
class Report:
    """Hold a report.

    Attributes:
        name: what the data are called.
        explanation: the segments.
        names: a suggested name for each cluster.
        fit: how well the model describes the rows.
        latent: a map of the rows.
        origin: how the model was made.
        rules: a shallow tree that says the segments by the columns of a table; None without.
        outcomes: columns that were not clustered on, by segment; None without.
        support: what other trainings say of the number of segments, and of each one.
        cells: what the rows that are shown have in the columns, as text, by the row's number.
        places: the place in the source of each row that is shown, by the row's number.
        thumbnails: the images that are shown, as data addresses, by the row's number.
        command_run: how the run is called in commands that the report names.

    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> report = make_report(fitted, data)
    >>> report.name, report.origin.method
    ('array', 'exact')
    """

    name: str
    explanation: Explanation
    names: dict[int, str]
    fit: Fit
    latent: LatentMap
    origin: Origin
    rules: RuleList | None
    outcomes: SegmentDescription | None
    support: Support
    cells: dict[int, dict[str, str]]
    places: dict[int, int]
    thumbnails: dict[int, str] = field(default_factory=dict, repr=False)
    command_run: str = "RUN"

    @cached_property
    def profiles(self) -> dict[str, ColumnProfile]:
        """Return the profile of each column by its name."""
        return {profile.name: profile for profile in self.explanation.profiles}

    @cached_property
    def cautions(self) -> tuple[str, ...]:
        """Return what a reader should be careful about, a sentence or two each."""
        gaps = {c["name"]: c["gaps"] for c in self.origin.columns}
        own = cautions_of(
            self.explanation,
            self.names,
            gaps,
            len(self.origin.left_out),
            self.fit.bad_k,
            self.fit.warning is not None,
            self.origin.sample,
        )
        of_outcomes = () if self.outcomes is None else outcome_cautions(self.outcomes)
        return (*own, *of_outcomes, *support_cautions(self.support, self.origin.n_components))

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain JSON values."""
        segments = self.explanation.to_dict()
        for segment in segments["segments"]:
            segment["name"] = self.names[segment["cluster"]]
            for member in (*segment["typical"], *segment["borderline"]):
                member["cells"] = self.cells.get(member["row"], {})
                member["row"] = self.places[member["row"]]
        return {
            "data": self.name,
            **segments,
            "fit": self.fit.to_dict(),
            "profiles": [_profile(profile) for profile in self.explanation.profiles],
            "rules": None if self.rules is None else _finite(self.rules.to_dict()),
            "outcomes": None if self.outcomes is None else _finite(self.outcomes.to_dict()),
            "support": _finite(self.support.to_dict()),
            "map": self.latent.to_dict(),
            "cautions": list(self.cautions),
            "origin": self.origin.to_dict(),
        }


def make_report(
    fitted: FittedModel,
    data: Dataset,
    *,
    outcomes: SegmentDescription | None = None,
    support: Support | None = None,
    run: str = "RUN",
    seed: int = 0,
) -> Report:
    """Explain the clusters by rows, and gather all that a report says.

    Args:
        fitted: the model.
        data: rows that conform to it.
        outcomes: columns that were not clustered on, by segment (see `describe_run`).
        support: what other trainings say of the segments (see `support_of`).
        run: how the run is called in commands that the report names.
        seed: fixes every draw.

    Raises:
        InputError: for no rows, or if none has a weight above zero.

    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> report = make_report(fitted, data)
    >>> report.explanation.n_rows, sum(s.size.n_rows for s in report.explanation.segments)
    (20, 20)
    """
    explanation = explain(fitted, data, seed=seed)
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    scored = data.subset(order[:SCORED_ROWS])
    weights = scored.weights
    if weights is not None and not (weights > 0).any():
        raise InputError(f"too few rows of {data.name} have a weight above 0: name other rows")
    figures = fitted.log_likelihood(scored.x, scored.w, seed=seed, weights=weights)
    shown = sorted({m.row for m in _members(explanation)})
    profiles = {p.name: p for p in explanation.profiles}
    return Report(
        data.name,
        explanation,
        names_of(explanation.segments, profiles)
        | dict.fromkeys(explanation.empty, "the likeliest of no row"),
        Fit.of(figures),
        latent_map(fitted, data, explanation, seed=seed),
        origin_of(fitted),
        _rules(fitted, data, seed),
        outcomes,
        support or Support(),
        _cells(fitted, data, shown),
        {i: i if data.places is None else int(data.places[i]) for i in shown},
        thumbnails(fitted, data.x, shown),
        run,
    )


def _rules(fitted: FittedModel, data: Dataset, seed: int) -> RuleList | None:
    if fitted.encoding.schema is None or len(data) < FEWEST_RULED:
        return None
    return rules_of_run(fitted, data, seed=seed)


def _members(explanation: Explanation) -> list[Member]:
    return [m for s in explanation.segments for m in (*s.typical, *s.borderline)]


def _cells(fitted: FittedModel, data: Dataset, rows: list[int]) -> dict[int, dict[str, str]]:
    """Return the cells of some rows as text; images have none, but their files may have names."""
    schema = fitted.encoding.schema
    if schema is None:
        names = data.row_names
        return {} if names is None else {i: {"file": names[i]} for i in rows}
    frame = fitted.encoding.to_frame(data.x[torch.tensor(rows)])  # type: ignore[operator]
    return {
        row: {
            name: "" if value != value or value is None else _text(value)
            for name, value in zip(schema.shown_names, values, strict=True)
        }
        for row, values in zip(rows, frame.itertuples(index=False, name=None), strict=True)
    }


def _finite(value: Any) -> Any:
    """Return plain JSON values; a number that is not finite is null."""
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value.date().isoformat() if hasattr(value, "date") else str(value)


def _profile(profile: ColumnProfile) -> dict[str, Any]:
    """Return a profile as plain JSON values."""

    def plain(values: Any) -> list[Any]:
        return [plain(v) if isinstance(v, list) else v if v == v else None for v in values]

    return {
        "column": profile.name,
        "levels": list(profile.column.level_names),
        "typical": plain(profile.typical.tolist()),
        "deviation": plain(profile.deviation.tolist()),
        "shares": plain(profile.shares.tolist()),
        "gaps": plain(profile.gaps.tolist()),
        "tells": profile.tells,
    }
