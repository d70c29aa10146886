"""Puts signals together: the strategies of the slot, the slate of series, the handlers."""

from quantmatrix.common.runtime.errors import ConfigurationError
from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.signals import strategies
from quantmatrix.signals.bus import backtests, bus
from quantmatrix.signals.charts import Charts
from quantmatrix.signals.handlers import Handlers
from quantmatrix.signals.optioning import MarketChains
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.settings import SignalsSettings
from quantmatrix.signals.slate import MarketHistory, Slate
from quantmatrix.signals.stored.answering import BacktestAnswers
from quantmatrix.signals.stored.crew import Crew
from quantmatrix.signals.stored.queue import BacktestQueue
from quantmatrix.signals.stored.serving import BacktestDesk


def strategies_in_slot() -> dict[str, type[Strategy]]:
    """Every strategy by its name."""
    found: dict[str, type[Strategy]] = {}
    for module in names_in(strategies):
        strategy: type[Strategy] = load(strategies, module).STRATEGY
        found[strategy.name] = strategy
    return found


async def serve(settings: SignalsSettings) -> None:
    """Run signals until it is asked to stop."""
    known = strategies_in_slot()
    if settings.default_strategy and settings.default_strategy not in known:
        raise ConfigurationError(
            f"QM_SIGNALS_DEFAULT_STRATEGY: there is no strategy {settings.default_strategy!r}; there is {', '.join(known)}"
        )

    async def build(parts: Parts) -> Bus:
        history, chains = MarketHistory(parts.ask), MarketChains(parts.ask)
        handlers = Handlers(Slate(history), known, settings.default_strategy, chains)
        crew = Crew(parts.pool, parts.client, parts.clock, limit_s=settings.backtest_limit_s)
        desk = BacktestDesk(
            parts.pool,
            history,
            chains,
            known,
            parts.clock,
            crew,
            database_url=settings.database_url.get_secret_value(),
            limit_s=settings.backtest_limit_s,
            bar_limit_s=settings.backtest_bar_limit_s,
        )
        queue = BacktestQueue(known, parts.clock, desk.look)
        stored = backtests(BacktestAnswers(parts.clock), queue, desk, crew)
        return bus(handlers, Charts(history), (lambda: handlers.following.run(parts.desk),), stored)

    await run_service(settings, build)
