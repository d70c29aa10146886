"""What a field means, in the words of its class's docstring, and its type in words."""

import inspect
import re
from collections.abc import Iterator

import msgspec

_NAMED = re.compile(r"(?:(?<=^)|(?<=[.;:]\s)|(?<=\s))((?:[a-z_]+)(?:, [a-z_]+)*): ")
_EVERYWHERE = {
    "head": "message_id, caused_by, occurred_at and trace: see Head",
    "version": "the version of the message's meaning",
    "user_id": "the owner of the account",
    "account_id": "the account",
    "order_id": "the order",
    "fill_id": "the execution, under our id",
    "execution_id": "the execution, under the broker's id",
    "lot_id": "the tax lot",
    "closing_id": "the closing of a part of a lot",
    "signal_id": "the decision",
    "run_id": "the strategy run",
    "action_id": "the corporate action",
    "notification_id": "the notification",
    "command_id": "the command; the same id is carried out once",
    "instrument": "what is traded: lasting id, today's symbol, asset class, currency, multiplier",
    "instrument_id": "the lasting identity of the instrument",
    "triggered_by": "who wanted it: `manual`, or a strategy and its run",
    "calendar": "the exchange's calendar, such as XNYS",
    "timeframe": "the time frame of the bars, such as 1d",
    "session": "the exchange's date",
    "currency": "ISO 4217 code",
    "side": "BUY or SELL",
    "quantity": "units",
    "price": "per unit, in the instrument's currency",
    "fee": "what the broker charged, with its currency",
    "reason": "why, in words",
    "detail": "the figures, in words",
    "code": "a stable code",
    "limit": "how many at most",
    "before": "only what lies before this instant (UTC)",
    "state": "the state it is in now",
    "symbol": "the symbol of today",
    "asset_class": "what kind of thing it is",
    "multiplier": "units of the underlying in one contract; 1 for shares",
    "name": "how people call it",
    "tick_size": "the smallest step of its price",
    "lot_size": "the smallest step of its quantity",
    "valid_from": "the exchange date from which the symbol holds",
    "open": "first price",
    "high": "highest price",
    "low": "lowest price",
    "close": "last price",
    "volume": "units traded",
    "met": "whether the condition held",
    "text": "the condition with its figures",
    "weight": "its share of the strength",
    "kind": "which kind it is",
    "effective": "exchange date; it holds from before the open",
    "source": "where it is known from",
    "opened_at": "when it opened (UTC)",
    "closed_at": "when it closed (UTC)",
    "opened_on": "exchange date of the opening",
    "closed_on": "exchange date of the closing",
    "bars": "the bars, one per instrument",
    "bid": "best bid",
    "ask": "best offer",
    "last": "last trade",
    "phase": "the phase of the exchange's day",
    "opens_at": "when the session opens (UTC)",
    "closes_at": "when the session closes (UTC)",
    "early_close": "whether the session is a short one",
    "strategy": "the strategy's name",
    "expires_at": "from then on the decision must not become an order (UTC)",
    "stop": "where the strategy gives up",
    "targets": "where it takes profit, nearest first",
    "strength": "0 to 1: how clearly the conditions hold",
    "confidence": "0 to 1: strength, reduced by gaps in the data",
    "risk_reward": "distance to the first target over distance to the stop",
    "horizon_days": "how long it expects to hold, in days",
    "reasons": "every condition that was looked at",
    "broker": "the broker's name in the slot",
    "cash": "money not invested",
    "paper": "whether it is a paper account",
    "order_type": "how it is to be filled",
    "time_in_force": "how long it works",
    "limit_price": "for a limit order",
    "stop_price": "for a stop order",
    "broker_order_id": "the order, under the broker's id",
    "subject_of_break": "what differs",
    "ours": "our figure",
    "theirs": "the broker's figure",
    "found_at": "when it was seen (UTC)",
    "leaves": "what is left of the order after it",
    "executed_at": "when the broker executed it (UTC)",
    "realised": "profit or loss that is final",
    "unrealised": "profit or loss at the latest price",
    "market_value": "what the positions are worth",
    "equity": "cash and market value",
    "basis": "total cost, fees included",
    "opening_cash": "what the account held when it was connected",
    "opened_quantity": "the quantity it was opened with",
    "proceeds": "what the sale brought, fees deducted",
    "priority": "how urgent it is",
    "title": "the headline",
    "body": "the text",
    "topic": "what it is about",
    "channel": "the channel's name in the slot",
    "error": "what went wrong",
    "parked_id": "the number under which a person decides it",
    "service": "the service",
}


def text_of(cls: type) -> str:
    """The class's docstring as one paragraph per blank line; empty when it has none of its own."""
    own = cls.__dict__.get("__doc__") or ""
    return "" if own.startswith(f"{cls.__name__}(") else inspect.cleandoc(own)


def meaning_of(cls: type, field: str) -> str:
    """What the nearest docstring says of a field, else what the name means everywhere, else nothing."""
    for base in [one for one in cls.__mro__ if one.__module__.startswith("quantmatrix.")]:
        for names, words in _named(text_of(base)):
            if field in names:
                return words
    return _EVERYWHERE.get(field, "")


def _named(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Pieces of the form `name, name: words.`, to the next name or the end of the paragraph."""
    for paragraph in text.split("\n\n"):
        line = " ".join(paragraph.split())
        found = list(_NAMED.finditer(line))
        for index, match in enumerate(found):
            end = found[index + 1].start(1) if index + 1 < len(found) else len(line)
            yield tuple(match[1].split(", ")), line[match.end() : end].strip().rstrip(".;")


def type_in_words(kind: msgspec.inspect.Type) -> str:
    """A type as a reader of JSON meets it."""
    match kind:
        case msgspec.inspect.UnionType(types=types):
            return " or ".join(type_in_words(one) for one in types)
        case msgspec.inspect.Metadata(type=inner):
            return type_in_words(inner)
        case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item):
            return f"list of {type_in_words(item)}"
        case msgspec.inspect.DictType(value_type=value):
            return f"object of {type_in_words(value)} by name"
        case msgspec.inspect.CustomType(cls=cls):
            return _CUSTOM.get(cls.__name__, cls.__name__)
        case msgspec.inspect.EnumType(cls=cls):
            return " · ".join(str(member.value) for member in cls)
        case msgspec.inspect.StructType(cls=cls) | msgspec.inspect.DataclassType(cls=cls):
            return cls.__name__
    return _PLAIN.get(type(kind).__name__, type(kind).__name__)


_CUSTOM = {
    "Price": "decimal string (Price)",
    "Quantity": "decimal string (Quantity)",
    "Money": "{amount: decimal string, currency} (Money)",
}
_PLAIN = {
    "StrType": "text",
    "IntType": "whole number",
    "FloatType": "number",
    "BoolType": "true or false",
    "NoneType": "null",
    "UUIDType": "UUID",
    "DateType": "date",
    "DateTimeType": "instant (UTC)",
    "BytesType": "bytes (base64)",
    "RawType": "JSON",
    "AnyType": "JSON",
}
