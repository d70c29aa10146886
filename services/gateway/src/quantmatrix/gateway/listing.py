"""A page of a list: what its address may say, how its owner is asked for it, and how the answer is cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Query

from quantmatrix.common.names import AccountId, InstrumentId
from quantmatrix.gateway.exact import Cursor, paged, parse_cursor
from quantmatrix.gateway.people import Person

_Q = TypeVar("_Q")
_T = TypeVar("_T")
Limit = Annotated[int, Query(ge=1, le=200)]
PageCursor = Annotated[str | None, Query(max_length=200)]
Account = Annotated[str | None, Query(max_length=64)]
OneInstrument = Annotated[str | None, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a person's list somebody wants: how many items, after which one, of which account and instrument."""

    limit: int
    cursor: Cursor | None = None
    account_id: AccountId | None = None
    instrument_id: InstrumentId | None = None

    def span_of(self, question: Callable[..., _Q], person: Person) -> _Q:
        """The question for one item more than fits, by which a next page is known."""
        before, before_id = (self.cursor.before, self.cursor.id) if self.cursor else (None, None)
        return question(user_id=person.user_id, before=before, before_id=before_id, limit=self.limit + 1)

    def of(self, question: Callable[..., _Q], person: Person) -> _Q:
        """The same for a list that can be narrowed to an account and an instrument."""

        def narrowed(**span: Any) -> _Q:
            return question(account_id=self.account_id, instrument_id=self.instrument_id, **span)

        return self.span_of(narrowed, person)

    def cut(self, items: Sequence[_T], place: Callable[[_T], tuple[datetime, UUID]]) -> tuple[tuple[_T, ...], str | None]:
        """The page and the cursor of the next one."""
        return paged(items, self.limit, place)


def of_account(account_id: Account = None) -> AccountId | None:
    return AccountId(account_id) if account_id else None


def of_instrument(instrument_id: OneInstrument = None) -> InstrumentId | None:
    return InstrumentId(instrument_id) if instrument_id else None


OfAccount = Annotated[AccountId | None, Depends(of_account)]
OfInstrument = Annotated[InstrumentId | None, Depends(of_instrument)]


def _spanned(limit: Limit = 50, cursor: PageCursor = None) -> Wanted:
    return Wanted(limit, parse_cursor(cursor))


def _narrowed(account_id: OfAccount, instrument_id: OfInstrument, limit: Limit = 50, cursor: PageCursor = None) -> Wanted:
    return Wanted(limit, parse_cursor(cursor), account_id, instrument_id)


Spanned = Annotated[Wanted, Depends(_spanned)]
"""A page of a list, by what the address says: `limit` and `cursor`."""
Narrowed = Annotated[Wanted, Depends(_narrowed)]
"""The same of a list that `account_id` and `instrument_id` can narrow."""
