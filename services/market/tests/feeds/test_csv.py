"""A user's own file: taken whole, or refused whole with the lines that are wrong."""

from datetime import date
from pathlib import Path

import pytest

from quantmatrix.common.values import Price, Quantity
from quantmatrix.market.feeds.csv import WRONG_SHOWN_MAX, CsvFeed, make
from quantmatrix.market.ports import FeedContent, FeedError
from quantmatrix.market.settings import MarketSettings
from quantmatrix.market.testing import FeedContract

HEADER = "symbol,date,open,high,low,close,volume"
GOOD = f"""{HEADER}
ABC,2024-03-01,10,11,9.5,10.25,1000
ABC,2024-03-04,10.25,10.5,10,10.4,1200
XYZ,2024-03-01,5,5,5,5,0
"""


def read(folder: Path, text: str | bytes, splits: str | None = None, symbols: tuple[str, ...] = ()) -> FeedContent:
    path, second = folder / "bars.csv", None
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if splits is not None:
        second = folder / "splits.csv"
        second.write_text(splits, encoding="utf-8")
    return CsvFeed(path, second, symbols).content()


def refused(folder: Path, text: str | bytes, splits: str | None = None) -> FeedError:
    with pytest.raises(FeedError) as caught:
        read(folder, text, splits)
    return caught.value


class TestTheCsvFeed(FeedContract):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        (tmp_path / "bars.csv").write_text(GOOD, encoding="utf-8")
        type(self).feed = CsvFeed(tmp_path / "bars.csv", None, ())


def test_a_good_file_is_taken_as_it_stands(tmp_path: Path) -> None:
    content = read(tmp_path, GOOD)

    assert [listing.symbol for listing in content.listings] == ["ABC", "XYZ"]
    assert [listing.listed_on for listing in content.listings] == [date(2024, 3, 1)] * 2
    first = next(bar for bar in content.bars if bar.close == Price.parse("10.25"))
    assert (first.open, first.high, first.low, first.volume) == (Price(10), Price(11), Price.parse("9.5"), Quantity(1000))


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.replace(HEADER, HEADER.upper()),
        GOOD.replace(HEADER, " symbol , date,open,high,low,close,volume"),
        GOOD.rstrip("\n"),
        GOOD.replace("ABC", "abc"),
        GOOD.replace("10.25,1000", '"10.25","1000"'),
    ],
    ids=["crlf", "byte order mark", "capitals", "blanks in the header", "no last line end", "small symbols", "quotes"],
)
def test_the_ways_people_write_csv(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text) == read(tmp_path, GOOD)


def test_columns_may_come_in_any_order_and_others_are_left_alone(tmp_path: Path) -> None:
    text = "volume,close,low,high,open,date,symbol,note\n1000,10.25,9.5,11,10,2024-03-01,ABC,hello\n"

    assert read(tmp_path, text).bars[0].close == Price.parse("10.25")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("ABC,2024-03-02,10,11,9,10,1", "2024-03-02 is not a session of XNYS"),
        ("ABC,2024-03-29,10,11,9,10,1", "2024-03-29 is not a session of XNYS"),
        ("ABC,03/05/2024,10,11,9,10,1", "expected a day such as 2024-03-05, got '03/05/2024'"),
        ("ABC,2024-02-30,10,11,9,10,1", "expected a day such as 2024-03-05, got '2024-02-30'"),
        ("ABC,2024-03-05,10,9,9,10,1", "the high 9 is below"),
        ("ABC,2024-03-05,10,11,10.5,10,1", "the low 10.5 is above"),
        ("ABC,2024-03-05,0,11,0,10,1", "zero or negative"),
        ("ABC,2024-03-05,-10,11,-11,10,1", "zero or negative"),
        ("ABC,2024-03-05,10,11,9,10,-1", "the volume -1 is negative"),
        ("ABC,2024-03-05,NaN,11,9,10,1", "plain decimal"),
        ("ABC,2024-03-05,1e1,11,9,10,1", "plain decimal"),
        ("ABC,2024-03-05,inf,inf,9,10,1", "plain decimal"),
        ('ABC,2024-03-05,"1,000",1100,900,1000,1', "plain decimal"),
        ("ABC,05.03.2024,10,11,9,10,1", "expected a day such as 2024-03-05"),
        ("ABC,2024-03-05,10,11,9,,1", "close is empty"),
        ("ABC,2024-03-05,10,11", "is empty"),
        (",2024-03-05,10,11,9,10,1", "symbol is empty"),
        ("A B,2024-03-05,10,11,9,10,1", "not a symbol"),
        ("ABC,2024-03-04,10,11,9,10,1", "ABC on 2024-03-04 stands already in line 3"),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_nothing_is_taken(row: str, why: str, tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD + row + "\n")

    assert len(error.lines) == 1
    assert error.lines[0].startswith("line 5: ")
    assert why in error.lines[0]
    assert "nothing of it was taken" in str(error)


