"""How facts are kept: JSON in which money is text, read back to the very same events."""

import json
from datetime import date, datetime
from uuid import UUID

from quantmatrix.common.contracts.asking.acts import Act, act_of_json
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, FillId, LotId, Side, UserId
from quantmatrix.common.values import Money, Price, Quantity, plain
from quantmatrix.portfolio.acts import event_of
from quantmatrix.portfolio.domain.events import Event, ShareSplit
from quantmatrix.portfolio.domain.lots import Fill, NamedLot, Split

FILL = "fill"
END = "end"
"""The end of contracts that a broker told; its body is the act that a person would tell of it."""
SPLIT = "split"


def fact_of_fill(fill: Fill, execution_id: str, order_id: UUID | None) -> str:
    """A fill as a stored fact, with the id its broker gave it; money as text. What is not usual stands there only when it is the case."""
    told: dict[str, object] = {
        "side": fill.side,
        "quantity": str(fill.quantity),
        "price": str(fill.price),
        "fee": plain(fill.fee.amount),
        "fee_currency": fill.fee.currency,
        "session": fill.session.isoformat(),
        "executed_at": fill.executed_at.isoformat(),
        "triggered_by": fill.triggered_by,
        "execution_id": execution_id,
    }
    if fill.fee_in_kind:
        told["fee_in_kind"] = str(fill.fee_in_kind)
    if fill.named:
        told |= {"order_id": str(order_id), "named": [[str(one.lot_id), str(one.quantity)] for one in fill.named]}
    return json.dumps(told)


def fill_of_fact(fact_id: UUID, body: str, account_id: AccountId, user_id: UserId, instrument: Instrument) -> Fill:
    """The fill that was stored under this id."""
    told = json.loads(body)
    return Fill(
        fill_id=FillId(fact_id),
        account_id=account_id,
        user_id=user_id,
        instrument=instrument,
        side=Side(told["side"]),
        quantity=Quantity.parse(told["quantity"]),
        price=Price.parse(told["price"]),
        fee=Money.parse(told["fee"], told["fee_currency"]),
        session=date.fromisoformat(told["session"]),
        executed_at=datetime.fromisoformat(told["executed_at"]),
        triggered_by=told["triggered_by"],
        fee_in_kind=Quantity.parse(told.get("fee_in_kind", "0")),
        named=tuple(NamedLot(LotId(UUID(lot_id)), Quantity.parse(quantity)) for lot_id, quantity in told.get("named", ())),
    )


def execution_of_fact(body: str) -> str | None:
    """The broker's id of the fill; None where the fact was stored before ids were kept."""
    told: str | None = json.loads(body).get("execution_id")
    return told


def fact_of_split(split: Split) -> str:
    """A split that market told as a stored fact."""
    return json.dumps({"effective": split.effective.isoformat(), "numerator": split.numerator, "denominator": split.denominator})


def split_of_fact(body: str) -> Split:
    """The split that was stored, whoever told it."""
    told = json.loads(body)
    return Split(date.fromisoformat(told["effective"]), told["numerator"], told["denominator"])


def fact_of_act(act: Act) -> str:
    """An act as a stored fact."""
    return encode(act).decode()


def act_of_fact(body: str) -> Act:
    """The act that was stored."""
    return act_of_json(body.encode())


def is_told_by_market(body: str) -> bool:
    """Whether a split came from market, for all accounts, and not from a person for one."""
    return "what" not in json.loads(body)


def event_of_fact(
    fact_id: UUID, kind: str, body: str, account_id: AccountId, user_id: UserId, instrument: Instrument | None, ordinal: int
) -> Event:
    """The event that a fact is to an account; of one instant, what was heard first comes first.

    instrument: needed for what market and brokers told; acts carry theirs.
    """
    if kind == FILL or (kind == SPLIT and is_told_by_market(body)):
        if instrument is None:
            raise LookupError(f"{kind} {fact_id} is of an instrument that market never told of")
        what = (
            fill_of_fact(fact_id, body, account_id, user_id, instrument)
            if kind == FILL
            else ShareSplit(instrument.instrument_id, split_of_fact(body))
        )
        return Event(fact_id, what, ordinal)
    return Event(fact_id, event_of(act_of_fact(body), fact_id, account_id, user_id), ordinal)
