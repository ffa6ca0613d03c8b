"""Fitted models of small tables with odd names, and their reports."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pyro_gmvae import GMVAE
from pyro_gmvae.data import Dataset, from_frame
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.report.report import Report, make_report
from pyro_gmvae.segments import describe_run

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    '"><svg onload=alert(4)>',
    "' onmouseover='alert(5)",
    "<!-- comment",
    "-->",
    "]]>",
    '=HYPERLINK("http://x","y")',
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "&lt;b&gt;&amp;",
    "javascript:alert(6)",
    "</style><b>bold</b>",
    "\x1b[31mred\x07",
    "line\nbreak\ttab",
    "\u202eright to left",
    "| pipe ` tick *star* _under_ [link](http://x)",
    "</title><h1>title</h1>",
    "\u2028separator\u2029",
)


def fitted_to(frame: pd.DataFrame, name: str, clusters: int = 3) -> tuple[FittedModel, Dataset]:
    """A model of the rows, and the rows as it knows them."""
    gmvae = GMVAE(clusters, max_iter=1, random_state=0).fit(frame)
    fitted = gmvae.fitted_
    return fitted, fitted.conform(from_frame(frame, name=name))


def customers(n: int = 240) -> pd.DataFrame:
    """Rows of three kinds of customers, with every kind of column and gaps."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=n)
    frame = pd.DataFrame(
        {
            "age": rng.normal([25, 45, 65], 4, (n, 3))[range(n), y],
            "spend": np.exp(rng.normal([3, 6, 4], 0.5, (n, 3))[range(n), y]),
            "visits": rng.poisson(np.array([2, 9, 4])[y]),
            "tier": np.array(["gold", "silver", "tin"])[(y + (rng.random(n) < 0.2)) % 3],
            "paid": np.where(rng.random(n) < np.array([0.1, 0.5, 0.9])[y], "yes", "no"),
        }
    )
    frame.loc[rng.random(n) < 0.15, "age"] = np.nan
    return frame


def outcomes(n: int) -> pd.DataFrame:
    """Columns that no model is trained on: a number with gaps, and three levels."""
    rng = np.random.default_rng(2)
    revenue = np.where(rng.random(n) < 0.1, np.nan, rng.normal(100, 20, n))
    return pd.DataFrame({"revenue": revenue, "region": rng.choice(["north", "east", "west"], n)})


@pytest.fixture(scope="session")
def report() -> Report:
    """A report of ordinary rows."""
    fitted, data = fitted_to(customers(), "customers")
    return make_report(
        fitted, data, outcomes=describe_run(fitted, data, outcomes(240)), run="runs/customers"
    )


@pytest.fixture(scope="session")
def hostile() -> Report:
    """A report in which every name that comes from a file is an attack."""
    rng = np.random.default_rng(1)
    n = 300
    y = rng.integers(2, size=n)
    frame = pd.DataFrame(
        {name: rng.normal(size=n) + y * (1 + i % 3) for i, name in enumerate(HOSTILE)}
    )
    # The levels of one column are attacks too.
    frame["levels"] = np.where(y == 1, np.array(HOSTILE)[rng.integers(0, 4, n)], "plain")
    fitted, data = fitted_to(frame, HOSTILE[0], 2)
    told = pd.DataFrame({HOSTILE[2] + " told": np.array(HOSTILE)[rng.integers(0, 4, n)]})
    return make_report(fitted, data, outcomes=describe_run(fitted, data, told), run=HOSTILE[3])
