"""Runs that people start: what they own, what they share, how they are paused and stopped, and what corrections do to them."""

from typing import Any

import pytest
from services.signals.tests.floor import SESSIONS, WARM, Floor, Market

from quantmatrix.common.contracts.asking.runs import ProposalAsked
from quantmatrix.common.contracts.commands import ChangeRun, StartRun
from quantmatrix.common.contracts.fills import FillCorrected, OrderFilled
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.signals import CycleCompleted, RunChanged, RunRefused, RunStarted
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import OrderId, RunAct, RunId, RunState, Side, SignalKind
from quantmatrix.common.testing.examples import ACCOUNT, INSTRUMENT, USER, like, usd
from quantmatrix.common.values import Price, Quantity
from quantmatrix.signals.domain.ledger import summed
from quantmatrix.signals.domain.run import Run
from quantmatrix.signals.testing import BuyOneLot

RUN = RunId(derived_id("a run of a person"))
STOCK = INSTRUMENT.instrument_id


def start(**changes: Any) -> StartRun:
    asked = {"strategy": "buy_one_lot", "capital": usd("10000"), "parameters": {}, "run_id": RUN, "command_id": derived_id("start")}
    return like(StartRun, **{**asked, **changes})


def change(act: RunAct, run_id: RunId = RUN, reason: str = "holiday", **changes: Any) -> ChangeRun:
    return like(ChangeRun, command_id=derived_id(act, reason), run_id=run_id, act=act, reason=reason, **changes)


async def the_run(floor: Floor) -> Run:
    found = await floor.ledger.run(RUN)
    assert found is not None
    return found


@pytest.fixture
async def floor(database: Any) -> Floor:
    """A paper account of 100,000 on which no default run takes everything."""
    made = Floor(await database.connect("signals"), Market(), BuyOneLot, default="")
    await made.open()
    return made


async def test_a_run_starts_with_its_envelope_and_its_first_row(floor: Floor) -> None:
    (said,) = await floor.pages.hear(start(sentence="run it"))

    run = await the_run(floor)
    assert isinstance(said, RunStarted) and (said.run_id, said.base, said.sentence) == (RUN, usd("10000"), "run it")
    assert (run.state, run.capital.base, run.cash, run.entries) == (RunState.RUNNING, usd("10000"), usd("10000"), 1)
    (account,) = await floor.ledger.accounts(USER)
    assert account.free == usd("90000")


async def test_the_same_command_twice_is_one_run(floor: Floor) -> None:
    await floor.pages.hear(start())
    again = await floor.pages.hear(start())

    assert again == [] and len(await floor.store.runs()) == 1
    assert len(await floor.ledger.entries(RUN)) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"capital": usd("100000.01")}, "ENVELOPE_EXCEEDS_CASH"),
        ({"strategy": "no_such"}, "STRATEGY_UNKNOWN"),
        ({"account_id": "PAPER-9"}, "ACCOUNT_UNKNOWN"),
        ({"user_id": derived_id("somebody else")}, "ACCOUNT_UNKNOWN"),
        ({"parameters": {"size": "3"}}, "PARAMETERS"),
        ({"parameters": {"size": "{"}}, "PARAMETERS"),
        ({"parameters": {"exits": '{"trail_pct": 90}'}}, "PARAMETERS"),
        ({"profit_target": "NaN"}, "PARAMETERS"),
        ({"profit_target": "0.2", "reinvest": "1.5"}, "PARAMETERS"),
        ({"capital": usd("0")}, "CAPITAL"),
    ],
)
async def test_what_cannot_be_is_refused_whole_and_with_its_reason(floor: Floor, changes: dict[str, Any], code: str) -> None:
    (said,) = await floor.pages.hear(start(**changes))

    assert isinstance(said, RunRefused) and said.code == code and said.detail
    assert await floor.store.runs() == [] and await floor.ledger.entries(RUN) == []


