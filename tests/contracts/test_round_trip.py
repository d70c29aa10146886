"""Whatever can be said can be read back, and is spelled the same way the second time."""

import string
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantmatrix.common.contracts.catalog import MESSAGES
from quantmatrix.common.contracts.codec import decode, encode
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import TOKEN
from quantmatrix.common.values import Money, Price, Quantity

_DECIMALS = st.integers(-(10**30) + 1, 10**30 - 1).map(lambda number: Decimal(f"{number}e-12"))
_TOKENS = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=40)
_TEXT = st.text(max_size=30)
_EXACT: dict[type, st.SearchStrategy[Any]] = {
    Price: st.builds(Price, _DECIMALS),
    Quantity: st.builds(Quantity, _DECIMALS),
    Money: st.builds(Money, _DECIMALS, st.sampled_from(["USD", "EUR", "BTC", "USDC"])),
}
_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=45))])
_MOMENTS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=_ZONES)  # noqa: DTZ001 - zones follow


def values_of(kind: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    """Values of a field's type, read from the contract itself."""
    match kind:
        case msgspec.inspect.CustomType():
            return _EXACT[kind.cls]
        case msgspec.inspect.UnionType():
            return st.one_of([values_of(one) for one in kind.types])
        case msgspec.inspect.StrType(pattern=str(pattern)):
            assert pattern == TOKEN, "a new pattern needs a strategy here"
            return _TOKENS
        case msgspec.inspect.StrType():
            return st.text(min_size=kind.min_length or 0, max_size=min(kind.max_length or 30, 30))
        case msgspec.inspect.EnumType():
            return st.sampled_from(list(kind.cls))
        case msgspec.inspect.VarTupleType():
            return st.lists(values_of(kind.item_type), max_size=3).map(tuple)
        case msgspec.inspect.DictType():
            return st.dictionaries(_TEXT, values_of(kind.value_type), max_size=3)
        case msgspec.inspect.StructType() | msgspec.inspect.DataclassType():
            fields = {field.name: values_of(field.type) for field in kind.fields if field.name != "version"}
            if kind.cls is Instrument:
                fields["instrument_id"] = _TOKENS
            return st.builds(kind.cls, **fields)
        case _:
            return _PLAIN[type(kind)]


_PLAIN: dict[type, st.SearchStrategy[Any]] = {
    msgspec.inspect.NoneType: st.none(),
    msgspec.inspect.BoolType: st.booleans(),
    msgspec.inspect.IntType: st.integers(-(2**53), 2**53),
    msgspec.inspect.FloatType: st.floats(allow_nan=False, allow_infinity=False),
    msgspec.inspect.UUIDType: st.uuids(),
    msgspec.inspect.DateType: st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    msgspec.inspect.DateTimeType: _MOMENTS,
}


def _examples_of(message: type[Message]) -> st.SearchStrategy[Any]:
    return values_of(msgspec.inspect.type_info(message))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_said_is_what_is_read_and_is_spelled_once(message: type[Message], data: st.DataObject) -> None:
    said = data.draw(_examples_of(message))

    body = encode(said)

    read = decode(body)
    assert type(read) is message
    assert read == said
    assert encode(read) == body
