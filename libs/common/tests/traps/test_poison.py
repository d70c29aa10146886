"""What cannot be taken is put aside with its error; its key stands still until a person decides, and the others flow on."""

import json
from collections.abc import Callable

import nats.errors
import pytest

from quantmatrix.common.contracts.asking.messaging import InboxHeadsAsked, ParkedAsked, ParkedDecisionAsked, ParkedMessage
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.portfolio import LotOpened
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.hearing import Hears
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER, SPEAKER, Books, fill
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshBus

pytestmark = pytest.mark.long(20)
GOOD = encode(fill("A", 2))
POISON: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"\x00\xff not json", "malformed"),
    "cut short": (GOOD[: len(GOOD) // 2], "malformed"),
    "unknown type": (GOOD.replace(b'"OrderFilled"', b'"OrderFilledAgain"'), "unknown message type 'OrderFilledAgain'"),
    "unknown version": (GOOD.replace(b'"version":1', b'"version":2'), "OrderFilled of version 2; this reader knows version 1"),
    "a number for money": (GOOD.replace(b'"price":"10.2"', b'"price":10.2'), "expected a decimal as a string, got float 10.2"),
    "no number at all": (GOOD.replace(b'"price":"10.2"', b'"price":"NaN"'), "expected a plain decimal"),
    "nested too deep": (b'{"type":"OrderFilled","x":' + b"[" * 50_000, "malformed"),
}


async def _parked(pair: Pair, count: int = 1) -> tuple[ParkedMessage, ...]:
    async def enough() -> tuple[ParkedMessage, ...]:
        found = (await pair.ask(READER, ParkedAsked())).messages
        return found if len(found) >= count else ()

    return await wait_until(enough, f"{count} parked")


async def _decide(pair: Pair, parked_id: int, decision: str) -> str:
    return (await pair.ask(READER, ParkedDecisionAsked(parked_id=parked_id, decision=decision))).state


async def _said_wrong(pair: Pair, bus: FreshBus, body: bytes) -> None:
    """Three fills of A, the second of which is poison, and three of B, all of them in the outbox and on the bus."""
    await pair.speaker()
    await pair.say("A", "B", count=3)
    await pair.here.stop(SPEAKER)
    await bus.purge()
    await bus.provision()
    await pair.database.fetch(SPEAKER, "update outbox set payload = $1 where key = 'execution/fills.A' and seq = 2", body)
    await pair.database.fetch(SPEAKER, "insert into outbox_waiting select id from outbox on conflict do nothing")
    await pair.speaker()
    await pair.all_published()


@pytest.mark.parametrize(("body", "error"), POISON.values(), ids=POISON)
async def test_poison_is_parked_with_its_error_and_the_others_flow_on(pair: Pair, bus: FreshBus, body: bytes, error: str) -> None:
    await _said_wrong(pair, bus, body)
    await pair.reader()

    parked = (await _parked(pair))[0]
    assert error in parked.error
    assert (parked.key, parked.seq, parked.subject, parked.state) == ("execution/fills.A", 2, "fills.filled.A", "parked")
    assert await pair.all_booked("B", 3) == [1, 2, 3]
    assert await pair.booked("A") == [1]
    assert (await pair.ask(READER, InboxHeadsAsked())).stopped == ("execution/fills.A",)


async def test_dropping_poison_lets_its_key_go_on_without_it(pair: Pair, bus: FreshBus) -> None:
    await _said_wrong(pair, bus, b"poison")
    await pair.reader()
    parked = (await _parked(pair))[0]

    assert await _decide(pair, parked.parked_id, "drop") == "dropped"

    await pair.all_booked("A", 2)
    await pair.say("A", first=4)
    assert await pair.all_booked("A", 3) == [1, 3, 4]
    assert (await pair.ask(READER, ParkedAsked())).messages == ()
    assert [one.state for one in (await pair.ask(READER, ParkedAsked(all=True))).messages] == ["dropped"]


async def test_poison_cannot_be_replayed_and_stays_parked(pair: Pair, bus: FreshBus) -> None:
    await _said_wrong(pair, bus, b"poison")
    await pair.reader()
    parked = (await _parked(pair))[0]

    with pytest.raises(Refused):
        await _decide(pair, parked.parked_id, "replay")

    assert [one.state for one in (await pair.ask(READER, ParkedAsked())).messages] == ["parked"]
    assert (await pair.ask(READER, InboxHeadsAsked())).stopped == ("execution/fills.A",)


async def test_a_message_without_a_number_is_parked_and_stops_nobody(pair: Pair, bus: FreshBus) -> None:
    await pair.speaker()
    await pair.reader()
    js = (await bus.connect(SPEAKER)).jetstream()
    for headers in ({}, {"Qm-Key": "execution/fills.A"}, {"Qm-Key": "execution/fills.A", "Qm-Seq": "one"}, {"Qm-Seq": "1"}):
        await js.publish("fills.filled.A", encode(fill("A", 9)), stream="FILLS", headers=headers)

    parked = await _parked(pair, 4)
    assert {(one.key, one.error) for one in parked} == {(None, "a message without a key and number: nobody's outbox sent it")}
    await pair.say("A", count=2)
    assert await pair.all_booked("A", 2) == [1, 2]


async def test_an_answer_too_large_for_the_bus_parks_its_cause_and_the_others_flow_on(pair: Pair) -> None:
    """Ten megabytes are never stored to be said: the bus would refuse them, and everything after them would wait for ever."""
    books = Books()

    async def book(event: OrderFilled, page: Page) -> None:
        await books.book(event, page)
        if event.account_id == "B":
            page.say(like(LotOpened, account_id=event.account_id, triggered_by="x" * 10_000_000))

    await pair.speaker()
    await pair.reader(Hears(OrderFilled, book))
    await pair.say("A", "B", count=2)

    [parked] = await _parked(pair)
    assert (parked.key, parked.seq) == ("execution/fills.B", 1)
    assert "the bus takes 5000000" in parked.error
    assert await pair.all_booked("A", 2) == [1, 2]
    assert await pair.booked("B") == []


async def test_ten_megabytes_are_refused_by_the_bus_and_disturb_nobody(pair: Pair, bus: FreshBus) -> None:
    await pair.speaker()
    await pair.reader()
    loud = await bus.connect(SPEAKER)

    for subject in ("fills.filled.A", f"svc.{READER}.{ParkedAsked.VERB}"):
        with pytest.raises(nats.errors.MaxPayloadError):
            await loud.publish(subject, bytes(10_000_000))
    deep = b'{"all":' + b"[" * 800_000
    answer = json.loads((await (await bus.connect("operator")).request(f"svc.{READER}.{ParkedAsked.VERB}", deep, timeout=20)).data)
    assert answer["problem"]["code"] == "QUESTION_MALFORMED"
    await pair.say("A", count=2)

    assert await pair.all_booked("A", 2) == [1, 2]
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()


async def _refuse(pair: Pair, account: str) -> None:
    await pair.database.fetch(READER, "insert into tiny_refused values ($1)", account)


async def test_a_failing_message_takes_none_of_its_batch_with_it_and_leaves_nothing_half_booked(pair: Pair) -> None:
    await pair.speaker()
    await _refuse(pair, "B")
    await pair.say("A", "B", "C", count=5, manner="wrong")
    await pair.all_published()
    await pair.reader()

    parked = (await _parked(pair))[0]
    assert (parked.key, parked.seq, parked.error) == ("execution/fills.B", 1, "ValueError: B is refused")
    for account in ("A", "C"):
        assert await pair.all_booked(account, 5) == [1, 2, 3, 4, 5]
    assert await pair.booked("B") == []
    said = await pair.database.fetch(READER, "select type, count(*) as n from outbox group by type order by type")
    assert [(row["type"], row["n"]) for row in said] == [("LotOpened", 10), ("MessageParked", 1)]


async def test_replay_hears_the_message_again_and_its_key_goes_on(pair: Pair) -> None:
    await pair.speaker()
    await _refuse(pair, "B")
    await pair.reader()
    await pair.say("B", count=5, manner="wrong")
    parked = (await _parked(pair))[0]

    with pytest.raises(Refused):
        await _decide(pair, parked.parked_id, "replay")  # still refused: nothing may change
    assert await pair.booked("B") == []
    await pair.database.fetch(READER, "delete from tiny_refused")
    assert await _decide(pair, parked.parked_id, "replay") == "replayed"

    assert await pair.all_booked("B", 5) == [1, 2, 3, 4, 5]
    assert await pair.count(READER, "outbox") == 6


@pytest.mark.parametrize(
    ("choose", "decision", "code"),
    [
        (lambda parked: parked + 100, "drop", "PARKED_UNKNOWN"),
        (lambda parked: parked, "burn", "PARKED_DECISION"),
        (lambda parked: parked, "", "PARKED_DECISION"),
    ],
)
async def test_a_decision_that_makes_no_sense_is_refused(pair: Pair, choose: Callable[[int], int], decision: str, code: str) -> None:
    await pair.speaker()
    await _refuse(pair, "B")
    await pair.reader()
    await pair.say("B", manner="wrong")
    parked = (await _parked(pair))[0]

    with pytest.raises(Refused) as caught:
        await _decide(pair, choose(parked.parked_id), decision)

    assert caught.value.code == code
    assert len((await pair.ask(READER, ParkedAsked())).messages) == 1


async def test_a_message_is_decided_once(pair: Pair) -> None:
    await pair.speaker()
    await _refuse(pair, "B")
    await pair.reader()
    await pair.say("B", manner="wrong")
    parked = (await _parked(pair))[0]
    await _decide(pair, parked.parked_id, "drop")

    with pytest.raises(Refused, match="was dropped at") as caught:
        await _decide(pair, parked.parked_id, "replay")

    assert caught.value.code == "PARKED_DECIDED"


async def test_a_message_that_fails_twice_and_then_works_is_not_parked(pair: Pair) -> None:
    """One exception is not the end of a message, as it is under the library's default."""
    await pair.speaker()
    await pair.reader()
    await pair.say("A", "B", count=3, manner="flaky")

    for account in ("A", "B"):
        assert await pair.all_booked(account, 3) == [1, 2, 3]
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()


async def test_a_stopped_key_stays_stopped_over_a_restart(pair: Pair) -> None:
    await pair.speaker()
    await _refuse(pair, "B")
    await pair.reader()
    await pair.say("B", count=3, manner="wrong")
    await _parked(pair)
    await pair.here.stop(READER)
    await pair.database.fetch(READER, "delete from tiny_refused")
    await pair.reader()
    await pair.say("A", count=2)
    await pair.all_booked("A", 2)

    assert await pair.booked("B") == []
    assert (await pair.ask(READER, InboxHeadsAsked())).stopped == ("execution/fills.B",)


async def test_what_was_parked_is_told_to_everybody_who_listens(pair: Pair) -> None:
    await pair.speaker()
    await _refuse(pair, "B")
    await pair.reader()
    await pair.say("B", manner="wrong")
    parked = (await _parked(pair))[0]

    rows = await pair.database.fetch(READER, "select subject, payload from outbox where type = 'MessageParked'")
    told = json.loads(rows[0]["payload"])
    assert (rows[0]["subject"], told["parked_id"], told["stopped_key"]) == (f"parked.{READER}", parked.parked_id, "execution/fills.B")
    assert told["error"] == "ValueError: B is refused"


async def test_a_question_that_cannot_be_read_or_answered_gets_a_problem_with_a_code(pair: Pair, bus: FreshBus) -> None:
    await pair.reader()
    operator = await bus.connect("operator")

    for verb, body, code in (
        ("parked.decide", b"{", "QUESTION_MALFORMED"),
        ("parked.decide", b'{"parked_id":"one","decision":"drop"}', "QUESTION_MALFORMED"),
        ("trace", b'{"message_ids":["no uuid"]}', "QUESTION_FAILED"),
    ):
        reply = json.loads((await operator.request(f"svc.{READER}.{verb}", body, timeout=60)).data)
        assert reply["problem"]["code"] == code
        assert reply["answer"] is None