def test_every_bad_row_is_named_up_to_a_limit(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD + "ABC,2024-03-02,10,11,9,10,1\n" * 50)

    assert len(error.lines) == WRONG_SHOWN_MAX + 1
    assert error.lines[-1] == "… and 30 more"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "lacks symbol, date, open, high, low, close, volume"),
        ("symbol,date,open,high,low,volume\n", "lacks close"),
        (HEADER + "\n", "holds no bars"),
        (b"\xff\xfe\x00s", "cannot be read as a CSV file"),
        (HEADER + '\n"ABC,2024-03-01', "cannot be read as a CSV file"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(text: str | bytes, why: str, tmp_path: Path) -> None:
    assert why in str(refused(tmp_path, text))


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="cannot be read"):
        CsvFeed(tmp_path / "absent.csv", None, ()).content()


def test_the_feed_needs_to_be_told_its_file() -> None:
    with pytest.raises(FeedError, match="QM_MARKET_CSV_FILE"):
        make(MarketSettings(feed="csv"))


def test_splits_come_from_a_file_of_facts(tmp_path: Path) -> None:
    content = read(tmp_path, GOOD, "symbol,effective,numerator,denominator\nABC,2024-03-04,2,1\n")

    (action,) = content.actions
    assert (action.effective, action.numerator, action.denominator, action.source) == (date(2024, 3, 4), 2, 1, "the user's file")


@pytest.mark.parametrize(
    ("splits", "why"),
    [
        ("symbol,effective,numerator,denominator\nABC,2024-03-04,1,1\n", "line 2: a split of 1 for 1 is not one"),
        ("symbol,effective,numerator,denominator\nABC,2024-03-04,0,1\n", "line 2: a split of 0 for 1"),
        ("symbol,effective,numerator,denominator\nABC,soon,2,1\n", "line 2: "),
        ("symbol,effective,numerator,denominator\nABC,2024-03-04,2.5,1\n", "line 2: "),
        ("symbol,effective,numerator\nABC,2024-03-04,2\n", "lacks the column denominator"),
        ("symbol,effective,numerator,denominator\nZZZ,2024-03-04,2,1\n", "names symbols without bars: ZZZ"),
    ],
)
def test_a_wrong_file_of_splits_is_refused(splits: str, why: str, tmp_path: Path) -> None:
    assert why in str(refused(tmp_path, GOOD, splits))


def test_some_symbols_may_be_chosen(tmp_path: Path) -> None:
    content = read(tmp_path, GOOD, symbols=("XYZ",))

    assert [listing.symbol for listing in content.listings] == ["XYZ"]
    assert len(content.bars) == 1


def test_a_bad_row_of_another_symbol_is_bad_too(tmp_path: Path) -> None:
    with pytest.raises(FeedError):
        read(tmp_path, GOOD + "ABC,2024-03-02,10,11,9,10,1\n", symbols=("XYZ",))
