import csv
import io

import pandas as pd
import pytest

from pyro_gmvae.files.spreadsheets import safe_text, with_text


@pytest.mark.parametrize("first", list("=+-@\t\r\n＝＋－＠"))
def test_formulas_are_text(first: str) -> None:
    assert safe_text(f"{first}cmd|' /C calc'!A0") == f"'{first}cmd|' /C calc'!A0"


@pytest.mark.parametrize("text", ["", "a=1", "photo-1.png", "'quoted'", "größe"])
def test_other_text_stays(text: str) -> None:
    assert safe_text(text) == text


def test_a_frame_keeps_its_numbers() -> None:
    columns = ["=a", "b", "b", "file", "+c"]
    frame = pd.DataFrame([[-1, -0.5, True, "@x", None], [2, 1.5, False, "y", "-z"]])
    frame.columns = pd.Index(columns)
    safe = with_text(frame, safe_text)
    assert list(safe.columns) == ["'=a", "b", "b", "file", "'+c"]
    assert safe.iloc[0].tolist()[:4] == [-1, -0.5, True, "'@x"] and pd.isna(safe.iloc[0, 4])
    assert safe.iloc[1].tolist() == [2, 1.5, False, "y", "'-z"]
    assert list(frame.columns) == columns and frame.iloc[0, 3] == "@x"
    text = safe.to_csv(index=False)
    assert next(csv.reader(io.StringIO(text))) == list(safe.columns)
