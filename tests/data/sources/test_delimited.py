"""Text as people write it: the cells and the rows that are read are those that were meant."""

from pathlib import Path

import numpy as np
import pandas
import pytest

from pyro_gmvae.data.sources.delimited import read_delimited
from pyro_gmvae.data.sources.files import read_table
from pyro_gmvae.errors import InputError

NAN = float("nan")
EXPECTED = pandas.DataFrame({"spend": [10.85, -4000.5, 7.0], "visits": [1, 20, 3]})


def read(text: str | bytes, **options: object) -> pandas.DataFrame:
    data = text if isinstance(text, bytes) else text.encode()
    return read_delimited(data, "t.csv", **options).frame  # type: ignore[arg-type]


def notes(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return "; ".join(read_delimited(data, "t.csv").notes)


PLAIN = "spend,visits\n10.85,1\n-4000.5,20\n7,3\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PLAIN, ""),
        (PLAIN.replace(",", "\t"), ""),
        (PLAIN.replace("\n", "\r\n"), ""),
        (PLAIN.replace("\n", "\r"), ""),
        (PLAIN.replace(",", ", "), ""),
        (PLAIN.replace(",", ";"), "semicolons separate the columns"),
        (PLAIN.replace(",", "|"), "bars separate"),
        (PLAIN.replace(",", "  "), "blanks separate"),
        ('"spend" "visits"\n10.85 1\n-4000.5 20\n7 3\n', "blanks separate"),
        (PLAIN.replace(",", ";").replace(".", ","), "decimal commas in spend"),
        ("sep=;\n" + PLAIN.replace(",", ";"), "semicolons"),
        ('spend,visits\n"$10.85",1\n"-$4,000.50",20\n$7,3\n', "currency signs and thousands"),
        (
            'spend,visits\n"10,85 €",1\n"-4.000,50 €",20\n"7,00 €",3\n',
            "and decimal commas in spend",
        ),
        ("spend;visits\n10,85;1\n-4\u00a0000,5;20\n7;3\n", "thousands separators and decimal"),
        ('spend,visits\n10.85,1\n"(4,000.50)",20\n7,3\n', "brackets for negative numbers"),
        ("# a survey\n# of 2024\n" + PLAIN, "the first 2 lines are taken for a title"),
        ("Table 1\n\n" + PLAIN, "the first line is taken for a title or a comment: 'Table 1'"),
        (
            "Spending, by region\n\n" + PLAIN,
            "a title or a comment: 'Spending, by region'",
        ),
        ("# " + PLAIN, ""),
        ("# " + PLAIN.replace(",", " "), "blanks separate"),
        (PLAIN + "\x1a", ""),
        ("spend,visits,\n10.85,1,\n-4000.5,20,\n7,3,\n", "without a name and without a value"),
        ("spend,visits\n10.85,1,\n-4000.5,20,\n7,3,\n", "without a name and without a value"),
        (",spend,visits\na,10.85,1\nb,-4000.5,20\nc,7,3\n", "names the rows: it is left out"),
        ('spend,visits\n"1",10.85,1\n"2",-4000.5,20\n"3",7,3\n', "names the rows"),
        ("spend,visits\n\n10.85,1\n  \n-4000.5,20\n7,3\n\n\n", ""),
        (PLAIN.encode("utf-8-sig"), ""),
        (PLAIN.encode("utf-16"), "the text is UTF-16"),
        (PLAIN.encode("utf-16-be"), "the text is UTF-16"),
        (PLAIN.encode("utf-32"), "the text is UTF-32"),
    ],
)
def test_reads_the_same_table_however_it_is_written(text: str | bytes, told: str) -> None:
    pandas.testing.assert_frame_equal(read(text), EXPECTED)
    assert told in notes(text)
    assert told or not notes(text)


def test_plain_files_are_read_without_a_guess() -> None:
    assert notes(PLAIN) == ""


