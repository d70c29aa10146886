"""JSON over HTTP: amounts as they are read, services' answers as they are (exact numbers as strings), older shapes with exact numbers."""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from pydantic import BeforeValidator
from starlette.responses import Response

from quantmatrix.common.contracts.codec import decode_hook, encode_hook
from quantmatrix.common.values import NotExactError, parse_decimal
from quantmatrix.gateway.problems import ProblemError

_T = TypeVar("_T")
_exact = msgspec.json.Encoder(enc_hook=encode_hook)
_numbers = msgspec.json.Encoder(enc_hook=encode_hook, decimal_format="number")


DIGITS_OF_BINARY = 15
"""So many digits of a decimal survive its way through a binary number; of more nobody knows any longer what was sent."""


def _plain(given: object) -> object:
    if isinstance(given, float) and len(Decimal(repr(given)).normalize().as_tuple().digits) > DIGITS_OF_BINARY:
        raise ValueError(f"a number of so many digits is rounded on its way; send it as a text of digits, not as {given!r}")
    try:
        return parse_decimal(given) if isinstance(given, str) else given
    except NotExactError as error:
        raise ValueError("expected a plain decimal such as 12.50") from error


PLAIN = BeforeValidator(_plain)
"""Of a decimal that somebody sends: a text has the one spelling that money has everywhere, without blanks, underscores and exponents;
a JSON number has no more digits than a binary number keeps."""


def as_json(value: Any) -> bytes:
    """Money, prices and quantities as decimal strings."""
    return _exact.encode(value)


def as_numbers(value: Any) -> bytes:
    """Decimals as JSON numbers, digit by digit: no binary rounding on the way."""
    return _numbers.encode(value)


class Exact(Response):
    """A response of a struct, exact numbers as strings."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else as_json(content)


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of a list ended: the moment and the id of its last item."""

    before: datetime
    id: UUID

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def parse_cursor(text: str | None) -> Cursor | None:
    """Read a cursor as it was handed out. Raises 422 for anything else."""
    if not text:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=Cursor, dec_hook=decode_hook)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ProblemError(422, "CURSOR_INVALID", "give a cursor as the previous page had it") from error
    if cursor.before.tzinfo is None:
        raise ProblemError(422, "CURSOR_INVALID", "give a cursor as the previous page had it")
    return cursor


def paged(items: Sequence[_T], limit: int, place: Callable[[_T], tuple[datetime, UUID]]) -> tuple[tuple[_T, ...], str | None]:
    """A page and the cursor of the next one, from one item more than fits."""
    shown = tuple(items[:limit])
    return shown, str(Cursor(*place(shown[-1]))) if len(items) > limit and shown else None
