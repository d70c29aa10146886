"""One example per message, made from its types: valid by construction, the same every time."""

from typing import Any

import msgspec

from quantmatrix.common.contracts.codec import decode_hook, encode_hook
from quantmatrix.common.ids import derived_id

_INSTANT = "2013-03-01T21:00:00Z"
_DATE = "2013-03-01"
_BY_NAME: dict[str, Any] = {
    "symbol": "AAPL",
    "instrument_id": "XNYS-AAPL",
    "account_id": "PAPER-1",
    "calendar": "XNYS",
    "timeframe": "1d",
    "currency": "USD",
    "broker": "paper",
    "triggered_by": "manual",
    "client_ref": "0123456789ABCDEFGHJK",
    "service": "portfolio",
    "part": 1,
    "parts": 1,
    "numerator": 2,
    "denominator": 1,
    "version": 1,
    "multiplier": "1",
    "covers": {"market/prices.moments.XNYS": 42},
    "channel": "inbox",
}


def example_of(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """What a message of this class may look like, as plain JSON values. It passes the reader's own check."""
    made = msgspec.convert(_of_struct(cls), cls, dec_hook=decode_hook)
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made, enc_hook=encode_hook))
    return told


def _of_struct(cls: type) -> dict[str, Any]:
    info = msgspec.inspect.type_info(cls)
    if not isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DataclassType):
        raise TypeError(f"{cls.__name__} is no struct")
    made = {field.encode_name: _value(field.type, field.name) for field in info.fields}
    if isinstance(info, msgspec.inspect.StructType) and info.tag_field:
        made[info.tag_field] = info.tag
    return made


def _value(kind: msgspec.inspect.Type, name: str) -> Any:
    match kind:
        case msgspec.inspect.UnionType(types=types):
            return _value(next(one for one in types if not isinstance(one, msgspec.inspect.NoneType)), name)
        case msgspec.inspect.Metadata(type=inner):
            return _value(inner, name)
        case msgspec.inspect.VarTupleType(item_type=item):
            return [_value(item, name.removesuffix("s"))]
        case msgspec.inspect.DictType(value_type=value):
            return _BY_NAME.get(name, {name.removesuffix("s"): _value(value, name)})
        case msgspec.inspect.EnumType(cls=cls):
            return next(iter(cls)).value
        case msgspec.inspect.StructType(cls=cls) | msgspec.inspect.DataclassType(cls=cls):
            return _of_struct(cls)
        case msgspec.inspect.CustomType(cls=cls):
            return {"amount": "1250.5", "currency": "USD"} if cls.__name__ == "Money" else _BY_NAME.get(name, _EXACT[cls.__name__])
    return _BY_NAME.get(name, _plain(kind, name))


_EXACT = {"Price": "430.47", "Quantity": "10"}


def _plain(kind: msgspec.inspect.Type, name: str) -> Any:
    match kind:
        case msgspec.inspect.StrType():
            return name.replace("_", "-")
        case msgspec.inspect.UUIDType():
            return str(derived_id("example", name))
        case msgspec.inspect.DateTimeType():
            return _INSTANT
        case msgspec.inspect.DateType():
            return _DATE
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.FloatType():
            return 1.5
        case msgspec.inspect.IntType():
            return 3
        case _:
            raise TypeError(f"no example for {kind} of {name}")
