"""Every file of statements in the shared data, with its table of figures. Read in place, never copied."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from services.portfolio.tests.domain.tax.shared import shared

from quantmatrix.portfolio.domain.statements_identities import COMMISSION_LEFT_OUT
from quantmatrix.portfolio.import_report import REFUSED, ImportTold, told
from quantmatrix.portfolio.importing import File, check_files


@dataclass(frozen=True)
class Wanted:
    """rows = booked + ignored, nothing not understood. unexplained: identities that the file itself contradicts."""

    kind: str
    rows: int
    booked: int  # in a file that contradicts itself: what would have been
    checked: int
    equal: int
    closings: tuple[int, int] = (0, 0)
    unexplained: frozenset[str] = frozenset()


ACTIVITY = {
    # These five are made up, as the data's manifest says, and their rows are not those that their summaries sum up: most dividends and
    # purchases are on no row (the notes of cash have the figures). Their change in value does not add up by its mark-to-market
    # line (I6), some marks have the wrong sign (I2), gains leave the commission out and one is wrong by 0.20 (I3): no named cause
    # explains any of it, so nothing of them is booked. The amount of six cents off its price (I1) is that of a rounded average.
    "2020.csv": Wanted("ibkr_activity", 147, 50, 81, 73, (4, 4), frozenset({"I2", "I3", "I6"})),
    "2021.csv": Wanted("ibkr_activity", 204, 76, 119, 111, (4, 4), frozenset({"I2", "I3", "I6"})),
    "2022.csv": Wanted("ibkr_activity", 236, 96, 112, 103, (4, 0), frozenset({"I2", "I3", "I6"})),
    "2023.csv": Wanted("ibkr_activity", 345, 202, 134, 129, (4, 0), frozenset({"I3", "I6"})),
    "2024.csv": Wanted("ibkr_activity", 329, 192, 125, 116, (4, 0), frozenset({"I2", "I3", "I6"})),
}
SINGLE = {
    "ibkr_flex/cash-transactions.xml": Wanted("ibkr_flex_xml", 3, 3, 0, 0),
    "ibkr_flex/cash-transactions-consolidated.xml": Wanted("ibkr_flex_xml", 3, 3, 0, 0),
    "ibkr_flex/trade-confirmations.xml": Wanted("ibkr_flex_xml", 80, 39, 39, 39),
    "exports/ibkr-trades.csv": Wanted("ibkr_flex_csv", 11, 11, 8, 8),
    "exports/ibkr-dividends.csv": Wanted("ibkr_flex_csv", 11, 11, 0, 0),
    "exports/coinbase.csv": Wanted("coinbase_retail", 8, 8, 0, 0),
    "uk_cgt/interactive_brokers_test_basic.csv": Wanted("ibkr_transactions", 19, 12, 0, 0),
    "tastytrade/2018_2020-05.csv": Wanted("tastytrade", 175, 175, 128, 128),
    "tastytrade/2020-05_2020-12.csv": Wanted("tastytrade", 248, 248, 204, 204),
    "tastytrade/2021.csv": Wanted("tastytrade", 250, 250, 204, 204),
    "tastytrade/2021-2022.csv": Wanted("tastytrade", 250, 250, 185, 185),
    "tastytrade/2018-02_2024-08.csv": Wanted("tastytrade", 1082, 1082, 800, 800),
    "tastytrade/history_2021-07.csv": Wanted("tastytrade", 37, 37, 30, 30),
    "tastytrade/uso.csv": Wanted("tastytrade", 8, 8, 4, 4),
}


def look(*paths: Path) -> list[ImportTold]:
    return [told(one) for one in check_files([File(path.name, path.read_bytes()) for path in paths])]


def hold(found: ImportTold, wanted: Wanted) -> None:
    identities = found["identities"].values()
    assert (found["kind"], found["rows"], found["not_understood"]) == (wanted.kind, wanted.rows, 0)
    booked, refused = (0, wanted.booked) if wanted.unexplained else (wanted.booked, 0)
    assert (found["booked"], found["ignored_by_rule"].get(REFUSED, 0)) == (booked, refused)
    assert found["booked"] + found["ignored"] + found["not_understood"] == found["rows"]
    assert (sum(one["checked"] for one in identities), sum(one["equal"] for one in identities)) == (wanted.checked, wanted.equal)
    assert (found["closings_checked"], found["closings_equal"]) == wanted.closings
    unexplained = {name for name, one in found["identities"].items() for difference in one["differences"] if difference["cause"] is None}
    assert unexplained == wanted.unexplained
    assert (found["status"] == "rejected") == bool(wanted.unexplained)


def test_five_chained_years_of_activity_statements() -> None:
    folder = shared("ibkr_activity")

    found = look(*(folder / name for name in ACTIVITY))

    for one in found:
        hold(one, ACTIVITY[one["file"]])
        assert all(difference["cause"] or difference["note"] == COMMISSION_LEFT_OUT for difference in one["closings"])
    assert [one["identities"]["I8"]["checked"] for one in found] == [0, 22, 25, 25, 24]
    assert [one["identities"]["I8"]["differences"] for one in found] == [[], [], [], [], []]


VALUES = {
    "2020.csv": ("52.4", "1134.9", "1187.3"), "2021.csv": ("21", "2735.6", "2756.6"), "2022.csv": ("-38", "-1486.2", "-1524.2"),
    "2023.csv": ("40", "1070.8", "1110.8"), "2024.csv": ("54.76", "4182.2", "4236.96"),
}  # fmt: skip


def test_what_the_made_up_years_contradict_themselves_in_is_told_from_their_own_rows() -> None:
    """Change in value of stocks and the sums of sales and purchases make the mark-to-market that the files do not print."""
    folder = shared("ibkr_activity")

    found = look(*(folder / name for name in ACTIVITY))

    for one in found:
        (value,) = one["identities"]["I6"]["differences"]
        difference, printed, wanted = VALUES[one["file"]]
        assert value["difference"] == difference
        assert value["note"] == f"only the line Mark-to-Market is printed nowhere else: it says {printed}, the others leave {wanted}"
        (cash,) = one["cash"]["differences"]
        assert "Dividends: " in cash["note"] and "Trades (Purchase): " in cash["note"]


@pytest.mark.parametrize("name", SINGLE)
def test_one_file(name: str) -> None:
    folder, file = name.split("/")

    (found,) = look(shared(folder) / file)

    hold(found, SINGLE[name])


def test_the_overlapping_histories_of_one_account_merge() -> None:
    """The two files that meet in July 2021 share that day's rows; each row is booked once, whichever file comes first."""
    folder = shared("tastytrade")

    forwards = look(folder / "2021.csv", folder / "2021-2022.csv")
    backwards = look(folder / "2021-2022.csv", folder / "2021.csv")

    assert sum(one["booked"] for one in forwards) == sum(one["booked"] for one in backwards)
    assert sum(one["duplicates"] for one in forwards) == sum(one["duplicates"] for one in backwards) > 0


def test_the_older_and_the_newer_shape_of_one_history_merge() -> None:
    """The whole history in the newer shape brings every row of the older files but ten, which its edited copy does not have."""
    folder = shared("tastytrade")
    names = ("2018-02_2024-08.csv", "2018_2020-05.csv", "2020-05_2020-12.csv", "2021.csv", "2021-2022.csv")

    keys = []
    for name in names:
        (checked,) = check_files([File(name, (folder / name).read_bytes())])
        assert checked.statement is not None
        keys.append({entry.broker_key for entry in checked.statement.entries})

    assert [len(own - keys[0]) for own in keys[1:]] == [2, 6, 0, 2]


@pytest.mark.parametrize("name", ["exports/degiro.csv", "exports/schwab.csv", "exports/trading212.csv", "exports/revolut-invest.csv"])
def test_files_of_other_brokers_are_refused_by_name(name: str) -> None:
    folder, file = name.split("/")

    (found,) = look(shared(folder) / file)

    assert (found["kind"], found["rows"], found["status"]) == (None, 0, "rejected")
    assert found["why"].startswith("no importer knows this kind of file")