async def test_several_runs_share_an_account_and_each_counts_its_own_trades(floor: Floor) -> None:
    other = RunId(derived_id("another"))
    await floor.pages.hear(start())
    await floor.pages.hear(start(run_id=other, capital=usd("90000"), command_id=derived_id("start", 2)))
    (refused,) = await floor.pages.hear(start(run_id=RunId(derived_id("third")), capital=usd("0.01"), command_id=derived_id("start", 3)))

    one, two = await floor.day(WARM)
    await floor.filled(one)

    assert isinstance(refused, RunRefused)
    assert {one.run_id, two.run_id} == {RUN, other} and one.triggered_by != two.triggered_by
    first, second = [await floor.ledger.run(signal.run_id) for signal in (one, two)]
    assert first is not None and second is not None
    assert first.cash < first.capital.base and second.cash == second.capital.base
    assert await floor.store.holdings(two.run_id) == {}


async def test_a_fill_heard_twice_counts_once(floor: Floor) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)
    fill = await floor.filled(signal)
    before = await the_run(floor)

    await floor.pages.hear(fill)

    assert await the_run(floor) == before
    (account,) = await floor.ledger.accounts(USER)
    assert account.cash.amount == 100_000 - floor.market.close(WARM).value - 1


async def test_a_persons_own_trade_moves_what_is_free_and_no_run(floor: Floor) -> None:
    await floor.pages.hear(start())
    await floor.pages.hear(
        like(OrderFilled, order_id=OrderId(derived_id("mine")), quantity=Quantity(10), price=Price(100), triggered_by="manual")
    )

    (account,) = await floor.ledger.accounts(USER)
    assert account.free == usd("88999.00") and (await the_run(floor)).cash == usd("10000")


async def test_a_correction_of_a_persons_own_trade_moves_what_is_free_once(floor: Floor) -> None:
    """10 shares at 100, then at 90, then taken back; a fee of one dollar each time but the last."""
    own = OrderId(derived_id("mine"))
    bought = like(
        OrderFilled, fill_id=derived_id("mine", 1), order_id=own, side=Side.BUY, quantity=Quantity(10), price=Price(100), fee=usd("1"),
        triggered_by="manual",
    )  # fmt: skip
    told = {"order_id": own, "side": Side.BUY, "price": Price(90), "triggered_by": "manual"}
    cheaper = like(FillCorrected, fill_id=derived_id("mine", 2), corrects=bought.fill_id, quantity=Quantity(10), fee=usd("1"), **told)
    busted = like(FillCorrected, fill_id=derived_id("mine", 3), corrects=cheaper.fill_id, quantity=Quantity(0), fee=usd("0"), **told)
    free = []
    for message in (bought, bought, cheaper, cheaper, busted, busted):
        await floor.pages.hear(message)
        (account,) = await floor.ledger.accounts(USER)
        free.append(account.free)

    assert free == [usd(amount) for amount in ("98999", "98999", "99099", "99099", "100000", "100000")]


async def test_a_purchase_beyond_the_envelope_is_told_and_not_made(floor: Floor) -> None:
    await floor.pages.hear(start(capital=usd("50")))

    (signal,) = await floor.day(WARM)

    assert signal.kind is SignalKind.ENTRY and signal.side is None
    assert signal.reasons[-1].code == "BUYING_POWER" and not signal.reasons[-1].met
    assert await floor.store.working_of(RUN) == []