def test_windows_1252_is_told() -> None:
    text = "prix (€),durée\n1,2\n3,4\n".encode("cp1252")
    assert list(read(text)) == ["prix (€)", "durée"]
    assert notes(text) == "the text is Windows-1252"


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("2022,2023\n1.5,2.5\n3,4\n", ["2022", "2023"], 2),
        ("country,2022,2023\nFR,1.5,2.5\nDE,3,4\n", ["country", "2022", "2023"], 2),
        ("row,group\n" + "7,household 1\n" * 300, ["row", "group"], 300),
        ("name\nann lee\nbob ray\n", ["name"], 2),
        (",2022,2023\nFR,1.5,2.5\nDE,3,4\n", ["2022", "2023"], 2),
        ("2001,2002\n2003,2004\n2005,2006\n", ["column 0", "column 1"], 3),
        ("10.2,NA\n1.5,2.5\n3,4\n", ["column 0", "column 1"], 3),
        ("10.2,oops\n1.5,2.5\n3,4\n", ["column 0", "column 1"], 3),
        (",2\n1.5,2.5\n3,4\n", ["column 0", "column 1"], 3),
        ("39, State-gov\n50, Private\n", ["column 0", "column 1"], 2),
        ("10,85;1,39\n248,84;-7,82\n", ["column 0", "column 1"], 2),
        ("1.5|2|\n3|4|\n", ["column 0", "column 1"], 2),
        ("name,tier\nann,a\nbob,b\n", ["name", "tier"], 2),
        ("price\n10,85\n8,20\n", ["price"], 2),
        ("a,b\n", ["a", "b"], 0),
        ("1,2\n", ["column 0", "column 1"], 1),
    ],
)
def test_no_row_is_lost_or_gained_by_the_header(text: str, names: list[str], rows: int) -> None:
    frame = read(text)
    assert (list(frame), len(frame)) == (names, rows)


def test_separators_in_quotes_do_not_count() -> None:
    frame = read('"spend, year, net";visits\n10.85;1.39\n"8";"2"\n')
    assert frame.to_dict("list") == {"spend, year, net": [10.85, 8.0], "visits": [1.39, 2.0]}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "NA", "3"], [1, NAN, 3]),
        (["1.5", "?", "-"], [1.5, NAN, NAN]),
        (["#N/A", "NULL", "2"], [NAN, NAN, 2]),
        (["+1", "-2", ".5"], [1, -2, 0.5]),
        (["1e3", "2E-1", "5."], [1000, 0.2, 5]),
        (["12%", "7.5 %", "0%"], [12, 7.5, 0]),
        (["True", "false", "TRUE"], [True, False, True]),
        (["a", "NA", ""], ["a", "NA", NAN]),  # NA may be a country
        (["$1", "€2", "3"], ["$1", "€2", "3"]),
        (["12%", "3", "4"], ["12%", "3", "4"]),
        (["1.5", "2,5", "3"], ["1.5", "2,5", "3"]),
        (["0x1F", "2", "3"], ["0x1F", "2", "3"]),
        (["1,2,3", "2", "3"], ["1,2,3", "2", "3"]),
        (["9" * 30, "2", "3"], [1e30, 2, 3]),
        (["", "", ""], [NAN, NAN, NAN]),
    ],
)
def test_cells(cells: list[str], expected: list[object]) -> None:
    frame = read("a\tb\n" + "".join(f"{cell}\t1\n" for cell in cells))
    found = frame["a"].tolist()
    assert (
        found == pytest.approx(expected, nan_ok=True)
        if not isinstance(expected[0], str)
        else [v if isinstance(v, str) else NAN for v in found][:2] == expected[:2]
    )


