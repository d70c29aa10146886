"""The proofs notice what they are for: a trade dropped, doubled or changed on the way is named, and nothing is finished."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from libs.operations.tests.legacy.making import crypto, fill, order, report, snapshot

from quantmatrix.common.values import Quantity
from quantmatrix.operations.legacy.books import openings_of
from quantmatrix.operations.legacy.cells import RowRef
from quantmatrix.operations.legacy.comparing import compare
from quantmatrix.operations.legacy.crypto import read_crypto
from quantmatrix.operations.legacy.found import Cause, Found, Kept
from quantmatrix.operations.legacy.proofs import refusals
from quantmatrix.operations.legacy.reading import Choices
from quantmatrix.operations.legacy.statement import statements_of

DATABASE = crypto(
    order(1), order(2, side="sell", price=120.0), order(3, status="pending"), fills=[fill("F1", 1, size=0.5), fill("F2", 1, size=0.5)]
)


def proven(spoil: Callable[[Found], object], files: Callable[[dict[str, bytes]], object] = len) -> list[str]:
    """What the proofs say when something is spoiled after reading, or in the files."""
    read = snapshot(DATABASE)
    found = read_crypto(read, Choices())
    spoil(found)
    openings = openings_of(found)
    written = statements_of(found)
    files(written)
    return refusals(found, read, openings, compare(found, openings), written)


def drop_a_trade(found: Found) -> None:
    flow = found.trades.pop().flow
    found.stages[Cause.MORE].remove(flow)


def double_a_trade(found: Found) -> None:
    found.trades.append(replace(found.trades[0], key="another"))
    found.stages[Cause.MORE].append(found.trades[0].flow)


def same_key(found: Found) -> None:
    found.trades[1] = replace(found.trades[1], key=found.trades[0].key)


def change_a_quantity(found: Found) -> None:
    found.trades[0] = replace(found.trades[0], quantity=Quantity(7))


def keep_a_trade_too(found: Found) -> None:
    found.kept.append(Kept(RowRef("trades", "2"), "by mistake"))


def drop_an_order(found: Found) -> None:
    found.unfilled.clear()


def test_nothing_spoiled_is_nothing_said() -> None:
    assert proven(lambda found: None) == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (drop_a_trade, "trades:2: would be lost"),
        (double_a_trade, "raw_trades:F1: would be counted 2 times"),
        (same_key, "raw_trades:F2: 2 trades of the account have its id"),
        (change_a_quantity, "the trades that were compared are not the trades that are taken over"),
        (keep_a_trade_too, "trades:2: would be counted 2 times"),
        (drop_an_order, "trades:3: would be lost"),
    ],
)
def test_what_was_spoiled_is_named(spoil: Callable[[Found], object], said: str) -> None:
    assert said in proven(spoil)


def without_last_line(files: dict[str, bytes]) -> None:
    for name, body in files.items():
        files[name] = b"".join(body.splitlines(keepends=True)[:-1])


def other_price(files: dict[str, bytes]) -> None:
    for name, body in files.items():
        files[name] = body.replace(b",120,1,120,", b",121,1,121,")


@pytest.mark.parametrize("spoil", [without_last_line, other_price])
def test_a_file_that_does_not_say_what_it_should_is_noticed(spoil: Callable[[dict[str, bytes]], object]) -> None:
    assert proven(lambda found: None, spoil) == ["the files do not hold the trades that were to be written"]


def test_a_name_that_a_spreadsheet_would_run_is_refused_by_the_import_and_so_here() -> None:
    (said,) = report(crypto(order(1, product_id="=CMD|X-USD")))["refused"]

    assert said.startswith("legacy-coinbase-01.csv would not be taken by qm import: line 2: a cell holds a formula")


def test_a_price_that_the_ledger_cannot_hold_is_refused_by_name() -> None:
    assert report(crypto(order(1, price=1e18)))["refused"] == ["trades:1: price is not a number that an amount can be"]
