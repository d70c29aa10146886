"""Money crosses as strings in one plain spelling; whatever is not a message of ours is refused, never guessed."""

import json
import math

import msgspec
import pytest
from tests.contracts.paths import at, changed, exact_places, name_of

from quantmatrix.common.contracts.asking.messaging import OutboxPage, StoredMessage
from quantmatrix.common.contracts.asking.question import Reply
from quantmatrix.common.contracts.codec import MESSAGE_BYTES_MAX, MalformedMessageError, decode, decode_as, encode
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.parked import MessageParked
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.testing.examples import EXAMPLES, like

WITH_MONEY = [message for message in EXAMPLES.values() if list(exact_places(message))]
NOT_EXACT = [10, 10.5, -1, 0, True, [], {}, "NaN", "nan", "Infinity", "-Infinity", "1e3", "1E+3", " 10", "10 ", "1_000", "1,000", "+1", "01", ".5",
             "5.", "", "0x10", "१०", "1" * 19, "0.1234567890123"]  # fmt: skip
FILL = EXAMPLES[OrderFilled]


def _bytes(tree: object) -> bytes:
    return json.dumps(tree, ensure_ascii=False).encode()


@pytest.mark.parametrize("message", WITH_MONEY, ids=name_of)
def test_every_price_quantity_and_amount_is_a_string_on_the_wire(message: Message) -> None:
    tree = json.loads(encode(message))

    for place in exact_places(message):
        assert isinstance(at(tree, place), str), place


@pytest.mark.parametrize("message", WITH_MONEY, ids=name_of)
def test_a_number_or_an_odd_spelling_in_place_of_a_decimal_is_refused_everywhere(message: Message) -> None:
    tree = json.loads(encode(message))

    for place in exact_places(message):
        for wrong in NOT_EXACT:
            with pytest.raises(MalformedMessageError):
                decode(_bytes(changed(tree, place, wrong)))


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-0.0"])
def test_a_bare_number_of_any_kind_is_no_price(literal: bytes) -> None:
    body = encode(FILL).replace(b'"price":"10.2"', b'"price":' + literal)

    assert literal in body
    with pytest.raises(MalformedMessageError):
        decode(body)


@pytest.mark.parametrize("currency", ["usd", "", "US", "U$D", None, 840, "USD ", "TOOLONGCODE"])
def test_money_without_a_proper_currency_is_refused(currency: object) -> None:
    with pytest.raises(MalformedMessageError):
        decode(_bytes(changed(json.loads(encode(FILL)), ("fee", "currency"), currency)))


@pytest.mark.parametrize("fee", ["1.00", {"amount": "1"}, {"currency": "USD"}, {"amount": "1", "currency": "USD", "cents": "0"}, None])
def test_money_is_an_amount_with_its_currency_and_nothing_else(fee: object) -> None:
    with pytest.raises(MalformedMessageError):
        decode(_bytes(changed(json.loads(encode(FILL)), ("fee",), fee)))


@pytest.mark.parametrize("moment", ["2024-03-05T21:00:00", "2024-03-05", 1709672400, "yesterday", "2024-13-05T21:00:00Z", None])
def test_a_moment_without_a_zone_is_refused(moment: object) -> None:
    with pytest.raises(MalformedMessageError):
        decode(_bytes(changed(json.loads(encode(FILL)), ("executed_at",), moment)))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"1", b'"text"', b"{", b'{"type":"OrderFilled"', encode(FILL)[:-1], encode(FILL) + b"x", b"\xff\xfe{}", b"{}",
     b'{"type":null}', b'{"type":7}', encode(FILL).replace(b"E-31", b"\xff\xff"), b"[" * 100_000, b'{"type":' * 100_000,
     b'{"type":"OrderFilled","version":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
    ids=range(17),
)  # fmt: skip
def test_bytes_that_are_no_message_are_refused_by_the_one_error(body: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        decode(body)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_statistic_that_is_no_number_never_leaves_its_writer(wrong: float) -> None:
    for changes in ({"strength": wrong}, {"confidence": wrong}, {"risk_reward": wrong}, {"metrics": {"atr": wrong}}):
        with pytest.raises(ValueError, match="finite"):
            encode(like(SignalRaised, **changes))


def test_a_message_too_large_for_the_bus_never_leaves_its_writer() -> None:
    with pytest.raises(ValueError, match="the bus takes"):
        encode(like(MessageParked, error="x" * MESSAGE_BYTES_MAX))


def test_the_largest_message_fits_into_the_answer_to_whoever_missed_it() -> None:
    """Otherwise it could be said and never be fetched, and its key would stand still for ever."""
    rest = len(encode(like(MessageParked, error="")))
    largest = encode(like(MessageParked, error="x" * (MESSAGE_BYTES_MAX - rest)))

    page = OutboxPage((StoredMessage("market/parked", 1, "parked.market", largest),), more=False)
    answer = encode(Reply(answer=msgspec.Raw(encode(page))))

    assert len(largest) == MESSAGE_BYTES_MAX
    assert decode_as(OutboxPage, bytes(decode_as(Reply, answer).answer)) == page
