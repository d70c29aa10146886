"""The printable page: whole in itself, harmless, and telling the figures that were computed."""

import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.portfolio.tests.performance.walking import FIRST, daily, usd
from services.portfolio.tests.reports.disposing import plain

from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.performance.strategies import OpenedLot, results_of
from quantmatrix.portfolio.reports.disposals import realised_by_year
from quantmatrix.portfolio.reports.page import Contents, page_of
from quantmatrix.portfolio.reports.plots import curve, heat_map, thinned, ticks_between

EVIL = "<script>alert(1)</script>\"'&"
VOID = {"meta", "line", "rect", "polygon", "polyline", "br"}


class _Tags(HTMLParser):
    """Whether every tag is closed, and what the page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object", "form"):
            self.wrong.append(tag)
        self.wrong += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "xlink:href") or name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(f"</{tag}>")


def contents(title: str = "Account A") -> Contents:
    values = [1_000 + 10 * (day % 17) - 4 * (day % 5) + day for day in range(120)]
    lots = [OpenedLot("1", title, FIRST, Quantity(1), usd(100), usd(120))]
    return Contents(
        title=title,
        course=daily(0, values, {1: 1_000, 60: 5}),
        attribution=[("mark to market", usd(100)), (title, usd("-3.25"))],
        realised=realised_by_year([plain("100", "60"), plain("100", None)]),
        strategies=results_of(lots, [], FIRST + timedelta(days=90)),
        notes=[title],
    )


def test_the_page_tells_its_figures_and_has_three_plots() -> None:
    page = page_of(contents())

    for words in (
        "Account A",
        "2025-01-01 to 2025-05-01",
        "Time-weighted return",
        "Money-weighted return",
        "Deepest drawdown",
        "Realised by year",
    ):
        assert words in page
    assert page.count("<svg") == 3 and page.count('role="img"') == 3
    assert "+40.00 USD" in page and "\u22123.25 USD" in page
    assert ">2025</text>" in page


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    for title in ("Account A", EVIL):
        tags = _Tags()
        tags.feed(page_of(contents(title)))
        assert tags.wrong == [] and tags.open == []
        assert not re.search(r"https?:|url\(|@import", page_of(contents(title)))
    assert EVIL not in page_of(contents(EVIL)) and "&lt;script&gt;" in page_of(contents(EVIL))


def test_an_empty_account_has_a_page_without_plots() -> None:
    page = page_of(Contents("nothing", daily(0, [])))

    assert "<svg" not in page and "Value at the end" in page and "\u2013" in page


def test_the_same_figures_make_the_same_page() -> None:
    assert page_of(contents()) == page_of(contents())


def test_thinning_keeps_the_extremes_and_both_ends() -> None:
    points = [(date.fromordinal(738_000 + number), float((number * 7919) % 1_000)) for number in range(5_000)]

    kept = thinned(points, 200)

    assert len(kept) <= 220 and kept[0] == points[0] and kept[-1] == points[-1]
    assert max(value for _, value in kept) == 999.0 and min(value for _, value in kept) == 0.0
    assert [day for day, _ in kept] == sorted(day for day, _ in kept)


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_ticks_enclose_what_is_drawn_and_are_few(low: float, span: float) -> None:
    ticks = ticks_between(low, low + span)

    assert ticks[0] <= low + 1e-6 * max(1, abs(low)) and ticks[-1] >= low + span - 1e-6 * max(1, abs(low + span))
    assert 2 <= len(ticks) <= 8


@pytest.mark.parametrize("values", [[], [1.0]])
def test_one_point_is_no_curve(values: list[float]) -> None:
    assert curve([(FIRST, one) for one in values], "t", "equity") == ""
    assert heat_map([]) == ""


def test_a_flat_curve_is_drawn_too() -> None:
    drawn = curve([(FIRST, 5.0), (FIRST + timedelta(days=1), 5.0)], "flat", "equity")

    assert "nan" not in drawn and "polyline" in drawn
    assert "nan" not in curve([(FIRST, 0.0), (FIRST + timedelta(days=1), 0.0)], "flat", "fall", percent=True)


def test_the_lines_of_each_year_stand_beside_its_profit_with_what_they_leave() -> None:
    years = [(2023, usd(10), [("commissions", usd(-2)), ("dividends", usd(12))]), (2024, usd(5), [("commissions", usd(-1))])]

    page = page_of(replace(contents(), by_year=years))

    text = "".join(re.sub("<[^>]+>", "|", row) for row in re.findall("<tr>.*?</tr>", page))
    assert "|Year||commissions||dividends||unexplained||Economic profit|" in text
    assert "|2024||\u22121.00 USD||||+6.00 USD||+5.00 USD|" in text
