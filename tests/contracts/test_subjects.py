"""Subjects and keys: who says what where, and that nobody who hears a key hears only half of it."""

import json
import re
from collections import defaultdict

import pytest
from tests.contracts.paths import changed, name_of

from quantmatrix.common.contracts.catalog import EPHEMERAL, MESSAGES
from quantmatrix.common.contracts.codec import MalformedMessageError, decode, encode
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.runtime.keys import is_heard, keys_heard, pattern_of
from quantmatrix.common.runtime.streams import BY_NAME, FAMILIES, HEARINGS, SERVICES, heard_by, matches
from quantmatrix.common.testing.examples import EXAMPLES

every_message = pytest.mark.parametrize("message", EXAMPLES.values(), ids=name_of)
_FIELD = re.compile(r"\{m\.([a-z_.]+)\}")


@every_message
def test_a_message_is_said_in_its_family_by_who_may_say_it(message: Message) -> None:
    family = BY_NAME[message.FAMILY]

    assert any(matches(pattern, message.subject()) for pattern in family.subjects)
    assert [other.name for other in FAMILIES if other is not family and any(matches(p, message.subject()) for p in other.subjects)] == []
    assert message.key().partition("/")[0] in family.publishers


@every_message
def test_every_token_of_a_subject_is_plain(message: Message) -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", token) for token in message.subject().split("."))
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", token) for token in message.key().replace("/", ".").split("."))


@every_message
@pytest.mark.parametrize("token", ["a.b", "*", ">", "", "a b", "a\n", "é", "x" * 41])
def test_what_would_break_a_subject_is_refused(message: Message, token: str) -> None:
    tree = json.loads(encode(message))
    fields = {tuple(name.split(".")) for template in (message.SUBJECT, message.KEY) for name in _FIELD.findall(template)}

    assert fields
    for place in fields:
        with pytest.raises(MalformedMessageError):
            decode(json.dumps(changed(tree, place, token)).encode())


def test_messages_of_one_key_travel_in_one_stream() -> None:
    families = defaultdict(set)
    for message in MESSAGES:
        families[message.OWNER, pattern_of(message.KEY)].add(message.FAMILY)

    assert [key for key, found in families.items() if len(found) > 1] == []


@pytest.mark.parametrize("service", SERVICES)
def test_who_hears_one_message_of_a_key_hears_every_message_of_it(service: str) -> None:
    """Or the reader would see gaps that no owner can fill."""
    hearings = heard_by(service)
    for heard in MESSAGES:
        if heard in EPHEMERAL or not is_heard(heard, hearings):
            continue
        sharing = [other for other in MESSAGES if other.KEY == heard.KEY and other.OWNER == heard.OWNER and other not in EPHEMERAL]
        assert [other.__name__ for other in sharing if not is_heard(other, hearings)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_keys_a_service_asks_for_are_those_it_hears(service: str) -> None:
    hearings = heard_by(service)
    keys = keys_heard(service, hearings)

    assert service not in keys.by_owner
    for message in EXAMPLES.values():
        if type(message) not in EPHEMERAL and message.key().partition("/")[0] != service:
            assert keys.includes(message.key()) == is_heard(type(message), hearings), message.key()


def test_every_consumer_listens_within_its_family() -> None:
    for hearing in HEARINGS:
        family = BY_NAME[hearing.family]
        assert all(subject.split(".")[0] == family.name for subject in hearing.subjects), hearing


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [("a.*.c", "a.b.c", True), ("a.*", "a.b.c", False), ("a.>", "a.b.c", True), ("a.>", "a", False), (">", "a", True), ("a.*", "a", False),
     ("a", "a", True), ("a", "b", False), ("a.b", "a", False), ("a", "a.b", False), ("*.*", "a.b", True)],
)  # fmt: skip
def test_wildcards_mean_what_they_mean_on_the_bus(pattern: str, subject: str, expected: bool) -> None:
    assert matches(pattern, subject) is expected
