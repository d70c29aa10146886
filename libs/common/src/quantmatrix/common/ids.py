"""Identities that follow from their cause, so that saying a thing again says it under the same id."""

from hashlib import sha1
from uuid import UUID

from quantmatrix.common.names import OrderId, UserId

NAMESPACE = UUID("6d6b6f7a-9b1f-5c3e-8a7d-51a2c9f0e4b3")
_NAMED = sha1(NAMESPACE.bytes, usedforsecurity=False)
_FREE_BITS = ~0xF000_C000_0000_0000_0000
_VERSION_5 = 0x5000_8000_0000_0000_0000
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def derived_id(*parts: object) -> UUID:
    """The id that belongs to these parts, always the same one (RFC 9562 version 5)."""
    named = _NAMED.copy()
    named.update("\x1f".join(map(str, parts)).encode())
    return UUID(int=int.from_bytes(named.digest()[:16]) & _FREE_BITS | _VERSION_5)


def short_token(*parts: object, length: int = 20) -> str:
    """The first `length` characters, 0-9 and A-Z without I, L, O, U, of the id of these parts (at most 25)."""
    number = derived_id(*parts).int
    return "".join(_CROCKFORD[(number >> (5 * index)) & 31] for index in range(length))


def order_of(intent_id: UUID) -> OrderId:
    """The id of the order that a signal or a person's command becomes: whoever knows the one knows the other."""
    return OrderId(derived_id("order", intent_id))


FIRST_ADMINISTRATOR = UserId(derived_id("user", "administrator"))
"""The person made on the first start, who owns the first paper account."""
