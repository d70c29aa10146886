"""What is told of a session after it was valued: it is no profit of the next one, and every line still sums to the gain."""

from datetime import timedelta
from typing import Any

import pytest
from services.portfolio.tests.living import Living
from services.portfolio.tests.test_booking import DAY, corrected, filled, moment, opened
from services.portfolio.tests.test_performance_answers import asked, session

from quantmatrix.common.contracts.asking.acts import Act, Reversed, UnitsArrived, UnitsLeft
from quantmatrix.common.contracts.asking.derivations import DerivationAsked, DerivedOf
from quantmatrix.common.contracts.asking.performance import Performance
from quantmatrix.common.names import AccountId
from quantmatrix.common.testing.examples import ACCOUNT, INSTRUMENT, USER, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.derivation_answers import derivation

PRIOR, TRANSACTIONS = "mark to market of prior positions", "mark to market of transactions"


@pytest.fixture
async def living(pages: Pages) -> Living:
    """A person's account with two sessions, the stock at 11 on both."""
    await opened(pages)
    for number in (1, 2):
        await session(pages, number, "11")
    return Living(pages, account=AccountId(ACCOUNT), user=USER)


def arrived(number: int, quantity: int = 100) -> Act:
    told = {"instrument": INSTRUMENT, "quantity": Quantity(quantity), "session": DAY + timedelta(days=number), "at": moment(number)}
    return UnitsArrived(origin="transfer", basis=usd(1_000), acquired_on=DAY, **told)  # type: ignore[arg-type]  # as they are named


def left(number: int, quantity: int) -> Act:
    return UnitsLeft(instrument=INSTRUMENT, quantity=Quantity(quantity), session=DAY + timedelta(days=number), at=moment(number))


def lines(found: Performance) -> dict[str, Money]:
    return {one.line: one.amount for one in found.lines}


async def test_units_that_are_told_days_later_come_in_and_are_no_profit(living: Living) -> None:
    await living.tell(arrived(1))
    await session(living.pages, 3, "12")
    await session(living.pages, 4, "13")

    found = await asked(living.pages)

    # They come in at the 12 of the session that first values them; 100 from 12 to 13 are the gain.
    assert (found.came_in, found.gain, found.unexplained) == (usd(101_200), usd(100), usd(0))
    assert lines(found) == {PRIOR: usd(100)} and found.rates.time_weighted == pytest.approx(100 / 101_200)


async def test_units_that_left_days_ago_go_out_and_are_no_loss(living: Living) -> None:
    await living.tell(arrived(3))
    await session(living.pages, 3, "12")
    await session(living.pages, 4, "12")
    await living.tell(left(3, 40))
    await session(living.pages, 5, "13")

    found = await asked(living.pages)

    assert (found.came_in, found.went_out, found.gain) == (usd(101_200), usd(520), usd(100))
    assert lines(found) == {PRIOR: usd(100)} and not found.unexplained


@pytest.mark.parametrize("at_once", [True, False])
async def test_an_act_that_is_taken_back_leaves_nothing(living: Living, at_once: bool) -> None:
    taken = await living.tell(arrived(1))
    if not at_once:
        await session(living.pages, 3, "12")
    await living.tell(Reversed(reverses=taken.event_id))
    await session(living.pages, 4, "13")

    found = await asked(living.pages)

    # Valued at 12 and taken out at 13: the hundred in between were told as a gain, and are given back with the units.
    assert found.end == usd(100_000) and not found.unexplained
    assert found.gain == (usd(0) if at_once else usd(100)) and found.went_out == (usd(0) if at_once else usd(1_300))


async def test_a_fill_heard_after_its_session_was_valued_is_a_transaction_of_the_next(living: Living) -> None:
    """100 bought at 10 on the first day, heard on the third at 12: 200 of it are gain."""
    await session(living.pages, 3, "12", filled(1, 100, "10", "1"))

    found = await asked(living.pages)

    assert lines(found) == {TRANSACTIONS: usd(200), "commissions": usd(-1)}
    assert (found.gain, found.unexplained) == (usd(199), usd(0))
    told = await derivation(DerivationAsked(user_id=USER, of=DerivedOf.PROFIT, session=DAY + timedelta(days=3)), living.pages.connection)
    assert (usd(200), "ledger") in {(one.amount, one.source_kind) for one in told.lines}


@pytest.mark.parametrize(("quantity", "prior", "transactions"), [("50", 100, 50), ("0", 0, 0)])
async def test_a_corrected_fill_gives_back_what_it_had_gained(living: Living, quantity: str, prior: int, transactions: int) -> None:
    """100 bought at 10, 11 at the close; then it was 50, or nothing; 13 at the next close."""
    first = filled(3, 100, "10", "1")
    await session(living.pages, 3, "11", first)
    await living.pages.hear(corrected(1, first, quantity, "10", "1" if quantity != "0" else "0"))
    await session(living.pages, 4, "13")

    found = await asked(living.pages)

    held = int(quantity)
    assert found.gain == usd(held * 3 - (1 if held else 0)) and not found.unexplained
    total: Any = sum((lines(found).get(name, usd(0)) for name in (PRIOR, TRANSACTIONS)), usd(0))
    assert total == usd(held * 3)


async def test_what_is_told_of_the_session_itself_is_counted_once(living: Living) -> None:
    """Told before the session is valued, and again when it is valued a second time."""
    await living.tell(arrived(3))
    await session(living.pages, 3, "12")
    await living.tell(arrived(3, 50))
    await session(living.pages, 3, "12")
    await session(living.pages, 4, "13")

    found = await asked(living.pages)

    assert (found.came_in, found.gain) == (usd(101_800), usd(150)) and lines(found) == {PRIOR: usd(150)}


@pytest.mark.parametrize("valued_between", [0, 1, 2])
async def test_an_act_that_was_taken_back_and_brought_back_came_in_once(living: Living, valued_between: int) -> None:
    """Told, taken back and brought back, with a session at 12 after the first or the second of them, or after none."""
    taken = await living.tell(arrived(3))
    if valued_between == 1:
        await session(living.pages, 3, "12")
    back = await living.tell(Reversed(reverses=taken.event_id))
    if valued_between == 2:
        await session(living.pages, 3, "12")
    await living.tell(Reversed(reverses=back.event_id))
    await session(living.pages, 4, "12")
    await session(living.pages, 5, "13")

    found = await asked(living.pages)

    assert (found.came_in - found.went_out, found.gain, found.unexplained) == (usd(101_200), usd(100), usd(0))
    assert lines(found) == {PRIOR: usd(100)}