async def test_a_cycle_ends_once_and_is_told_with_its_figures(floor: Floor) -> None:
    await floor.pages.hear(start(profit_target="0.2", reinvest="0.8", capital=usd("1000")))
    (signal,) = await floor.day(WARM)
    assert signal.price is not None
    await floor.filled(signal)
    run = await the_run(floor)
    await floor.pages.hear(change(RunAct.FLATTEN))
    sale = next(one for one in floor.pages.said if getattr(one, "side", None) is Side.SELL)
    wanted = Price(signal.price.value + 202)  # 200 of profit after one dollar for each of the two orders
    said = await floor.filled_said(sale, price=wanted)  # type: ignore[arg-type]

    (told,) = [one for one in said if isinstance(one, CycleCompleted)]
    after = await the_run(floor)
    assert run.capital.cycle == 0
    assert (told.cycle, told.profit, told.reinvested, told.reserved) == (1, usd("200"), usd("160"), usd("40"))
    assert (after.capital.base, after.capital.reserve, after.capital.realised) == (usd("1160"), usd("40"), usd("0"))
    assert after.cash == usd("1160") and after.capital.cycle == 1
    rows = [row.entry for row in await floor.ledger.entries(RUN)]
    assert [str(row.kind) for row in rows] == ["opened", "bought", "sold", "cycle"]
    assert summed(rows, "USD") == after.capital


async def test_a_paused_run_enters_nothing_and_goes_on_when_it_is_resumed(floor: Floor) -> None:
    await floor.pages.hear(start())
    (said,) = await floor.pages.hear(change(RunAct.PAUSE))

    assert isinstance(said, RunChanged) and (said.state, said.reason) == (RunState.PAUSED, "holiday")
    assert await floor.pages.hear(change(RunAct.PAUSE, reason="again")) == []
    assert await floor.day(WARM) == []
    floor.restart()
    assert await floor.day(WARM + 1) == []
    await floor.pages.hear(change(RunAct.RESUME))
    assert len(await floor.day(WARM + 2)) == 1


async def test_a_stop_sells_what_is_held_and_is_over_when_it_is_sold(floor: Floor) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)
    await floor.filled(signal)
    await floor.day(WARM + 1)

    changed, sale = await floor.pages.hear(change(RunAct.FLATTEN))

    assert isinstance(changed, RunChanged) and changed.state is RunState.STOPPING
    assert (sale.kind, sale.side, sale.quantity, sale.session) == (SignalKind.EXIT, Side.SELL, signal.quantity, SESSIONS[WARM + 1])  # type: ignore[attr-defined]
    assert await floor.day(WARM + 2) == []  # the sale is under way: nothing is sold twice
    await floor.filled(sale)  # type: ignore[arg-type]
    assert await floor.day(WARM + 3) == []
    run = await the_run(floor)
    assert run.state is RunState.STOPPED and run.reason == "holiday"
    (account,) = await floor.ledger.accounts(USER)
    assert account.free == account.cash


async def test_what_fills_after_the_stop_is_sold_on_the_next_bar(floor: Floor) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)
    await floor.pages.hear(change(RunAct.FLATTEN))
    floor.restart()
    await floor.filled(signal)

    (sale,) = await floor.day(WARM + 1)

    assert (sale.kind, sale.side, sale.quantity) == (SignalKind.EXIT, Side.SELL, signal.quantity)
    assert sale.reasons[0].code == "RUN_STOPPED"


async def test_a_stop_that_keeps_leaves_the_position_and_decides_nothing_more(floor: Floor) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)
    await floor.filled(signal)

    (said,) = await floor.pages.hear(change(RunAct.KEEP))

    assert isinstance(said, RunChanged) and said.state is RunState.STOPPED
    assert await floor.day(WARM + 1) == []
    assert set(await floor.store.holdings(RUN)) == {STOCK}
    assert await floor.pages.hear(change(RunAct.RESUME)) == []


async def test_nobody_changes_the_run_of_somebody_else(floor: Floor) -> None:
    await floor.pages.hear(start())

    assert await floor.pages.hear(change(RunAct.KEEP, user_id=derived_id("somebody else"))) == []
    assert (await the_run(floor)).state is RunState.RUNNING


