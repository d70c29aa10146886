"""A strategy at work: whose it is, what it owns, and which changes of state there are."""

from dataclasses import dataclass

from quantmatrix.common.names import AccountId, RunAct, RunId, RunState, TradingState, UserId
from quantmatrix.common.values import Money
from quantmatrix.signals.domain.ledger import Capital, CycleRules

_CHANGES = {
    (RunState.RUNNING, RunAct.PAUSE): RunState.PAUSED,
    (RunState.PAUSED, RunAct.RESUME): RunState.RUNNING,
    (RunState.RUNNING, RunAct.FLATTEN): RunState.STOPPING,
    (RunState.PAUSED, RunAct.FLATTEN): RunState.STOPPING,
    (RunState.RUNNING, RunAct.KEEP): RunState.STOPPED,
    (RunState.PAUSED, RunAct.KEEP): RunState.STOPPED,
    (RunState.STOPPING, RunAct.KEEP): RunState.STOPPED,
}


def state_after(state: RunState, act: RunAct) -> RunState | None:
    """The state that an act leads to; None when it changes nothing there."""
    return _CHANGES.get((state, act))


def acts_in(state: RunState) -> tuple[RunAct, ...]:
    """What can be asked of a run in this state."""
    return tuple(act for act in RunAct if (state, act) in _CHANGES)


@dataclass(frozen=True, slots=True)
class Run:
    """A strategy at work for a user on an account, with its own capital envelope.

    rules: when a cycle ends and what becomes of its profit; None for a run without cycles. entries: rows of its ledger so far.
    trading: what its account may do, as far as the run was read with it.
    """

    run_id: RunId
    user_id: UserId
    account_id: AccountId
    strategy: str
    parameters: dict[str, object]
    triggered_by: str
    state: RunState
    capital: Capital
    rules: CycleRules | None = None
    entries: int = 0
    sentence: str = ""
    reason: str = ""
    trading: TradingState = TradingState.ACTIVE

    @property
    def cash(self) -> Money:
        """What of its capital is free."""
        return self.capital.cash


def triggered_by(strategy: str, run_id: RunId) -> str:
    """How trades name the run that caused them."""
    return f"run:{strategy}:{run_id.hex[:8]}"
