"""What a person tells execution of a broker's letter: contracts that were sold were assigned before their end."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import AccountToken
from quantmatrix.common.names import FillId, UserId
from quantmatrix.common.values import Quantity


class AssignmentTaken(msgspec.Struct, frozen=True):
    """The assignment is booked under end_id. booked: False where the same was told before, and nothing changed."""

    end_id: FillId
    booked: bool


class AssignmentBookingAsked(Question[AssignmentTaken], frozen=True, kw_only=True):
    """Book an assignment of contracts that were sold, once for each command_id, or refuse it with the reason: nothing is changed then.

    option: its OCC symbol, with or without the blanks in it. contracts: whole, above zero. session: after whose close it was assigned.
    """

    VERB = "assignments.book"
    ANSWER = AssignmentTaken

    command_id: UUID
    account_id: AccountToken
    option: Annotated[str, msgspec.Meta(max_length=40)]
    contracts: Quantity
    session: date
    user_id: UserId | None = None