async def test_a_corrected_price_changes_the_cash_as_if_it_had_been_heard_first(floor: Floor) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)
    wrong = await floor.filled(signal)
    correction = await floor.corrected(wrong, price=Price(wrong.price.value + 5))
    await floor.pages.hear(correction)

    run = await the_run(floor)
    holding = (await floor.store.holdings(RUN))[STOCK]
    paid = wrong.price.value + 5 + 1
    assert run.cash.amount == 10_000 - paid and run.capital.invested.amount == paid
    assert (holding.quantity, holding.stop_level, holding.cost) == (wrong.quantity, 1.0, usd(str(paid)))
    rows = [row.entry for row in await floor.ledger.entries(RUN)]
    assert [str(row.kind) for row in rows] == ["opened", "bought", "corrected"] and summed(rows, "USD") == run.capital
    (account,) = await floor.ledger.accounts(USER)
    assert account.cash.amount == 100_000 - paid


async def test_a_busted_fill_leaves_the_run_as_it_was(floor: Floor) -> None:
    await floor.pages.hear(start())
    (signal,) = await floor.day(WARM)
    wrong = await floor.filled(signal)
    await floor.corrected(wrong, quantity=Quantity(0), fee=usd("0"))

    run = await the_run(floor)
    assert run.cash == run.capital.base == usd("10000") and run.capital.invested == usd("0")
    assert await floor.store.holdings(RUN) == {}
    assert len(await floor.day(WARM + 1)) == 1


async def test_a_correction_of_a_fill_that_no_run_made_changes_nothing(floor: Floor) -> None:
    await floor.pages.hear(start())
    manual = like(OrderFilled, order_id=OrderId(derived_id("mine")), triggered_by="manual")
    await floor.pages.hear(manual)
    await floor.corrected(manual, quantity=Quantity(0), fee=usd("0"))

    assert (await the_run(floor)).cash == usd("10000")


async def test_a_sentence_becomes_a_proposal_and_the_first_word_that_is_wrong_is_named(floor: Floor) -> None:
    asked = ProposalAsked(user_id=USER, sentence="run buy one lot on paper, $10k, 20% profit, 80% reinvest")
    good = await floor.proposed(asked)
    on_tasty = await floor.proposed(ProposalAsked(user_id=USER, sentence="run buy one lot on tastytrade, $10k"))
    unknown = await floor.proposed(ProposalAsked(user_id=USER, sentence="run buy two lots on paper, $10k"))
    weekly = await floor.proposed(ProposalAsked(user_id=USER, sentence="run buy one lot on paper, $10k, weekly rebalancing"))
    rich = await floor.proposed(ProposalAsked(user_id=USER, sentence="run buy one lot on paper, $1m"))

    assert good.proposal is not None and good.problem is None
    assert (good.proposal.account_id, good.proposal.capital, good.proposal.free) == (ACCOUNT, usd("10000"), usd("100000"))
    assert (good.proposal.profit_target, good.proposal.reinvest) == ("0.2", "0.8")
    assert '"take_profit_pct": 20.0' in good.proposal.parameters["exits"]
    assert on_tasty.problem is not None and on_tasty.problem.part == "tastytrade" and on_tasty.problem.possible == ("PAPER-1 at paper",)
    assert unknown.problem is not None and unknown.problem.part == "buy two lots" and unknown.problem.possible == ("Buy one lot",)
    assert weekly.problem is not None and weekly.problem.part == "rebalancing"
    assert rich.problem is not None and rich.problem.code == "ENVELOPE_EXCEEDS_CASH"


async def test_a_live_account_can_be_given_a_run_too(floor: Floor) -> None:
    await floor.pages.hear(like(AccountOpened, account_id="LIVE-1", broker="tastytrade", paper=False, cash=usd("5000")))

    found = await floor.proposed(ProposalAsked(user_id=USER, sentence="run buy one lot on tastytrade, $5k"))

    assert found.proposal is not None and found.proposal.account_id == "LIVE-1"
    assert any("live" in note for note in found.proposal.notes)
