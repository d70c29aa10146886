"""Contracts through splits of their stock: the identity lasts, the terms are the OCC's, and symbols that come twice are told apart."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Quantity
from quantmatrix.market.domain.listing import CorporateAction
from quantmatrix.market.feeds import csv as bars_of
from quantmatrix.market.feeds._chains import with_chains
from quantmatrix.market.ports import FeedContent, FeedError
from quantmatrix.market.settings import MarketSettings

DAYS = [date(2024, 3, day) for day in (4, 5, 6, 7, 8)]
HEADER = "underlying,date,expires,type,strike,bid,ask,iv,open_interest,volume,root"


def read(folder: Path, splits: str, *rows: str) -> FeedContent:
    bars = [f"XYZ,{day},60,61,59,60,1000" for day in DAYS]
    (folder / "bars.csv").write_text("\n".join(["symbol,date,open,high,low,close,volume", *bars]), encoding="utf-8")
    (folder / "splits.csv").write_text("symbol,effective,numerator,denominator\n" + splits, encoding="utf-8")
    (folder / "chains.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    settings = MarketSettings(
        feed="csv", csv_file=folder / "bars.csv", csv_splits_file=folder / "splits.csv", chains_file=folder / "chains.csv"
    )
    return with_chains(bars_of.make(settings).content(), settings)


def quote(day: int, strike: str, bid: str = "2", root: str = "", expires: str = "2024-04-19") -> str:
    return f"XYZ,2024-03-0{day},{expires},call,{strike},{bid},{Decimal(bid) + 1},,500,1,{root}"


def by_session(content: FeedContent) -> dict[tuple[int, str], InstrumentId]:
    return {(one.session.day, one.symbol[12:].lstrip("C0") + one.symbol[3]): one.instrument_id for one in content.quotes}


def adjustments(content: FeedContent) -> list[CorporateAction]:
    return [one for one in content.actions if one.becomes]


def test_after_a_split_of_two_for_one_a_symbol_is_another_contract_than_before(tmp_path: Path) -> None:
    """The 60 call becomes two 30 calls; what was the 30 call becomes two 15 calls, though its symbol is quoted on."""
    rows = [quote(day, strike) for day in (4, 5) for strike in ("60", "30")] + [quote(day, "30") for day in (6, 7)]
    content = read(tmp_path, "XYZ,2024-03-06,2,1\n", *rows)

    sixty, thirty = (by_session(content)[4, f"{strike} "] for strike in ("60000", "30000"))
    assert sixty != thirty
    assert by_session(content)[6, "30000 "] == by_session(content)[7, "30000 "] == sixty
    assert {(one.instrument_id, one.becomes, one.numerator, one.denominator, one.deliverable) for one in adjustments(content)} == {
        (sixty, "XYZ   240419C00030000", 2, 1, None),
        (thirty, "XYZ   240419C00015000", 2, 1, None),
    }
    assert len(content.listings) == 3


def test_a_contract_listed_after_the_split_under_a_symbol_that_another_had_is_a_third_one(tmp_path: Path) -> None:
    content = read(tmp_path, "XYZ,2024-03-06,2,1\n", quote(4, "30"), quote(7, "30"), quote(7, "15"))

    found = by_session(content)
    assert found[7, "15000 "] == found[4, "30000 "] != found[7, "30000 "]
    assert len({one.instrument_id for one in content.listings}) == 3


def test_a_split_of_three_for_two_changes_the_shares_and_the_root_alone(tmp_path: Path) -> None:
    """The disclosure document's example: a 50 call delivers 150 shares, for 5,000 still."""
    content = read(tmp_path, "XYZ,2024-03-06,3,2\n", quote(5, "50"), quote(6, "50", root="XYZ1"), quote(6, "50"))

    found = by_session(content)
    assert found[6, "500001"] == found[5, "50000 "] != found[6, "50000 "]
    (action,) = adjustments(content)
    assert (action.becomes, action.numerator, action.denominator, action.deliverable) == ("XYZ1  240419C00050000", 1, 1, Quantity(150))


def test_an_adjusted_contract_that_nobody_quoted_before_the_split_delivers_what_the_split_says(tmp_path: Path) -> None:
    content = read(tmp_path, "XYZ,2024-03-06,1,10\n", quote(7, "5", root="XYZ1"))

    (action,) = adjustments(content)
    assert (action.deliverable, action.effective) == (Quantity(10), date(2024, 3, 6))


def test_a_contract_that_expired_before_the_split_is_left_as_it_was(tmp_path: Path) -> None:
    assert not adjustments(read(tmp_path, "XYZ,2024-03-06,2,1\n", quote(4, "60", expires="2024-03-05")))


@pytest.mark.parametrize(
    ("splits", "row", "said"),
    [
        ("XYZ,2024-03-06,2,1\n", quote(7, "5", root="XYZ1"), "the feed knows 0 splits"),
        ("XYZ,2024-03-06,3,2\n", quote(4, "5", root="XYZ1"), "the feed knows 0 splits"),
        ("", quote(7, "5", root="ABC1"), "the root of options on XYZ"),
    ],
)
def test_an_adjusted_root_that_no_split_explains_refuses_the_file_with_its_line(tmp_path: Path, splits: str, row: str, said: str) -> None:
    with pytest.raises(FeedError) as caught:
        read(tmp_path, splits, quote(5, "50"), row)

    assert caught.value.lines[0].startswith("line 3: ") and said in caught.value.lines[0]
