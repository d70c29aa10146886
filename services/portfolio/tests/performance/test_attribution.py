"""Lines of economic profit: figures by hand, and the identity that must hold for every day."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.portfolio.tests.performance.walking import usd

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.performance.attribution import (
    Attribution,
    Day,
    Held,
    Moved,
    PnlLine,
    Standing,
    Traded,
    attribute,
    beside,
    chained,
    translated,
)

ABC, XYZ = InstrumentId("ABC"), InstrumentId("XYZ")


def held(instrument: InstrumentId, quantity: int, price: str) -> Held:
    return Held(instrument, Quantity(quantity), Price.parse(price))


def adds_up(one: Attribution) -> bool:
    return one.start + one.flows + sum(one.lines.values(), Money.zero(one.start.currency)) + one.unexplained == one.end


def test_a_day_with_everything_in_it_by_hand() -> None:
    # Held 100 at 10, now 11: +100. Bought 50 at 10.40: 50 × 0.60 = +30, commission 1. A dividend of 20 less 3 tax; 500 paid in;
    # 10 of XYZ transferred in at 20 and now worth 21: +10.
    day = Day(
        before=Standing(usd(1_000), (held(ABC, 100, "10"),), dividend_accruals=usd(20)),
        after=Standing(usd(996), (held(ABC, 150, "11"), held(XYZ, 10, "21"))),
        traded=(Traded(ABC, Quantity(50), usd(-520), usd(1)),),
        entries=((PnlLine.DIVIDENDS, usd(20)), (PnlLine.WITHHOLDING_TAX, usd(-3))),
        deposits=(usd(500),),
        transfers=(Moved(XYZ, Quantity(10), usd(200)),),
    )

    found = attribute(day)

    assert found.lines == {
        PnlLine.PRIOR_POSITIONS: usd(100),
        PnlLine.TRANSACTIONS: usd(40),
        PnlLine.COMMISSIONS: usd(-1),
        PnlLine.DIVIDENDS: usd(20),
        PnlLine.WITHHOLDING_TAX: usd(-3),
        PnlLine.DIVIDEND_ACCRUALS: usd(-20),
    }
    assert (found.start, found.end, found.flows, found.profit) == (usd(2_020), usd(2_856), usd(700), usd(136))
    assert not found.unexplained and adds_up(found)


def test_a_sale_of_everything_without_a_closing_price_stays_whole() -> None:
    day = Day(Standing(usd(0), (held(ABC, 10, "10"),)), Standing(usd(119)), (Traded(ABC, Quantity(-10), usd(120), usd(1)),))

    found = attribute(day)

    assert found.lines == {PnlLine.TRANSACTIONS: usd(20), PnlLine.COMMISSIONS: usd(-1)}
    assert adds_up(found) and not found.unexplained


def test_bought_and_sold_within_the_day_needs_no_price() -> None:
    trades = (Traded(ABC, Quantity(10), usd(-100), usd(0)), Traded(ABC, Quantity(-10), usd(90), usd(0)))

    found = attribute(Day(Standing(usd(100)), Standing(usd(90)), trades))

    assert found.lines == {PnlLine.TRANSACTIONS: usd(-10)}
    with pytest.raises(ValueError, match="no price"):
        attribute(Day(Standing(usd(100)), Standing(usd(0)), trades[:1]))


def test_a_split_earns_nothing() -> None:
    day = Day(Standing(usd(0), (held(ABC, 10, "100"),)), Standing(usd(0), (held(ABC, 20, "50.5"),)), splits={ABC: (2, 1)})

    assert attribute(day).lines == {PnlLine.PRIOR_POSITIONS: usd(10)}


def test_a_contract_counts_its_multiplier() -> None:
    size = Quantity(100)
    before = Standing(usd(0), (Held(ABC, Quantity(-2), Price.parse("1.50"), size),))
    after = Standing(usd(0), (Held(ABC, Quantity(-2), Price.parse("1.20"), size),))

    assert attribute(Day(before, after)).lines == {PnlLine.PRIOR_POSITIONS: usd(60)}


def test_cash_and_units_that_nobody_accounts_for_are_shown_and_not_hidden() -> None:
    day = Day(Standing(usd(100), (held(ABC, 10, "10"),)), Standing(usd(107), (held(ABC, 11, "10"),)))

    found = attribute(day)

    assert found.unexplained == usd(17)
    assert found.lines == {} and adds_up(found)


def test_price_and_currency_effects_apart() -> None:
    # One share at 89.12 USD and 0.9238 CHF, then 116.45 at 0.8854: 24.197982 from the price, -3.422208 from the currency.
    own = attribute(Day(Standing(usd(0), (held(ABC, 1, "89.12"),)), Standing(usd(0), (held(ABC, 1, "116.45"),))))

    found = translated(own, "CHF", Decimal("0.9238"), Decimal("0.8854"))

    assert found.lines == {
        PnlLine.PRIOR_POSITIONS: Money(Decimal("24.197982"), "CHF"),
        PnlLine.CURRENCY: Money(Decimal("-3.422208"), "CHF"),
    }
    assert found.profit == Money(Decimal("20.775774"), "CHF") and adds_up(found)


def test_days_chain_and_a_gap_between_them_shows() -> None:
    first = attribute(Day(Standing(usd(100)), Standing(usd(101)), entries=((PnlLine.CREDIT_INTEREST, usd(1)),)))
    second = attribute(Day(Standing(usd(101)), Standing(usd(103)), entries=((PnlLine.CREDIT_INTEREST, usd(2)),)))

    whole = chained([first, second])

    assert whole.lines == {PnlLine.CREDIT_INTEREST: usd(3)} and not whole.unexplained and adds_up(whole)
    broken = chained([first, attribute(Day(Standing(usd(105)), Standing(usd(105))))])
    assert broken.unexplained == usd(4) and adds_up(broken)
    with pytest.raises(ValueError, match="at least one"):
        beside([])


quantities = st.integers(-1_000, 1_000)
prices = st.decimals("0.01", "5000", places=4)
trades = st.lists(st.tuples(st.sampled_from([ABC, XYZ]), quantities.filter(bool), prices, st.decimals("-1", "9", places=6)), max_size=12)
incomes = st.lists(st.tuples(st.sampled_from(list(PnlLine)), st.decimals("-500", "500", places=6)), max_size=6)


def a_day(
    start: tuple[int, int], opened: tuple[Decimal, Decimal], closed: tuple[Decimal, Decimal], dealt: list[tuple[InstrumentId, int, Decimal, Decimal]],
    earned: list[tuple[PnlLine, Decimal]], paid: int,
) -> Day:  # fmt: skip
    """A day whose end follows from what happened in it."""
    cash, owned = usd(10_000) + usd(paid), dict(zip((ABC, XYZ), start, strict=True))
    done = []
    for instrument, quantity, price, fee in dealt:
        done.append(Traded(instrument, Quantity(quantity), usd(-quantity * price), usd(fee)))
        cash += done[-1].moved - usd(fee)
        owned[instrument] += quantity
    for _, amount in earned:
        cash += usd(amount)
    before = tuple(Held(one, Quantity(n), Price(p)) for one, n, p in zip((ABC, XYZ), start, opened, strict=True))
    after = tuple(Held(one, Quantity(owned[one]), Price(p)) for one, p in zip((ABC, XYZ), closed, strict=True))
    entries = tuple((line, usd(amount)) for line, amount in earned)
    return Day(Standing(usd(10_000), before), Standing(cash, after), tuple(done), entries, (usd(paid),))


days = st.builds(
    a_day,
    st.tuples(quantities, quantities),
    st.tuples(prices, prices),
    st.tuples(prices, prices),
    trades,
    incomes,
    st.integers(-5_000, 5_000),
)


@given(days)
def test_the_lines_of_every_day_sum_to_the_change_less_the_flows(day: Day) -> None:
    found = attribute(day)

    assert not found.unexplained
    assert sum(found.lines.values(), usd(0)) == found.profit


@given(st.lists(days, min_size=1, max_size=4), st.decimals("0.0001", "200", places=6), st.decimals("0.0001", "200", places=6))
def test_currencies_in_one_base_still_add_up_to_the_last_digit(several: list[Day], before: Decimal, after: Decimal) -> None:
    found = beside([translated(attribute(day), "EUR", before, after) for day in several])

    assert adds_up(found) and not found.unexplained
    starts = sum((attribute(day).start for day in several), usd(0)).amount
    currency = found.lines.get(PnlLine.CURRENCY, Money.zero("EUR")).amount
    booked = sum((amount for day in several for line, amount in day.entries if line is PnlLine.CURRENCY), usd(0)).amount
    assert currency == pytest.approx(starts * (after - before) + booked * after, abs=Decimal("1e-9"))
