"""What moves a run's capital besides its trades: cycles as in the worked example, capital given and taken back, deposits; and what a stop takes back."""

from typing import Any

import pytest
from services.signals.tests.floor import WARM, Floor, Market
from services.signals.tests.test_run_life import RUN, change, start, the_run

from quantmatrix.common.contracts.commands import FundRun
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.orders import BreakResolved, OrderCancelled
from quantmatrix.common.contracts.signals import CycleCompleted, RunChanged, RunFunded, RunRefused, RunStarted, SignalWithdrawn
from quantmatrix.common.ids import derived_id, order_of
from quantmatrix.common.names import OrderId, RunAct, RunState, Side
from quantmatrix.common.testing.examples import USER, like, usd
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.ledger import summed
from quantmatrix.signals.domain.run import triggered_by
from quantmatrix.signals.testing import BuyOneLot

AMOUNTS = ("base", "reserve", "realised", "cash", "invested")


@pytest.fixture
async def floor(database: Any) -> Floor:
    made = Floor(await database.connect("signals"), Market(), BuyOneLot, default="")
    await made.open()
    return made


def fund(amount: str, number: int = 1, *, currency: str = "USD", **changes: Any) -> FundRun:
    asked = {"command_id": derived_id("fund", number), "run_id": RUN, "amount": Money.parse(amount, currency), "reason": "more room"}
    return like(FundRun, **{**asked, **changes})


async def gain(floor: Floor, amount: str, number: int) -> list[Any]:
    """The run buys one share at 100 and sells it so much dearer, without fees. Returns what is said to the sale."""
    said: list[Any] = []
    for side, price in ((Side.BUY, Price(100)), (Side.SELL, Price(100) + Price.parse(amount))):
        own = derived_id("a share", number, side)
        said = await floor.pages.hear(
            like(
                OrderFilled, fill_id=own, order_id=OrderId(own), side=side, quantity=Quantity(1), price=price, fee=usd("0"), leaves=Quantity(0),
                triggered_by=triggered_by("buy_one_lot", RUN),
            )
        )  # fmt: skip
    return said


async def test_four_cycles_book_the_rows_of_the_worked_example(floor: Floor) -> None:
    """Twenty percent profit of which eighty are reinvested, from 10,000: OURS in the definitions, after every cycle to the cent."""
    await floor.pages.hear(start(profit_target="0.2", reinvest="0.8"))
    told = []
    for number, amount in enumerate(("2000", "2320", "2691.20", "3121.79"), start=1):
        (said,) = await gain(floor, amount, number)
        assert isinstance(said, CycleCompleted) and said.cycle == number
        told.append((said.profit, said.reinvested, said.reserved, said.base, said.reserve))

    def amounts(*row: str) -> tuple[Money, ...]:
        return tuple(usd(one) for one in row)

    assert told == [
        amounts("2000", "1600", "400", "11600", "400"),
        amounts("2320", "1856", "464", "13456", "864"),
        amounts("2691.20", "2152.96", "538.24", "15608.96", "1402.24"),
        amounts("3121.79", "2497.43", "624.36", "18106.39", "2026.60"),
    ]
    run = await the_run(floor)
    rows = [row.entry for row in await floor.ledger.entries(RUN)]
    cycles = [row for row in rows if row.kind == "cycle"]
    assert [(row.base, row.reserve, row.realised, row.cash, row.cycle) for row in cycles] == [
        (two, three, -one, -three, number) for number, (one, two, three, *_) in enumerate(told, start=1)
    ]
    assert summed(rows, "USD") == run.capital and run.cash == usd("18106.39")


async def test_a_profit_a_cent_short_ends_no_cycle(floor: Floor) -> None:
    await floor.pages.hear(start(profit_target="0.2", reinvest="0.8"))

    assert await gain(floor, "1999.99", 1) == []
    assert (await the_run(floor)).capital.cycle == 0
    (said,) = await gain(floor, "0.01", 2)
    assert isinstance(said, CycleCompleted) and said.profit == usd("2000")


async def test_capital_is_given_and_taken_back_as_rows_of_the_ledger(floor: Floor) -> None:
    await floor.pages.hear(start())
    (given,) = await floor.pages.hear(fund("2500"))
    (taken,) = await floor.pages.hear(fund("-4000", 2))

    assert isinstance(given, RunFunded) and (given.amount, given.base) == (usd("2500"), usd("12500"))
    assert isinstance(taken, RunFunded) and (taken.amount, taken.base) == (usd("-4000"), usd("8500"))
    run = await the_run(floor)
    assert (run.cash, run.capital.base, run.capital.realised, run.entries) == (usd("8500"), usd("8500"), usd("0"), 3)
    assert [row.entry.kind for row in await floor.ledger.entries(RUN)] == ["opened", "funded", "funded"]
    (account,) = await floor.ledger.accounts(USER)
    assert account.free == usd("91500")


async def test_a_cycle_ends_at_a_share_of_the_capital_given_so_far(floor: Floor) -> None:
    await floor.pages.hear(start(profit_target="0.2", reinvest="0.8"))
    await floor.pages.hear(fund("5000"))

    assert await gain(floor, "2999.99", 1) == []
    (said,) = await gain(floor, "0.01", 2)
    assert isinstance(said, CycleCompleted) and said.base == usd("17400")


