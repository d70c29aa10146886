"""Bytes and messages: one strict JSON, in which money is always a string."""

from typing import Any, TypeVar

import msgspec

from quantmatrix.common.contracts.catalog import BY_TYPE
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.values import CurrencyMismatchError, Money, NotExactError, Price, Quantity, plain

_T = TypeVar("_T")
BYTES_MAX = 7_500_000
"""What is asked and answered stays below the bus's limit of 8 MiB, head room for headers included."""
MESSAGE_BYTES_MAX = 5_000_000
"""A message has to fit into its owner's answer to whoever missed it, and is a third larger there."""


class MalformedMessageError(ValueError):
    """Bytes that are no message of ours: not JSON, an unknown type or version, a field of the wrong kind."""


class _Tag(msgspec.Struct):
    type: str
    version: int = 1


def encode_hook(value: Any) -> Any:
    """How exact values are written; msgspec knows everything else."""
    if isinstance(value, (Price, Quantity)):
        return str(value)
    if isinstance(value, Money):
        return {"amount": plain(value.amount), "currency": value.currency}
    raise NotImplementedError(f"{type(value).__name__} has no place in a message")


def decode_hook(wanted: type[Any], value: Any) -> Any:
    """How exact values are read: from strings only."""
    try:
        if wanted is Price or wanted is Quantity:
            return wanted.parse(value)
        if wanted is Money and isinstance(value, dict) and value.keys() == {"amount", "currency"}:
            return Money.parse(value["amount"], value["currency"])
    except (NotExactError, CurrencyMismatchError) as error:
        raise ValueError(str(error)) from error
    raise ValueError(f"expected {wanted.__name__}, got {type(value).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=encode_hook)
_tag_decoder = msgspec.json.Decoder(_Tag)
_decoders = {name: msgspec.json.Decoder(message, dec_hook=decode_hook) for name, message in BY_TYPE.items()}


def encode(message: msgspec.Struct) -> bytes:
    """A message, a question or an answer as JSON. Raises ValueError when it is too large for the bus."""
    body = _encoder.encode(message)
    bytes_max = MESSAGE_BYTES_MAX if isinstance(message, Message) else BYTES_MAX
    if len(body) > bytes_max:
        raise ValueError(f"{type(message).__name__} has {len(body)} bytes, the bus takes {bytes_max}")
    return body


def decode(body: bytes) -> Message:
    """Read one message of the catalogue. Unknown fields are ignored; raises MalformedMessageError for everything else."""
    try:
        tag = _tag_decoder.decode(body)
        known = BY_TYPE.get(tag.type)
        if known is None:
            raise MalformedMessageError(f"unknown message type {tag.type[:80]!r}")
        if tag.version != known.VERSION:
            raise MalformedMessageError(f"{tag.type} of version {tag.version}; this reader knows version {known.VERSION}")
        return _decoders[tag.type].decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessageError(str(error)) from error


def decode_as(wanted: type[_T], body: bytes) -> _T:
    """Read a question or an answer of a known type. Raises MalformedMessageError."""
    try:
        return msgspec.json.decode(body, type=wanted, dec_hook=decode_hook)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessageError(str(error)) from error
