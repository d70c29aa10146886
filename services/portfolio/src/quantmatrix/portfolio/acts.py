"""What a person tells, as events of the domain; the same act is the same event whenever it is read."""

from collections.abc import Mapping
from typing import Literal, assert_never
from uuid import UUID

from quantmatrix.common.contracts.asking.acts import (
    Act,
    BasisSupplied,
    CapitalReturned,
    ContractsEnded,
    Merged,
    Renamed,
    Reversed,
    SpunOff,
    TradeMade,
    UnitsArrived,
    UnitsLeft,
    UnitsSplit,
)
from quantmatrix.common.contracts.fills import OptionEnded
from quantmatrix.common.contracts.lots import NamedLotPart
from quantmatrix.common.names import AccountId, AssetClass, ContractEnding, FillId, Side, UserId
from quantmatrix.common.options import terms_of
from quantmatrix.portfolio.domain.actions import WORTHLESS, Merger, Rename, ReturnOfCapital, SpinOff
from quantmatrix.portfolio.domain.arrivals import Arrival, Completion, Departure, Origin
from quantmatrix.portfolio.domain.events import Reversal, ShareSplit, What
from quantmatrix.portfolio.domain.lots import Fill, NamedLot, Split
from quantmatrix.portfolio.domain.options import Ended, OptionEnd, Right

MANUAL = "manual"
_HOWS: Mapping[ContractEnding, Literal["exercise", "assignment", "expiry"]] = {
    ContractEnding.EXERCISE: "exercise",
    ContractEnding.ASSIGNMENT: "assignment",
    ContractEnding.EXPIRY: "expiry",
}


def kind_of(act: Act) -> str:
    """The kind of fact that an act is."""
    return str(type(act).__struct_config__.tag)


def event_of(act: Act, event_id: UUID, account_id: AccountId, user_id: UserId) -> What | Completion | Reversal:
    """What an act of an account means to its ledger."""
    match act:
        case TradeMade():
            return _trade(act, event_id, account_id, user_id)
        case ContractsEnded():
            return Ended(
                FillId(event_id), account_id, user_id, OptionEnd(act.how), act.option, act.underlying, Right(act.right), act.strike,
                act.contracts, act.fee, act.session, act.at, act.triggered_by or act.how, act.shares,
            )  # fmt: skip
        case UnitsArrived():
            return Arrival(
                FillId(event_id), account_id, user_id, act.instrument, Origin(act.origin), act.quantity, act.basis, act.acquired_on,
                act.session, act.at,
            )  # fmt: skip
        case UnitsLeft():
            return Departure(FillId(event_id), act.instrument, act.quantity, act.session, act.at, named_of(act.lots))
        case BasisSupplied():
            return Completion(FillId(act.arrival), act.basis, act.acquired_on)
        case Reversed():
            return Reversal(act.reverses)
        case _:
            return _action(act, event_id)


def act_of_end(ended: OptionEnded) -> ContractsEnded:
    """What a person would tell of the end that a broker told: it is booked by the same way. Not for a settlement, which is a trade."""
    how = _HOWS.get(ended.how)
    if how is None:
        raise ValueError(f"contracts of {ended.option.symbol} were settled: a trade, and no end")
    return ContractsEnded(
        how=how, option=ended.option, underlying=ended.underlying, right=terms_of(ended.option.symbol).kind, strike=ended.strike,
        contracts=ended.contracts, fee=ended.fee, session=ended.session, at=ended.ended_at, shares=ended.shares or None,
        triggered_by=ended.triggered_by,
    )  # fmt: skip


def named_of(parts: tuple[NamedLotPart, ...]) -> tuple[NamedLot, ...]:
    return tuple(NamedLot(one.lot_id, one.quantity) for one in parts)


def _action(act: UnitsSplit | SpunOff | Merged | Renamed | CapitalReturned, event_id: UUID) -> What:
    match act:
        case UnitsSplit():
            return ShareSplit(act.instrument.instrument_id, Split(act.effective, act.numerator, act.denominator))
        case SpunOff():
            return SpinOff(
                event_id, act.parent, act.child, act.effective, act.numerator, act.denominator, act.parent_price, act.child_price
            )  # fmt: skip
        case Merged():
            return Merger(
                event_id, act.old, act.into, act.effective, act.numerator, act.denominator, act.cash, act.into_price or WORTHLESS, act.taxable
            )  # fmt: skip
        case Renamed():
            return Rename(event_id, act.old, act.into, act.effective)
        case CapitalReturned():
            return ReturnOfCapital(event_id, act.instrument, act.effective, act.per_unit, act.booked_as_income)
        case _:
            assert_never(act)


