"""Read four public tables of mixed columns from a folder, with the kinds of their columns.

The folder holds the files as the UCI repository and Kaggle publish them, each in a folder of its
own: ``wholesale/Wholesale customers data.csv``, ``marketing_campaign/marketing_campaign.csv``,
``bank_marketing/bank-full.csv`` and ``adult/adult.data`` with ``adult/adult.test``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pyro_gmvae.errors import InputError

__all__ = ["CLUSTERED", "TABLES", "RealTable", "file_of", "read"]


class RealTable(NamedTuple):
    """Describe a table.

    Attributes:
        file: in the folder of tables.
        options: of `pandas.read_csv`.
        kinds: of the columns that are clustered, as a person would say.
        held_out: columns that no method sees, to compare clusters with.
        clusters: a number of clusters to look at.
    """

    file: str
    options: Mapping[str, Any]
    kinds: Mapping[str, str]
    held_out: tuple[str, ...]
    clusters: int


def _kinds(**names: str) -> dict[str, str]:
    return {name: kind for kind, words in names.items() for name in words.split()}


ADULT_COLUMNS = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
]
ADULT_OPTIONS = {"names": ADULT_COLUMNS, "skipinitialspace": True, "na_values": "?"}
ADULT_KINDS = _kinds(
    real="age hours_per_week",
    amount="fnlwgt",
    ordinal="education_num",
    category="workclass marital_status occupation relationship race native_country",
    binary="sex",
    spike="capital_gain capital_loss",
)
TABLES = {
    "wholesale": RealTable(
        "wholesale/Wholesale customers data.csv",
        {},
        _kinds(amount="Fresh Milk Grocery Frozen Detergents_Paper Delicassen"),
        ("Channel", "Region"),
        3,
    ),
    "marketing": RealTable(
        "marketing_campaign/marketing_campaign.csv",
        {"sep": "\t"},
        _kinds(
            real="Year_Birth Recency",
            date="Dt_Customer",
            category="Education Marital_Status",
            ordinal="Kidhome Teenhome",
            amount="Income MntWines MntFruits MntMeatProducts MntFishProducts MntSweetProducts "
            "MntGoldProds",
            count="NumDealsPurchases NumWebPurchases NumCatalogPurchases NumStorePurchases "
            "NumWebVisitsMonth",
            binary="AcceptedCmp1 AcceptedCmp2 AcceptedCmp3 AcceptedCmp4 AcceptedCmp5 Complain",
        ),
        ("Response",),
        4,
    ),
    "bank": RealTable(
        "bank_marketing/bank-full.csv",
        {"sep": ";"},
        _kinds(
            real="age day",
            amount="balance duration",
            count="campaign",
            spike="pdays previous",
            category="job marital education contact month poutcome",
            binary="default housing loan",
        ),
        ("y",),
        5,
    ),
    "adult": RealTable("adult/adult.data", ADULT_OPTIONS, ADULT_KINDS, ("income", "education"), 5),
    "adult-test": RealTable(
        "adult/adult.test",
        {**ADULT_OPTIONS, "skiprows": 1},
        ADULT_KINDS,
        ("income", "education"),
        5,
    ),
}


CLUSTERED = [name for name in TABLES if name != "adult-test"]


def file_of(name: str, folder: Path) -> Path:
    """Return the file of a table.

    Raises:
        InputError: if the folder does not hold it.
    """
    path = folder / TABLES[name].file
    if not path.is_file():
        raise InputError(f"there is no {path}: name the folder of the tables by --data-dir")
    return path


def read(name: str, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a table: the columns that are clustered or left out, and those that are held out.

    Raises:
        InputError: if the folder does not hold it.
    """
    table = TABLES[name]
    frame = pd.read_csv(file_of(name, folder), **table.options)
    held_out = list(table.held_out)
    return frame.drop(columns=held_out), frame[held_out]
