"""Portfolio's face towards NATS. What it says stands in `contracts/portfolio.py`."""

from quantmatrix.common.contracts.asking.acts import ActBookingAsked, ActsAsked, LotMethodChangeAsked, LotMethodsAsked
from quantmatrix.common.contracts.asking.days import BookedDayAsked
from quantmatrix.common.contracts.asking.derivations import DerivationAsked
from quantmatrix.common.contracts.asking.ledger import LedgerDigestAsked
from quantmatrix.common.contracts.asking.performance import IncomeAsked, LossCandidatesAsked, PerformanceAsked, ProfitsAsked, ReportAsked
from quantmatrix.common.contracts.asking.portfolio import (
    ClosingsAsked,
    LedgerSumsAsked,
    LotsAsked,
    PortfolioAsked,
    SnapshotsAsked,
)
from quantmatrix.common.contracts.asking.statements import BookStatements, ResolveStatementBreak, StatementPartGiven, StatementsAsked
from quantmatrix.common.contracts.asking.taxes import (
    AccountTreatmentsAsked,
    AllocationAsked,
    BasisDifferencesAsked,
    ChooseSector,
    ChooseSectors,
    ChooseTreatment,
    WashSalesAsked,
)
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
from quantmatrix.common.runtime.hearing import Answers, Bus, Does, Hears
from quantmatrix.portfolio import (
    answers,
    day_answers,
    derivation_answers,
    handlers,
    performance_answers,
    profit_answers,
    statement_answers,
    tax_answers,
    telling,
)

MARKS_PATIENCE_S = 0.2
"""Marks matter when somebody looks or a snapshot is due; until then they wait for company."""

ORDERS_AND_MOMENTS = (
    PricesWatermark,
    MatchedWatermark,
    TradingStateChanged,
    OrderSubmitted,
    OrderDenied,
    OrderAccepted,
    OrderRejected,
    OrderUnknown,
    OrderCancelling,
    OrderCancelled,
    OrderExpired,
    OrderAdjusted,
    BreakFound,
    BreakResolved,
)
"""What comes with accounts, fills and prices, and books nothing."""


def bus() -> Bus:
    """The table of contents."""
    return Bus(
        hears=(
            Hears(InstrumentListed, handlers.instrument_listed),
            Hears(CorporateActionAnnounced, handlers.action_announced),
            Hears(BarsClosed, handlers.bars_closed, patience_s=MARKS_PATIENCE_S),
            Hears(AccountOpened, handlers.account_opened),
            Hears(OrderFilled, handlers.order_filled, when=handlers.may_book),
            Hears(FillCorrected, handlers.fill_corrected, when=handlers.may_book),
            Hears(OptionEnded, handlers.option_ended, when=handlers.may_book),
            Hears(SettledWatermark, handlers.execution_reached, when=handlers.may_snapshot),
        ),
        lets_past=ORDERS_AND_MOMENTS,
        answers=(
            Answers(PortfolioAsked, answers.portfolio),
            Answers(LotsAsked, answers.lots),
            Answers(ClosingsAsked, answers.closings),
            Answers(SnapshotsAsked, answers.snapshots),
            Answers(BookedDayAsked, day_answers.booked_day),
            Answers(PerformanceAsked, performance_answers.performance),
            Answers(ReportAsked, performance_answers.report),
            Answers(LossCandidatesAsked, performance_answers.loss_candidates),
            Answers(DerivationAsked, derivation_answers.derivation),
            Answers(ProfitsAsked, profit_answers.profits),
            Answers(IncomeAsked, performance_answers.income),
            Answers(WashSalesAsked, tax_answers.wash_sales),
            Answers(BasisDifferencesAsked, tax_answers.basis_differences),
            Answers(AccountTreatmentsAsked, tax_answers.treatments),
            Answers(AllocationAsked, tax_answers.allocated),
            Answers(LedgerSumsAsked, answers.ledger_sums),
            Answers(LedgerDigestAsked, answers.ledger_digest),
            Answers(StatementsAsked, statement_answers.statements),
            Answers(ActsAsked, telling.acts),
            Answers(LotMethodsAsked, telling.lot_methods),
        ),
        does=(
            Does(StatementPartGiven, statement_answers.part_given),
            Does(BookStatements, statement_answers.booked),
            Does(ResolveStatementBreak, statement_answers.break_resolved),
            Does(ActBookingAsked, telling.book_act),
            Does(LotMethodChangeAsked, telling.change_method),
            Does(ChooseTreatment, tax_answers.choose_treatment),
            Does(ChooseSector, tax_answers.choose_sector),
            Does(ChooseSectors, tax_answers.choose_sectors),
        ),
    )
