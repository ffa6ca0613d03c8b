"""The page: its figures are those of the JSON, and no text from a file becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from pyro_gmvae.report.html import figure, html_of
from pyro_gmvae.report.markdown import markdown_of
from pyro_gmvae.report.report import Report, make_report
from pyro_gmvae.visible import visible
from tests.report.conftest import HOSTILE, customers, fitted_to

VOID = {"meta", "img", "br", "circle", "rect"}


class Page(HTMLParser):
    """Collects the elements of a page, its text, its figures, and where elements do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.figures: list[tuple[str, str, str]] = []
        self.comments: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "data":
            given = dict(attrs)
            self.figures.append((given["data-path"] or "", given["value"] or "", ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.open and self.open[-1] == "data":
            path, value, text = self.figures[-1]
            self.figures[-1] = (path, value, text + data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(html_of(report))


def at(values: object, path: str) -> object:
    for step in path.split("."):
        values = values[int(step)] if isinstance(values, list) else values[step]  # type: ignore[index]
    return values


def test_every_figure_is_that_of_the_json(report: Report, page: Page) -> None:
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert len(page.figures) > 200
    for path, value, text in page.figures:
        expected = at(values, path)
        assert value == ("" if expected is None else repr(expected)), path
        assert text.strip(), path
    shares = [f for f in page.figures if re.fullmatch(r"segments\.\d+\.size\.share", f[0])]
    assert len(shares) == 2 * len(values["segments"])
    assert all(text == f"{float(value):.1%}" for _, value, text in shares)


def test_the_page_is_whole_and_sends_nothing(report: Report, page: Page) -> None:
    assert page.open == []
    assert page.tags["script"] == 2 and page.tags["style"] == 1 and page.tags["title"] == 1
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("srcset", "action", "formaction", "background", "ping")
        if name == "href":
            assert value.startswith("#"), value
        if name == "src":
            assert value.startswith("data:image/png;base64,"), value
    html = html_of(report)
    assert "@import" not in html and "url(" not in html
    script = html.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(
        v for t, n, v in page.attributes if t == "meta" and n == "content" and "sha256" in v
    )
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy


def test_headings_go_down_by_one_and_ids_are_single(report: Report, page: Page) -> None:
    html = html_of(report)
    levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = [value[1:] for _, name, value in page.attributes if name == "href"]
    assert set(links) <= set(ids)
    labels = [
        v for _, name, v in page.attributes if name in ("aria-labelledby", "aria-describedby")
    ]
    assert set(labels) <= set(ids)
    assert ("html", "lang", "en") in page.attributes


def test_hostile_names_are_text(hostile: Report, page: Page) -> None:
    html = html_of(hostile)
    parsed = Page(html)
    assert parsed.open == []
    assert set(parsed.tags) <= set(page.tags)  # no element that the template has not
    for single in ("script", "style", "title", "h1", "svg", "html", "body"):
        expected = (
            1 + 2 * len(hostile.explanation.segments) if single == "svg" else page.tags[single]
        )
        assert parsed.tags[single] == expected, single
    assert len(parsed.comments) == 1
    names = {(tag, name) for tag, name, _ in page.attributes}
    assert {(tag, name) for tag, name, _ in parsed.attributes} <= names
    text = "".join(parsed.text)
    for name in HOSTILE:
        assert visible(name) in text, name
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", html)
    assert "49" not in Page(html).tags  # a template in a name is not run
    assert "{{ 7 * 7 }}" in text


def test_the_points_of_the_map_are_read_by_json(hostile: Report) -> None:
    html = html_of(hostile)
    found = re.findall(r'<script type="application/json" id="points">(.*?)</script>', html, re.S)
    assert len(found) == 1 and "<" not in found[0]
    points = json.loads(found[0])
    assert len(points["points"]) == len(hostile.latent.points)
    assert {int(k): v for k, v in points["names"].items()} == hostile.names


def test_hostile_names_are_text_in_markdown(hostile: Report) -> None:
    text = markdown_of(hostile)
    assert "<script" not in text and "<img" not in text and "\x1b" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    of_outcomes = 2 + len(hostile.explanation.segments)  # beside those of traits and of sizes
    for row in rows:
        cells = len(re.findall(r"(?<!\\)\|", row))
        assert cells in (5, 8, of_outcomes), row


def test_a_column_that_is_called_as_the_page_calls_other_rows() -> None:
    frame = customers()
    names = {"age": "others 45", "tier": "others", "visits": "others rows above 90%"}
    found = make_report(*fitted_to(frame.rename(columns=names), "others"))
    own = make_report(*fitted_to(frame, "others"))
    page = Page(html_of(found))
    text = " ".join("".join(page.text).split())
    assert all(name in text for name in names.values())
    # A name takes no part in any figure; seconds of a training differ.
    figures = [f for f in page.figures if f[0] != "origin.seconds"]
    assert figures == [f for f in Page(html_of(own)).figures if f[0] != "origin.seconds"]
    heads = re.findall(r'<span class="head">(.*?)</span>', html_of(found))
    assert "others 45" in heads and any(head.startswith("others: ") for head in heads)


def test_a_path_that_leads_nowhere_is_an_error() -> None:
    with pytest.raises(KeyError):
        figure({"a": 1}, "b", "text")
