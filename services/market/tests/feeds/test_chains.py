"""A file of option chains: taken whole beside any feed, or refused whole with the lines that are wrong."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from quantmatrix.common.names import AssetClass
from quantmatrix.common.options import terms_of
from quantmatrix.common.values import Price, Quantity
from quantmatrix.market.feeds._chains import WRONG_SHOWN_MAX, with_chains
from quantmatrix.market.ports import FeedContent, FeedError
from quantmatrix.market.settings import MarketSettings
from quantmatrix.market.store import digest_of
from quantmatrix.market.testing import FixedFeed

FIRST = date(2024, 3, 4)
HEADER = "underlying,date,expires,type,strike,bid,ask,iv,open_interest,volume,delta"
GOOD = f"""{HEADER}
ABC,2024-03-05,2024-04-19,call,10,1.10,1.20,0.35,500,12,0.52
ABC,2024-03-04,2024-04-19,call,10,1.00,1.10,0.35,400,10,
ABC,2024-03-04,2024-04-19,put,9.5,0,0.05,,400,0,-0.1
"""


def taken(folder: Path, text: str, symbols: tuple[str, ...] = ()) -> FeedContent:
    path = folder / "chains.csv"
    path.write_text(text, encoding="utf-8")
    return with_chains(FixedFeed(FIRST, {"ABC": ("10", "11")}).content(), MarketSettings(chains_file=path, replay_symbols=symbols))


def refused(folder: Path, text: str) -> FeedError:
    with pytest.raises(FeedError) as caught:
        taken(folder, text)
    return caught.value


def test_contracts_become_instruments_with_bars_of_their_own(tmp_path: Path) -> None:
    content = taken(tmp_path, GOOD)

    stock, call, put = content.listings
    assert (call.symbol, put.symbol) == ("ABC   240419C00010000", "ABC   240419P00009500")
    assert {(one.asset_class, one.multiplier, one.underlying, one.listed_on) for one in (call, put)} == {
        (AssetClass.OPTION, Quantity(100), stock.instrument_id, FIRST)
    }
    assert terms_of(put.symbol).strike == Price.parse("9.5") and terms_of(call.symbol).expires == date(2024, 4, 19)
    (first,) = [one for one in content.bars if one.instrument_id == call.instrument_id and one.session == FIRST]
    assert (first.open, first.close, first.bid, first.ask) == (Price.parse("1.05"), Price.parse("1.05"), Price(1), Price.parse("1.1"))
    assert [(one.session, one.open_interest, one.iv, one.delta) for one in content.quotes if one.instrument_id == call.instrument_id] == [
        (FIRST, 400, 0.35, None),
        (date(2024, 3, 5), 500, 0.35, 0.52),
    ]
    places = [(one.session, one.instrument_id) for one in content.bars]
    assert places == sorted(set(places))


def test_a_parquet_file_says_the_same(tmp_path: Path) -> None:
    rows = [line.split(",") for line in GOOD.splitlines()[1:]]
    names = HEADER.split(",")
    frame = pl.DataFrame({name: [row[number] for row in rows] for number, name in enumerate(names)}).with_columns(
        pl.col("date", "expires").str.to_date(),
        pl.col("strike", "bid", "ask").cast(pl.Decimal(12, 2)),
        pl.col("iv", "delta").replace("", None).cast(pl.Float64),
        pl.col("open_interest", "volume").cast(pl.Int64),
    )
    path = tmp_path / "chains.parquet"
    frame.write_parquet(path)

    content = with_chains(FixedFeed(FIRST, {"ABC": ("10", "11")}).content(), MarketSettings(chains_file=path))

    assert content == taken(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("ABC,2024-03-04,2024-04-19,call,10,1.2,1.1,,1,1,", "the bid 1.2 is above the ask 1.1"),
        ("ABC,2024-03-04,2024-04-19,call,10,-1,1.1,,1,1,", "an ask is above zero"),
        ("ABC,2024-03-04,2024-04-19,call,10,0,0,,1,1,", "an ask is above zero"),
        ("ABC,2024-03-04,2024-03-01,call,10,1,1.1,,1,1,", "expired on 2024-03-01"),
        ("ABC,2024-03-03,2024-04-19,call,10,1,1.1,,1,1,", "2024-03-03 is not a session"),
        ("ABC,2024-03-04,2024-04-19,straddle,10,1,1.1,,1,1,", "call or put"),
        ("ABC,2024-03-04,2024-04-19,call,10.0001,1,1.1,,1,1,", "three digits"),
        ("ABC,2024-03-04,2024-04-19,call,0,1,1.1,,1,1,", "a strike lies between"),
        ("ABC,2024-03-04,2024-04-19,call,10,1,1.1,nan,1,1,", "iv lies between"),
        ("ABC,2024-03-04,2024-04-19,call,10,1,1.1,,1,1,1.5", "delta lies between"),
        ("ABC,2024-03-04,2024-04-19,call,10,1,1.1,,many,1,", "open_interest is a whole number"),
        ("ABC,2024-03-04,2024-04-19,call,10,1,1.1,,1,-1,", "volume is -1"),
        ("ABC,2024-03-04,2024-04-19,call,10,1,,,1,1,", "ask is empty"),
        ("ABC,2024-03-04,2024-04-19,call,10,1e400000,2,,1,1,", ""),
        ("XYZ,2024-03-04,2024-04-19,call,10,1,1.1,,1,1,", "the feed has no XYZ"),
        ("ABC,2024-03-04,2024-04-19,c,10.0,1,1.1,,1,1,", "stands already in line 3"),
    ],
)
def test_a_bad_row_refuses_the_file_with_its_line(tmp_path: Path, row: str, said: str) -> None:
    found = refused(tmp_path, GOOD + row + "\n")

    assert "nothing of it was taken" in str(found)
    assert [line.partition(":")[0] for line in found.lines] == ["line 5"]
    assert said in found.lines[0]


def test_a_file_without_a_column_or_without_a_quote_is_refused(tmp_path: Path) -> None:
    assert "lacks the columns iv" in str(refused(tmp_path, GOOD.replace("iv", "sigma")))
    assert "holds no quotes" in str(refused(tmp_path, HEADER + "\n"))
    assert "cannot be read" in str(refused_path(tmp_path / "absent.csv"))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing else")
    assert "cannot be read as Parquet" in str(refused_path(tmp_path / "broken.parquet"))


def refused_path(path: Path) -> FeedError:
    with pytest.raises(FeedError) as caught:
        with_chains(FixedFeed(FIRST, {"ABC": ("10",)}).content(), MarketSettings(chains_file=path))
    return caught.value


def test_many_bad_rows_are_not_all_shown(tmp_path: Path) -> None:
    found = refused(tmp_path, GOOD + "ABC,2024-03-04,2024-04-19,call,10,2,1,,1,1,\n" * 50)

    assert len(found.lines) == WRONG_SHOWN_MAX + 1 and found.lines[-1] == "… and 30 more"


def test_options_on_stocks_that_are_not_replayed_are_passed_over(tmp_path: Path) -> None:
    content = taken(tmp_path, GOOD + "XYZ,2024-03-04,2024-04-19,call,10,1,1.1,,1,1,\n", symbols=("ABC",))

    assert len(content.listings) == 3


def test_a_quote_stands_in_the_digest_of_the_content(tmp_path: Path) -> None:
    last = date(2024, 3, 5)
    one, other = taken(tmp_path, GOOD), taken(tmp_path, GOOD.replace("500,12", "501,12"))

    assert digest_of(one, FIRST, last) != digest_of(other, FIRST, last)
    assert digest_of(one, FIRST, last) == digest_of(taken(tmp_path, GOOD), FIRST, last)


def test_dates_and_numbers_of_parquet_keep_what_they_print(tmp_path: Path) -> None:
    row = {"underlying": "ABC", "date": datetime(2024, 3, 4), "expires": date(2024, 4, 19), "type": "put", "strike": 10.0}  # noqa: DTZ001 - a Parquet column without a zone
    pl.DataFrame([row | {"bid": 0.1, "ask": 0.3, "iv": None, "open_interest": 5, "volume": 0}]).write_parquet(tmp_path / "c.parquet")

    content = with_chains(FixedFeed(FIRST, {"ABC": ("10",)}).content(), MarketSettings(chains_file=tmp_path / "c.parquet"))

    assert [(one.bid.value, one.ask.value, one.session) for one in content.quotes] == [(Decimal("0.1"), Decimal("0.3"), FIRST)]
