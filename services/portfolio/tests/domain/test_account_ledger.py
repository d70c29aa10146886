"""An account's ledger made of events: order, repetition and reversal, and what every action conserves."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import ACCOUNT, DAY, STOCK, USER, at, figures, fill, in_account, instrument, on, usd, used

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import FillId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.actions import Merger, Rename, ReturnOfCapital, SpinOff
from quantmatrix.portfolio.domain.arrivals import Arrival, Completion, Departure, Origin
from quantmatrix.portfolio.domain.book import rebuilt
from quantmatrix.portfolio.domain.events import Event, EventConflictError, Reversal, ShareSplit, What
from quantmatrix.portfolio.domain.keeping import LedgerRules
from quantmatrix.portfolio.domain.ledger import Ledger, booked
from quantmatrix.portfolio.domain.lots import Fill, Split
from quantmatrix.portfolio.domain.methods import LotMethod, LotMethods

CHILD = instrument("CHILD")


def event(what: What | Completion | Reversal, name: object = None) -> Event:
    match what:
        case Fill():
            return Event(what.fill_id, what)
        case Arrival():
            return Event(what.arrival_id, what)
        case _:
            return Event(derived_id("event", name or repr(what)), what)


def came(number: int, quantity: str, basis: str | None, acquired: str | None = None, origin: Origin = Origin.TRANSFER) -> Arrival:
    session = DAY + timedelta(days=number)
    return Arrival(
        FillId(derived_id("arrival", number)), ACCOUNT, USER, STOCK, origin, Quantity(Decimal(quantity)),
        None if basis is None else usd(basis), None if acquired is None else on(acquired), session, at(session),
    )  # fmt: skip


def state(ledger: Ledger) -> object:
    return ledger.lots, ledger.closings, ledger.cash, ledger.entered


BUY, SELL = fill(1, 100, "10"), fill(30, -50, "30")
SPLIT = ShareSplit(STOCK.instrument_id, Split(DAY + timedelta(days=10), 2, 1))


def test_events_are_booked_by_day_in_whatever_order_they_come() -> None:
    events = [event(BUY), event(SPLIT), event(SELL), event(fill(20, 10, "6"))]
    ledgers = [booked(order) for order in permutations(events)]

    assert figures(ledgers[0].lots.values()) == [(150, 750), (10, 60)]
    assert all(state(one) == state(ledgers[0]) for one in ledgers)


def test_an_event_counts_once() -> None:
    once = booked([event(BUY), event(SPLIT), event(SELL)])
    twice = booked([event(BUY), event(SPLIT), event(SPLIT), event(SELL), event(BUY)])

    assert state(once) == state(twice)


def test_one_id_cannot_say_two_things() -> None:
    with pytest.raises(EventConflictError, match="say different things"):
        booked([event(BUY), Event(BUY.fill_id, SELL)])


def test_a_ledger_is_of_one_account() -> None:
    with pytest.raises(EventConflictError, match="of one account"):
        booked([event(BUY), event(in_account(SELL, "B"))])


def test_a_wrong_action_is_reversed_and_brought_back() -> None:
    split, undo = event(SPLIT), Event(derived_id("undo"), Reversal(event(SPLIT).event_id))
    redo = Event(derived_id("redo"), Reversal(undo.event_id))
    facts = [event(BUY), event(SELL)]

    assert state(booked([*facts, split, undo])) == state(booked(facts))
    assert state(booked([undo, *facts, split])) == state(booked(facts))
    assert state(booked([*facts, split, undo, redo])) == state(booked([*facts, split]))


def test_a_reversal_cannot_reverse_itself() -> None:
    one, other = derived_id("one"), derived_id("other")

    with pytest.raises(EventConflictError, match="reverses itself"):
        booked([event(BUY), Event(one, Reversal(other)), Event(other, Reversal(one))])


def test_capital_returned_after_the_fact_changes_a_sale_that_was_booked() -> None:
    """B9: MAC, 41 @ 300.095, 42 @ 296.26, 47 @ 554.425 in total; 0.1407 of 83 units returned; 130 sold: basis 1,139.1019."""
    buys = [
        replace(fill("a", 41, "7", day="2020-05-01"), amount=usd("300.095")),
        replace(fill("b", 42, "7", day="2020-06-01"), amount=usd("296.26")),
        replace(fill("c", 47, "11", day="2020-11-02"), amount=usd("554.425")),
    ]
    sale = replace(fill("d", -130, "13", day="2021-02-01"), amount=usd("1697.295869"))
    before = booked([event(one) for one in (*buys, sale)])
    reclassified = ReturnOfCapital(derived_id("capital"), STOCK, on("2020-08-18"), Price.parse("0.1407"), booked_as_income=True)
    after = booked([*(event(one) for one in (*buys, sale)), event(reclassified)])

    assert before.realised("USD") == usd("546.515869")
    assert sum((one.known_basis.amount for one in after.closings), Decimal(0)) == Decimal("1139.1019")
    assert after.realised("USD") == usd("558.193969")
    assert after.cash == before.cash


def test_a_basis_that_is_supplied_late_is_as_if_it_had_been_known() -> None:
    unknown, known = came(1, "100", None), came(1, "100", "13983.94", "2018-02-02")
    facts = [event(fill(5, -40, "200")), event(SPLIT), event(fill(15, -60, "120")), event(fill(2, 10, "190"))]
    completion = event(Completion(unknown.arrival_id, usd("13983.94"), on("2018-02-02")))
    pending = booked([event(unknown), *facts])

    assert [one.realised for one in pending.closings] == [None, None] == [one.realised for one in pending.pending]
    assert pending.cash == {"USD": usd(40 * 200 + 60 * 120 - 1900)}
    assert state(booked([event(unknown), *facts, completion])) == state(booked([event(known), *facts]))


def test_an_opening_lot_of_unknown_date_goes_before_what_was_bought() -> None:
    """Detected opening inventory stands at the front of the queue."""
    ledger = booked([event(fill(1, 10, "66.61")), event(came(1, "10", None, origin=Origin.OPENING)), event(fill(2, -10, "70"))])

    assert used(ledger.closings) == [(10, None)]
    assert figures([one for one in ledger.lots.values() if one.quantity]) == [(10, Decimal("666.1"))]


def test_what_leaves_is_told_and_costs_nothing() -> None:
    out = Departure(FillId(derived_id("out")), STOCK, Quantity(30), DAY + timedelta(days=40), at(DAY + timedelta(days=40)))
    ledger = booked([event(BUY), event(SELL), event(out)])

    assert [(one.quantity.value, one.basis) for one in ledger.departures] == [(30, usd(300))]
    assert ledger.entered == {"USD": usd(-300)}
    assert ledger.cash["USD"] + ledger.basis("USD") == ledger.realised("USD") + ledger.entered["USD"]


def test_a_position_goes_through_rename_spin_off_and_merger() -> None:
    new, last = instrument("NEW"), instrument("LAST")
    days = [DAY + timedelta(days=10 * number) for number in range(1, 5)]
    ledger = booked(
        [
            event(BUY),
            event(Rename(derived_id("r"), STOCK, new, days[0])),
            event(SpinOff(derived_id("s"), new, CHILD, days[1], 1, 4, Price(9), Price(4))),
            event(Merger(derived_id("m"), new, last, days[2], 1, 2, usd("1"), Price(30))),
            event(fill("end", -50, "40", day=days[3], of=last)),
        ]
    )

    assert [figures(ledger.open_lots(one.instrument_id)) for one in (STOCK, new, CHILD, last)] == [[], [], [(25, 100)], []]
    # 900 left with the parent; 100 cash is gain (worth 1,600 against 900), so the new units keep 900; sold for 2,000.
    assert [one.realised for one in ledger.closings] == [usd(100), usd(1100)]
    assert ledger.cash == {"USD": usd(-1000 + 100 + 2000)}
    assert ledger.quantity(CHILD.instrument_id) == Quantity(25)


def test_a_trade_on_the_day_of_a_split_is_in_new_units_and_an_arrival_is_in_before_trades() -> None:
    split = ShareSplit(STOCK.instrument_id, Split(DAY + timedelta(days=1), 2, 1))
    ledger = booked([event(fill(1, -100, "6")), event(came(1, "100", "500", "2020-01-02")), event(split)])

    assert used(ledger.closings) == [(100, 100)]


quantities = st.one_of(st.integers(1, 500).map(Decimal), st.decimals("0.001", "300", places=3).filter(bool))
prices = st.decimals("0.01", "500", places=2)
ratios = st.sampled_from([(2, 1), (1, 10), (3, 2), (7, 1), (1, 3)])


@st.composite
def happenings(draw: st.DrawFn) -> list[What]:
    """Trades, arrivals and actions of one account on different days, long and short."""
    found: list[What] = []
    for number in range(draw(st.integers(1, 14))):
        day = DAY + timedelta(days=number)
        key = derived_id("action", number)
        of = draw(st.sampled_from([STOCK, CHILD]))
        other = CHILD if of is STOCK else STOCK
        match draw(st.integers(0, 10)):
            case 0:
                found.append(ShareSplit(of.instrument_id, Split(day, *draw(ratios))))
            case 1:
                found.append(SpinOff(key, of, other, day, *draw(ratios), Price(draw(prices)), Price(draw(prices))))
            case 2:
                cash = Money(draw(prices), "USD") if draw(st.booleans()) else usd(0)
                found.append(Merger(key, of, other, day, *draw(ratios), cash, Price(draw(prices)), draw(st.booleans())))
            case 3:
                found.append(Rename(key, of, other, day))
            case 4:
                found.append(ReturnOfCapital(key, of, day, Price(draw(prices)), draw(st.booleans())))
            case 5:
                found.append(came(number, str(draw(quantities)), str(draw(prices)), "2020-02-03"))
            case _:
                found.append(fill(number, draw(quantities) * draw(st.sampled_from([1, -1])), str(draw(prices)), "0.35", of=of))
    return found


methods = st.sampled_from(LotMethod).map(lambda method: LedgerRules(LotMethods(method)))


@settings(max_examples=250, deadline=None)
@given(happenings(), methods)
def test_no_action_makes_or_loses_basis(story: list[What], rules: LedgerRules) -> None:
    """Cash moved + basis left = gain + basis that came along, to the last digit, under every method."""
    ledger = booked([event(one) for one in story], rules)
    zero = usd(0)
    reclassified = [one for one in story if isinstance(one, ReturnOfCapital) and one.booked_as_income]
    if reclassified:
        story = [replace(one, booked_as_income=False) if isinstance(one, ReturnOfCapital) else one for one in story]
        ledger = booked([event(one) for one in story], rules)

    assert ledger.cash.get("USD", zero) + ledger.basis("USD") == ledger.realised("USD") + ledger.entered.get("USD", zero)


@settings(max_examples=150, deadline=None)
@given(happenings(), methods, st.randoms(use_true_random=False))
def test_the_order_of_events_changes_nothing(story: list[What], rules: LedgerRules, random: object) -> None:
    events = [event(one) for one in story]
    shuffled = [*events, *events[:3]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert state(booked(events, rules)) == state(booked(shuffled, rules))


@settings(max_examples=150, deadline=None)
@given(happenings(), methods, st.data())
def test_what_is_reversed_never_was(story: list[What], rules: LedgerRules, data: st.DataObject) -> None:
    events = [event(one) for one in story]
    wrong = data.draw(st.sampled_from(events))
    undo = Event(derived_id("undo"), Reversal(wrong.event_id))

    assert state(booked([*events, undo], rules)) == state(booked([one for one in events if one is not wrong], rules))


@settings(max_examples=100, deadline=None)
@given(happenings())
def test_the_ledger_and_the_book_of_the_live_path_agree(story: list[What]) -> None:
    """Trades and splits of one instrument: what handlers book one by one is what the ledger makes."""
    facts = [one for one in story if isinstance(one, Fill) and one.instrument == STOCK]
    splits = [one for one in story if isinstance(one, ShareSplit) and one.instrument_id == STOCK.instrument_id]
    in_time: list[Fill | Split] = sorted(
        [*facts, *(one.split for one in splits)], key=lambda one: one.effective if isinstance(one, Split) else one.session
    )
    book, ledger = rebuilt("USD", in_time), booked([event(one) for one in (*facts, *splits)])

    assert {key: one for key, one in book.lots.items() if one.quantity} == {
        one.lot_id: one for one in ledger.open_lots(STOCK.instrument_id)
    }
    assert (book.realised or usd(0)) == ledger.realised("USD")
    assert (book.cash or usd(0)) == ledger.cash.get("USD", usd(0))
