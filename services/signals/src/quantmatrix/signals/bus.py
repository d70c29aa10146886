"""Signals' face towards NATS: what it hears, what it answers. What it says stands in `contracts/signals.py`."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from quantmatrix.common.contracts.asking.backtests import (
    BacktestAsked,
    BacktestLuckAsked,
    BacktestPageAsked,
    BacktestResumeWanted,
    BacktestsAsked,
    BacktestUnwanted,
    BacktestWanted,
    ComparisonAsked,
    LookaheadsAsked,
)
from quantmatrix.common.contracts.asking.briefing import HoldingAlertsAsked, MorningAsked
from quantmatrix.common.contracts.asking.days import DecidedDayAsked
from quantmatrix.common.contracts.asking.ledger import LedgerDigest, LedgerDigestAsked
from quantmatrix.common.contracts.asking.runs import FollowUpsAsked, ProposalAsked, RunDetailsAsked, StrategiesAsked, VerdictsAsked
from quantmatrix.common.contracts.asking.scans import AdviceAsked, ScanAsked, WatchlistAsked
from quantmatrix.common.contracts.asking.signals import ChartAsked, Runs, RunsAsked, RunSummary, Signals, SignalsAsked
from quantmatrix.common.contracts.asking.volatility import AtrAsked, PortfolioAtrAsked
from quantmatrix.common.contracts.asking.work import CrewAsked, JobBeat, JobDataAsked, JobDone
from quantmatrix.common.contracts.codec import decode_as
from quantmatrix.common.contracts.commands import ChangeRun, FundRun, StartRun
from quantmatrix.common.contracts.fills import FillCorrected, MatchedWatermark, OptionEnded, OrderFilled, SettledWatermark
from quantmatrix.common.contracts.orders import (
    AccountOpened,
    BreakFound,
    BreakResolved,
    OrderAccepted,
    OrderAdjusted,
    OrderCancelled,
    OrderCancelling,
    OrderDenied,
    OrderExpired,
    OrderRejected,
    OrderSubmitted,
    OrderUnknown,
    TradingStateChanged,
)
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.runtime.canonical import digest_rows
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.hearing import Answers, Bus, Does, Hears
from quantmatrix.signals.charts import Charts
from quantmatrix.signals.days import decided_day
from quantmatrix.signals.ending import option_ended
from quantmatrix.signals.funding import fund
from quantmatrix.signals.handlers import Handlers
from quantmatrix.signals.store import SignalsStore
from quantmatrix.signals.stored.answering import BacktestAnswers
from quantmatrix.signals.stored.crew import Crew
from quantmatrix.signals.stored.queue import BacktestQueue
from quantmatrix.signals.stored.serving import BacktestDesk

BARS_PATIENCE_S = 0.05
"""Bars are decided on when their watermark comes; until then they wait for it."""

LETS_PAST = (
    OrderSubmitted,
    OrderAccepted,
    OrderUnknown,
    OrderCancelling,
    BreakFound,
    MatchedWatermark,
    SettledWatermark,
)
"""What comes with orders and fills, and moves no run."""


MOVES_NO_RUN = (BarsClosed, PricesWatermark)
"""What runs are decided on without being moved by it; with every other message, what is remembered of them is forgotten."""


def backtests(answers: BacktestAnswers, queue: BacktestQueue, desk: BacktestDesk, crew: Crew) -> Bus:
    """The table of contents of stored backtests."""
    return Bus(
        answers=(
            Answers(BacktestsAsked, answers.backtests),
            Answers(BacktestAsked, answers.backtest),
            Answers(BacktestPageAsked, answers.page),
            Answers(LookaheadsAsked, answers.lookaheads),
            Answers(ComparisonAsked, answers.comparison),
            Answers(BacktestLuckAsked, answers.luck),
            Answers(JobBeat, crew.beat),
            Answers(JobDataAsked, crew.data),
            Answers(CrewAsked, crew.found),
        ),
        does=(
            Does(BacktestWanted, queue.wanted),
            Does(BacktestUnwanted, queue.unwanted),
            Does(BacktestResumeWanted, queue.resume_wanted),
            Does(JobDone, crew.done),
        ),
        background=(desk.run,),
    )


def bus(
    handlers: Handlers, charts: Charts, background: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (), stored: Bus | None = None
) -> Bus:
    """The table of contents, with that of stored backtests."""
    stored = stored or Bus()
    return Bus(
        hears=_forgetting(
            handlers,
            Hears(InstrumentListed, handlers.instrument_listed),
            Hears(CorporateActionAnnounced, handlers.action_announced),
            Hears(BarsClosed, handlers.bars_closed, patience_s=BARS_PATIENCE_S),
            Hears(PricesWatermark, handlers.decide, when=handlers.may_decide),
            Hears(AccountOpened, handlers.booking.account_opened),
            Hears(OrderFilled, handlers.booking.order_filled),
            Hears(FillCorrected, handlers.booking.fill_corrected),
            Hears(OptionEnded, option_ended),
            Hears(OrderDenied, handlers.booking.order_ended),
            Hears(OrderRejected, handlers.booking.order_ended),
            Hears(OrderCancelled, handlers.booking.order_ended),
            Hears(OrderExpired, handlers.booking.order_ended),
            Hears(OrderAdjusted, handlers.booking.order_adjusted),
            Hears(TradingStateChanged, handlers.booking.trading_state_changed),
            Hears(BreakResolved, handlers.booking.break_resolved),
            Hears(StartRun, handlers.starting.start),
            Hears(ChangeRun, handlers.starting.change),
            Hears(FundRun, fund),
        ),
        lets_past=LETS_PAST,
        answers=(
            Answers(SignalsAsked, signals),
            Answers(RunsAsked, runs),
            Answers(DecidedDayAsked, decided_day),
            Answers(RunDetailsAsked, handlers.answers.run_details),
            Answers(StrategiesAsked, handlers.answers.strategies),
            Answers(ProposalAsked, handlers.starting.proposal),
            Answers(VerdictsAsked, handlers.answers.verdicts),
            Answers(FollowUpsAsked, handlers.answers.follow_ups),
            *scans(handlers),
            Answers(ChartAsked, charts.chart),
            Answers(LedgerDigestAsked, ledger_digest),
            *stored.answers,
        ),
        does=stored.does,
        background=(*background, *stored.background),
    )


def scans(handlers: Handlers) -> tuple[Answers[Any], ...]:
    """What is read of a universe, of one instrument and of what is held. Nothing is traded on it."""
    return (
        Answers(ScanAsked, handlers.scanning.scanned),
        Answers(WatchlistAsked, handlers.scanning.watchlist),
        Answers(MorningAsked, handlers.scanning.morning),
        Answers(HoldingAlertsAsked, handlers.scanning.holding_alerts),
        Answers(AdviceAsked, handlers.scanning.advice),
        Answers(AtrAsked, handlers.moving.readings),
        Answers(PortfolioAtrAsked, handlers.moving.portfolio),
    )


async def signals(asked: SignalsAsked, connection: Connection) -> Signals:
    rows = await SignalsStore(connection).latest_signals(asked)
    return Signals(tuple(decode_as(SignalRaised, row.encode()) for row in rows))


async def runs(asked: RunsAsked, connection: Connection) -> Runs:
    store = SignalsStore(connection)
    found = []
    for run in await store.runs():
        if run.user_id == asked.user_id:
            held = len(await store.holdings(run.run_id))
            found.append(
                RunSummary(run.run_id, run.account_id, run.strategy, run.triggered_by, run.state, run.capital.base, run.cash, held)
            )
    return Runs(tuple(found))


async def ledger_digest(_: LedgerDigestAsked, connection: Connection) -> LedgerDigest:
    """What was decided belongs to the ledger's proof, though not to the ledger."""
    rows = await connection.fetch(
        "select signal_id, run_id, account_id, instrument_id, kind, session, body ->> 'side', body ->> 'quantity', body ->> 'price' from signal order by signal_id"
    )
    return LedgerDigest(digest=digest_rows({"signals": rows}), counts={"signals": len(rows)})


def _forgetting(handlers: Handlers, *specs: Hears[Any]) -> tuple[Hears[Any], ...]:
    return tuple(one if one.message in MOVES_NO_RUN else replace(one, handler=handlers.at_work.forgetting(one.handler)) for one in specs)
