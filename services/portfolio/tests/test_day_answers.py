"""What one session came to, from a real database, against sums by hand."""

from datetime import timedelta

from msgspec import structs
from services.portfolio.tests.living import STOCK, Living, at, valued
from services.portfolio.tests.living import on as living_on
from services.portfolio.tests.test_booking import DAY, filled, opened, split
from services.portfolio.tests.test_performance_answers import STRANGER, session, three_days

from quantmatrix.common.contracts.asking.acts import CapitalReturned
from quantmatrix.common.contracts.asking.days import BookedDay, BookedDayAsked
from quantmatrix.common.names import Side, UserId
from quantmatrix.common.testing.examples import USER, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Price, Quantity
from quantmatrix.portfolio.day_answers import booked_day


async def on(pages: Pages, number: int, user: UserId = USER) -> tuple[BookedDay, ...]:
    asked = BookedDayAsked(user_id=user, session=DAY + timedelta(days=number))
    return (await booked_day(asked, pages.connection)).days


async def test_a_session_has_what_its_executions_closed_with_the_fees_of_both_ends(pages: Pages) -> None:
    await three_days(pages)

    (day,) = await on(pages, 2)

    # 40 of 100 that cost 1,000 and a fee of 1, sold at 12 with a fee of 1: 479 - 400.40.
    (one,) = day.exits
    assert (one.opening, one.quantity, one.net, one.fees, one.staked) == (Side.BUY, Quantity(40), usd("78.60"), usd("1.40"), usd("400.40"))
    assert (one.entry, one.exit) == (Price.parse("10"), Price.parse("12"))
    assert (day.start, day.flows, day.end, day.gain) == (usd("100099"), usd(0), usd("100228"), usd("129"))
    assert [(held.quantity, held.value) for held in day.positions] == [(Quantity(60), usd("750"))]
    # 100 at the 11 of the evening before; at 12 only 60 were left.
    assert day.peak_exposure == usd("1100")


async def test_the_opening_of_an_account_is_a_flow_of_its_first_session(pages: Pages) -> None:
    await three_days(pages)

    (day,) = await on(pages, 1)

    assert (day.start, day.flows, day.gain) == (usd(0), usd("100000"), usd("99"))
    assert day.exits == () and day.peak_exposure == usd("1100")


async def test_an_earlier_session_stays_the_same_whatever_comes_later(pages: Pages) -> None:
    await opened(pages)
    await session(pages, 1, "11", filled(1, 100, "10", "1"))
    await session(pages, 2, "12.50", filled(2, -40, "12", "1"))
    before = await on(pages, 2)

    await session(pages, 3, "9", filled(3, -60, "9", "1"))

    assert await on(pages, 2) == before


async def test_a_purchase_and_its_sale_within_a_session_were_held(pages: Pages) -> None:
    await opened(pages)
    bought = filled(1, 100, "10", "1")
    sold = structs.replace(filled(2, -100, "10.50", "1"), session=bought.session, executed_at=bought.executed_at + timedelta(minutes=5))
    await session(pages, 1, "11", bought, sold)

    (day,) = await on(pages, 1)

    assert [(one.net, one.fees) for one in day.exits] == [(usd("48"), usd("2"))]
    assert day.positions == () and day.peak_exposure == usd("1000")


async def test_a_covered_short_sale_gains_what_it_brought_less_what_it_cost(pages: Pages) -> None:
    await opened(pages)
    await session(pages, 1, "10", filled(1, -100, "10", "1"))
    await session(pages, 2, "8", filled(2, 100, "8", "1"))

    (day,) = await on(pages, 2)

    # 999 came in, 801 went out.
    (one,) = day.exits
    assert (one.opening, one.net, one.staked, one.fees) == (Side.SELL, usd("198"), usd("999"), usd("2"))
    assert (one.entry, one.exit) == (Price.parse("10"), Price.parse("8"))


async def test_fees_above_what_a_sale_brings_are_lost_too(pages: Pages) -> None:
    await opened(pages)
    await session(pages, 1, "3", filled(1, 1, "3", "1"))
    await session(pages, 2, "0.50", filled(2, -1, "0.50", "1.20"))
    await session(pages, 3, "0.50", filled(3, -1, "0.50", "1.20"))
    await session(pages, 4, "0.20", filled(4, 1, "0.20", "1"))

    (bought,), (sold,) = [day.exits for number in (2, 4) for day in await on(pages, number)]

    # It cost 4 and the sale came to -0.70; sold first it brought -0.70 and cost 1.20.
    assert (bought.net, bought.staked, bought.fees, bought.entry) == (usd("-4.70"), usd("4"), usd("2.20"), Price.parse("3"))
    assert (sold.net, sold.staked, sold.fees, sold.entry) == (usd("-1.90"), usd("-0.70"), usd("2.20"), Price.parse("0.5"))


async def test_what_was_held_is_counted_in_units_from_after_a_split_of_the_session(pages: Pages) -> None:
    await opened(pages)
    await session(pages, 1, "1", filled(1, 100, "1", "1"))
    await pages.hear(split(2, 1, 10))
    await session(pages, 2, "10", filled(2, -5, "10", "1"))

    (day,) = await on(pages, 2)

    # 100 at 1 became 10 at 10, of which 5 were left.
    assert day.peak_exposure == usd("100")
    assert [(one.quantity, one.net) for one in day.exits] == [(Quantity(5), usd("-1.50"))]


async def test_a_return_of_capital_above_the_basis_is_a_gain_of_the_day_and_no_trade(pages: Pages) -> None:
    living = await Living(pages).open()
    await living.trade(1, 100, "10")
    await valued(pages.connection, living_on(1), at(1, 60))
    await living.tell(CapitalReturned(instrument=STOCK, effective=living_on(10), per_unit=Price(12)))
    await valued(pages.connection, living_on(10), at(10, 60))

    (day,) = (await booked_day(BookedDayAsked(user_id=USER, session=living_on(10)), pages.connection)).days

    assert (day.exits, day.pending, day.gain) == ((), 0, usd(1_200))


async def test_a_session_that_was_not_valued_and_a_stranger_have_none(pages: Pages) -> None:
    await three_days(pages)

    assert await on(pages, 9) == () and await on(pages, 2, STRANGER) == ()
