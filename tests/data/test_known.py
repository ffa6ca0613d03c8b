"""What is known of some rows, from arrays and files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pyro_gmvae.data.known import known_of_rows, read_known
from pyro_gmvae.errors import InputError


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("row,group\n4,9\n0,9\n2,\n", [9, -1, -1, -1, 9]),
        ("group\n3\n\n\n3\n-1\n", [3, -1, -1, 3, -1]),
        ('group\n3\n""\n""\n3\n-1\n', [3, -1, -1, 3, -1]),
        ("group,row\nsmith,1\nadams,2\nsmith,3\n", [-1, 1, 0, 1, -1]),
        ("group;row\nsmith;1\n-1;2\n ;4\nsmith;3\n", [-1, 0, -1, 0, -1]),
        ("group\n3\n\n \n3\n\n\n\n", [3, -1, -1, 3, -1]),
        ("row,group\n\n4,9\n\n", [-1, -1, -1, -1, 9]),
    ],
)
def test_reads_some_rows_or_all(tmp_path: Path, content: str, expected: list[int]) -> None:
    path = tmp_path / "known.csv"
    path.write_text(content)
    assert read_known(path, "group", 5).tolist() == expected


@pytest.mark.parametrize("column", ["label", "group"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("row,COLUMN\n0,1\n5,1\n", "names rows that are not from 0 to 4: number them so"),
        ("row,COLUMN\n0.5,1\n", "names rows that are not from 0 to 4"),
        ("row,COLUMN\n0,1\n3,1\n3,2\n", "names row 3 more than once: give each row one COLUMN"),
        ("COLUMN\n1\n", "has 1 COLUMNs for 5 rows: give one for each"),
        ("row,cluster\n0,1\n", "has no column COLUMN: give it one"),
        ("row,COLUMN\n0,-1\n", "holds no COLUMN: leave it out"),
        ("row,COLUMN\n0,1.5\n", "hold fractions"),
    ],
)
def test_refuses_a_file(tmp_path: Path, column: str, content: str, words: str) -> None:
    path = tmp_path / "known.csv"
    path.write_text(content.replace("COLUMN", column))
    with pytest.raises(InputError, match=words.replace("COLUMN", column)):
        read_known(path, column, 5)


@pytest.mark.parametrize(
    "values",
    [
        [2, -1, 0],
        np.array([2.0, np.nan, 0.0]),
        torch.tensor([2, -1, 0], dtype=torch.int32),
        pd.Series([2, None, 0]),
        [2, None, 0],
        np.array([2, -1, 0], dtype=object),
    ],
)
def test_takes_integers_of_any_kind(values: object) -> None:
    assert known_of_rows(values, "labels", 3).tolist() == [2, -1, 0]


@pytest.mark.parametrize("unknown", ["", " ", "-1", -1, None])
def test_groups_that_are_unknown_are_no_group(unknown: object) -> None:
    values = np.array(["b", unknown, "a", "b", unknown], dtype=object)
    assert known_of_rows(values, "groups", 5).tolist() == [1, -1, 0, 1, -1]
    if unknown is not None:
        plain = [str(v) for v in values]
        assert known_of_rows(plain, "groups", 5).tolist() == [1, -1, 0, 1, -1]


def test_groups_may_be_text() -> None:
    assert known_of_rows(pd.Series(["b", None, "a", "b"]), "groups", 4).tolist() == [1, -1, 0, 1]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 1], "there are 2 labels for 3 rows: give one for each row, -1 where it is unknown"),
        ([[0, 1, 2]], r"shape \(1, 3\): give one for each row"),
        (["a", "b", "a"], "labels must be integers, for each is the number of its cluster"),
        ([0, 1.5, 0], "hold fractions"),
        ([0, -2, 0], "below -1"),
        ([-1, -1, -1], "all labels are missing: give some, or leave them out"),
    ],
)
def test_refuses_an_array(values: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        known_of_rows(values, "labels", 3)


def test_a_file_in_which_nothing_is_known(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("label\n\n\n")
    with pytest.raises(InputError, match="holds no label"):
        read_known(path, "label", 2)