async def test_the_same_funding_twice_counts_once(floor: Floor) -> None:
    await floor.pages.hear(start())
    await floor.pages.hear(fund("2500"))

    assert await floor.pages.hear(fund("2500")) == []
    assert (await the_run(floor)).capital.base == usd("12500")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (fund("90000.01"), "ENVELOPE_EXCEEDS_CASH"),
        (fund("-10000.01"), "ENVELOPE_IN_USE"),
        (fund("-10000"), "ENVELOPE_IN_USE"),
        (fund("0"), "CAPITAL"),
        (fund("5", currency="EUR"), "CAPITAL_CURRENCY"),
    ],
)
async def test_capital_that_is_not_there_is_refused_with_its_figures(floor: Floor, command: FundRun, code: str) -> None:
    await floor.pages.hear(start())
    (said,) = await floor.pages.hear(command)

    assert isinstance(said, RunRefused) and said.code == code and said.detail
    assert (await the_run(floor)).entries == 1


async def test_what_is_invested_cannot_be_taken_back(floor: Floor) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)
    await floor.filled(signal)

    (said,) = await floor.pages.hear(fund("-9950"))

    assert isinstance(said, RunRefused) and said.code == "ENVELOPE_IN_USE"


async def test_what_is_ordered_for_cannot_be_taken_back(floor: Floor) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)
    assert signal.price is not None
    free = usd("10000") - Money(signal.price.value, "USD")

    (refused,) = await floor.pages.hear(fund(str(-(free.amount + 1))))
    (taken,) = await floor.pages.hear(fund(str(-free.amount), 2))
    await floor.filled(signal)

    assert isinstance(refused, RunRefused) and refused.code == "ENVELOPE_IN_USE" and f"{free} of its capital are free" in refused.detail
    assert isinstance(taken, RunFunded) and taken.amount == -free
    assert (await the_run(floor)).cash == usd("-1"), "the commission alone, which nobody knows before"


async def test_a_run_with_purchases_under_way_may_be_given_more(floor: Floor) -> None:
    await floor.pages.hear(start(capital=usd("150")))
    await floor.day(WARM)

    (said,) = await floor.pages.hear(fund("100"))

    assert isinstance(said, RunFunded) and said.base == usd("250")


async def test_a_stopped_run_and_a_strangers_get_nothing(floor: Floor) -> None:
    await floor.pages.hear(start())
    assert await floor.pages.hear(fund("100", user_id=derived_id("somebody else"))) == []
    await floor.pages.hear(change(RunAct.KEEP))

    (said,) = await floor.pages.hear(fund("100", 2))

    assert isinstance(said, RunRefused) and said.code == "RUN_STATE"


async def test_a_deposit_that_was_accepted_makes_room_for_a_run(floor: Floor) -> None:
    (refused,) = await floor.pages.hear(start(capital=usd("100500")))
    await floor.pages.hear(like(BreakResolved, subject_of_break="cash", accepted=True, cash=usd("600")))
    (account,) = await floor.ledger.accounts(USER)
    (started,) = await floor.pages.hear(start(capital=usd("100500"), run_id=derived_id("another"), command_id=derived_id("again")))

    assert isinstance(refused, RunRefused) and refused.code == "ENVELOPE_EXCEEDS_CASH"
    assert (account.cash, account.free) == (usd("100600"), usd("100600"))
    assert isinstance(started, RunStarted)


async def test_a_withdrawal_leaves_less_and_other_differences_change_nothing(floor: Floor) -> None:
    await floor.pages.hear(like(BreakResolved, subject_of_break="cash", accepted=True, cash=usd("-250")))
    await floor.pages.hear(like(BreakResolved, subject_of_break="position XNYS-ABC", accepted=True, cash=None))

    (account,) = await floor.ledger.accounts(USER)
    assert account.cash == usd("99750")


@pytest.mark.parametrize(("act", "state"), [(RunAct.FLATTEN, RunState.STOPPING), (RunAct.KEEP, RunState.STOPPED)])
async def test_a_stop_takes_purchases_under_way_back(floor: Floor, act: RunAct, state: RunState) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)

    changed, withdrawn = await floor.pages.hear(change(act))

    assert isinstance(changed, RunChanged) and changed.state is state
    assert isinstance(withdrawn, SignalWithdrawn) and withdrawn.signal_id == signal.signal_id
    assert withdrawn.key() == signal.key() and "holiday" in withdrawn.reason


async def test_a_stop_whose_purchase_was_cancelled_is_over_on_the_next_bar(floor: Floor) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)
    await floor.pages.hear(change(RunAct.FLATTEN))
    await floor.pages.hear(like(OrderCancelled, order_id=order_of(signal.signal_id)))

    assert await floor.day(WARM + 1) == []
    assert (await the_run(floor)).state is RunState.STOPPED


async def test_a_pause_and_a_sale_under_way_take_nothing_back(floor: Floor) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)
    assert [type(one) for one in await floor.pages.hear(change(RunAct.PAUSE))] == [RunChanged]
    await floor.filled(signal)

    said = await floor.pages.hear(change(RunAct.FLATTEN, reason="over"))

    assert not [one for one in said if isinstance(one, SignalWithdrawn)]