def _trade(act: TradeMade, event_id: UUID, account_id: AccountId, user_id: UserId) -> Fill:
    return Fill(
        FillId(event_id), account_id, user_id, act.instrument, act.side, act.quantity, act.price, act.fee, act.session, act.at, MANUAL,
        act.amount, act.fee_in_kind, named_of(act.lots),
    )  # fmt: skip


def named_parts(act: Act) -> tuple[NamedLotPart, ...]:
    """The lots that an act names."""
    return act.lots if isinstance(act, TradeMade | UnitsLeft) else ()


def reason_against(act: Act) -> str | None:
    """Why an act cannot be meant as it stands, in a sentence; None when nothing speaks against it by itself."""
    match act:
        case TradeMade():
            return _first(
                (act.quantity.value <= 0, "quantity must be above zero; side says whether it was bought or sold"),
                (act.price.value < 0, "price must not be below zero"),
                (act.fee.currency != act.instrument.currency, f"the fee must be in {act.instrument.currency}, the instrument's currency"),
                (
                    act.amount is not None and act.amount.currency != act.instrument.currency,
                    "the amount must be in the instrument's currency",
                ),
                (act.fee_in_kind.value < 0, "fee_in_kind must not be below zero"),
                (act.side is Side.BUY and act.fee_in_kind >= act.quantity, "fee_in_kind takes all that was bought"),
                *_named(act.lots),
            )
        case ContractsEnded():
            return _first(
                (act.contracts.value <= 0, "contracts must be above zero"),
                (act.option.asset_class is not AssetClass.OPTION, f"{act.option.symbol} is no option but a {act.option.asset_class}"),
                (act.underlying.instrument_id == act.option.instrument_id, "option and underlying are the same instrument"),
                (act.fee.currency != act.option.currency, f"the fee must be in {act.option.currency}, the option's currency"),
                (act.option.currency != act.underlying.currency, "option and underlying must be in one currency"),
                (
                    act.shares is not None and act.shares.value <= 0,
                    "shares must be above zero; leave them out for the contracts' multiplier",
                ),
                (act.triggered_by != "", "triggered_by is what execution tells, leave it out"),
            )
        case UnitsArrived():
            return _first(
                (not act.quantity, "quantity must not be zero"),
                (act.basis is not None and act.basis.currency != act.instrument.currency, "the basis must be in the instrument's currency"),
                (act.acquired_on is not None and act.acquired_on > act.session, "acquired_on must not be after the day the units came"),
            )
        case UnitsLeft():
            return _first((act.quantity.value <= 0, "quantity must be above zero"), *_named(act.lots))
        case BasisSupplied() | Reversed():
            return None
        case _:
            return _against_action(act)


def _against_action(act: UnitsSplit | SpunOff | Merged | Renamed | CapitalReturned) -> str | None:
    match act:
        case Merged():
            return _first(
                (act.into is None and not act.cash, "a merger brings stock (into), cash, or both; here it brings nothing"),
                (act.cash.currency != act.old.currency, f"cash must be in {act.old.currency}, the old instrument's currency"),
                (act.into is not None and act.into.instrument_id == act.old.instrument_id, "old and into are the same instrument"),
            )
        case SpunOff():
            return _first((act.parent.instrument_id == act.child.instrument_id, "parent and child are the same instrument"))
        case Renamed():
            return _first((act.old.instrument_id == act.into.instrument_id, "old and into are the same instrument"))
        case CapitalReturned():
            return _first((act.per_unit.value <= 0, "per_unit must be above zero"))
        case UnitsSplit():
            return _first((act.numerator == act.denominator, "a split of one for one changes nothing"))
        case _:
            assert_never(act)


def _named(parts: tuple[NamedLotPart, ...]) -> tuple[tuple[bool, str], ...]:
    twice = len({one.lot_id for one in parts}) < len(parts)
    return ((any(one.quantity.value <= 0 for one in parts), "named lots have quantities above zero"), (twice, "a lot is named twice"))


def _first(*reasons: tuple[bool, str]) -> str | None:
    return next((reason for holds, reason in reasons if holds), None)
