"""How fills and splits are kept as facts: JSON in which money is text, read back to the very same values."""

import json
from datetime import date, datetime
from uuid import UUID

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, FillId, Side, UserId
from quantmatrix.common.values import Money, Price, Quantity, plain
from quantmatrix.portfolio.domain.lots import Fill, Split


def fact_of_fill(fill: Fill, execution_id: str) -> str:
    """A fill as a stored fact, with the id its broker gave it; money as text."""
    return json.dumps(
        {
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
    )


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
    )


def execution_of_fact(body: str) -> str | None:
    """The broker's id of the fill; None where the fact was stored before ids were kept."""
    told: str | None = json.loads(body).get("execution_id")
    return told


def fact_of_split(split: Split) -> str:
    """A split as a stored fact."""
    return json.dumps({"effective": split.effective.isoformat(), "numerator": split.numerator, "denominator": split.denominator})


def split_of_fact(body: str) -> Split:
    """The split that was stored."""
    told = json.loads(body)
    return Split(date.fromisoformat(told["effective"]), told["numerator"], told["denominator"])
