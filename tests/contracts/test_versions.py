"""A reader of version N survives a writer of version N+1, and refuses what it cannot understand."""

import json

import msgspec
import pytest
from tests.contracts.paths import at, changed, name_of, objects, without

from quantmatrix.common.contracts.codec import MalformedMessageError, decode, encode
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.testing.examples import EXAMPLES

FREE_FORM = {"covers", "metrics", "parameters"}
"""Objects whose names are data; an added name there is no unknown field."""
every_message = pytest.mark.parametrize("message", EXAMPLES.values(), ids=name_of)


def _tree(message: Message) -> dict[str, object]:
    tree: dict[str, object] = json.loads(encode(message))
    return tree


@every_message
def test_fields_that_a_newer_writer_added_are_ignored_wherever_they_stand(message: Message) -> None:
    tree = _tree(message)
    places = [place for place in objects(tree) if not (FREE_FORM & set(place)) and set(at(tree, place)) != {"amount", "currency"}]
    for place in places:
        tree = changed(tree, (*place, "added_later"), {"deep": [1, "two", None]})

    assert ("head",) in places
    assert decode(json.dumps(tree).encode()) == message


@every_message
def test_a_field_that_an_older_writer_did_not_know_takes_its_default(message: Message) -> None:
    tree = _tree(message)
    for field in msgspec.structs.fields(message):
        default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory
        if default is msgspec.NODEFAULT or field.name == "version":
            continue
        expected = default() if callable(default) else default
        assert getattr(decode(json.dumps(without(tree, (field.name,))).encode()), field.name) == expected


@every_message
def test_a_field_that_must_be_there_is_missed(message: Message) -> None:
    tree = _tree(message)
    required = [field.name for field in msgspec.structs.fields(message) if field.required]

    assert required
    for name in required:
        with pytest.raises(MalformedMessageError, match=name):
            decode(json.dumps(without(tree, (name,))).encode())


@every_message
@pytest.mark.parametrize("version", [0, 2, -1, 999])
def test_another_version_is_refused_and_named(message: Message, version: int) -> None:
    with pytest.raises(MalformedMessageError, match=rf"version {version}; this reader knows version {message.VERSION}"):
        decode(json.dumps(changed(_tree(message), ("version",), version)).encode())


@pytest.mark.parametrize("version", ["1", 1.5, None, [1], True])
def test_a_version_that_is_no_whole_number_is_refused(version: object) -> None:
    with pytest.raises(MalformedMessageError):
        decode(json.dumps(changed(_tree(EXAMPLES[OrderFilled]), ("version",), version)).encode())


@pytest.mark.parametrize("name", ["OrderFilledTwice", "orderfilled", "", "Message", "_Fill", "x" * 10_000])
def test_an_unknown_type_is_refused_in_a_short_sentence(name: str) -> None:
    with pytest.raises(MalformedMessageError, match="unknown message type") as caught:
        decode(json.dumps(changed(_tree(EXAMPLES[OrderFilled]), ("type",), name)).encode())

    assert len(str(caught.value)) < 200