def test_other_columns_tell_what_a_comma_is() -> None:
    assert read("a;b\n1,234;10,5\n5,678;2,5\n")["a"].tolist() == [1.234, 5.678]
    assert read("a;b\n1.234;10,5\n5.678;2,5\n")["a"].tolist() == [1234, 5678]
    assert read('a,b\n"1,234",10.5\n"5,678",2.5\n')["a"].tolist() == [1234, 5678]
    assert read("a;b\n1.234;10\n5.678;2\n")["a"].tolist() == [1.234, 5.678]
    assert "1234" in notes("a;b\n1.234;10,5\n5.678;2,5\n")


def test_words_for_missing_values_can_be_chosen() -> None:
    assert read("a,b\n1,2\nx,3\n", missing=["X"])["a"].isna().tolist() == [False, True]
    assert read("a,b\n1,2\nNA,3\n", missing=[])["a"].tolist() == ["1", "NA"]
    told = "'?' in 2 cells of a column of numbers is taken for a missing value"
    assert notes("a,b\n?,2\n1,3\n?,4\n") == told


def test_names_given_twice_are_numbered() -> None:
    assert list(read("a,b,a,a\n1,2,3,4\n5,6,7,8\n")) == ["a", "b", "a.1", "a.2"]
    assert "the name 'a' is given to 3 columns" in notes("a,b,a,a\n1,2,3,4\n5,6,7,8\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3,4,5\n", "3 cells in line 3 and 2 in most lines"),
        ("a,b\n1,2\n\n3\n5,6\n", "1 cell in line 4 and 2 in most lines"),
        ("T\na,b\n1,2\n3\n", "1 cell in line 4"),
        ('a,b\n1,"2\n3,4\n5,6\n', "quote that is not closed"),
        ("a,b\n" + "1,2\n" * 500 + "3\n", "1 cell in line 502"),
        ("a,,b\n1,2,3\n3,4,5\n", "no name in its header for column 1"),
        ("", "empty"),
        ("\n\n", "empty"),
        (b"\x89PNG\r\n\x1a\n", "is an image, not text"),
        (b"PK\x03\x04abc", "a zip file or a workbook, not text"),
        (bytes(range(256)) * 9, "is not text"),
        ("é,ü\n1,2\n".encode() + b"\xe9,3\n", "UTF-8 but for 1 byte, the first in line 3"),
        (b"a,b\n\x81,2\n", "not Windows-1252 text"),
        ("x" * 200_000, "leave out the column of such long cells"),
        ("1," * 100_001, "more than the 100000 columns that are read"),
    ],
)
def test_refuses(text: str | bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_a_line_may_be_long() -> None:
    frame = read("a,b\n1," + "x" * 9_000_000 + "\n2,y\n")
    assert frame["b"].str.len().tolist() == [9_000_000, 1]
    frame = read('a,b\n1,"' + "x\n" * 4_500_000 + '"\n2,y\n')
    assert frame["a"].tolist() == [1, 2]


def test_joined_lines_are_told() -> None:
    assert notes('a,b\n1,"x\ny"\n2,z\n') == "quoted cells of b hold line breaks"


def test_the_line_of_a_row(tmp_path: Path) -> None:
    text = 'Title\n\na,b\n1,"x\ny"\n\n2,z\n3,w\n'
    table = read_delimited(text.encode(), "t.csv")
    assert table.line_of is not None
    assert [table.line_of(row) for row in range(4)] == [4, 7, 8, None]


def test_many_rows_are_all_read() -> None:
    values = np.random.default_rng(0).normal(size=(20_000, 3)).round(6)
    text = pandas.DataFrame(values, columns=list("abc")).to_csv(index=False)
    np.testing.assert_array_equal(read(text).to_numpy(), values)
    european = text.replace(",", ";").replace(".", ",")
    np.testing.assert_array_equal(read(european).to_numpy(), values)


def test_a_file_of_tabs_by_its_name(tmp_path: Path) -> None:
    for name in ("t.tsv", "t.txt", "t.data", "t.TSV"):
        (tmp_path / name).write_text(PLAIN.replace(",", "\t"))
        pandas.testing.assert_frame_equal(read_table(tmp_path / name).frame, EXPECTED)
