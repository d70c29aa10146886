"""Golden files: what crosses the bus is spelled today as it was when its version was made."""

import re
from pathlib import Path

import msgspec
import pytest
from tests.contracts.paths import name_of
from tests.contracts.write_golden import GOLDEN, golden_bytes, place_of, write

from quantmatrix.common.contracts.catalog import BY_TYPE, MESSAGES
from quantmatrix.common.contracts.codec import MalformedMessageError, decode
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.testing.examples import EXAMPLES

FILES = sorted(GOLDEN.glob("*.json"))
_NAME = re.compile(r"(?P<type>[A-Z][A-Za-z]+)\.v(?P<version>[1-9]\d*)\.json")


def test_there_is_an_example_of_every_message_and_nothing_else() -> None:
    assert set(EXAMPLES) == set(MESSAGES)
    assert len(BY_TYPE) == len(MESSAGES)


@pytest.mark.parametrize("message", EXAMPLES.values(), ids=name_of)
def test_an_example_fills_in_every_field(message: Message) -> None:
    left_out = [
        field.name
        for field in msgspec.structs.fields(message)
        if field.name != "version"
        and getattr(message, field.name) == field.default
        and field.name not in ("order_type", "time_in_force", "lots", "underlying", "what", "becomes", "deliverable")
    ]

    assert left_out in ([], ["triggered_by"], ["denominator"])


@pytest.mark.parametrize("message", EXAMPLES.values(), ids=name_of)
def test_a_message_is_spelled_like_its_golden_file_byte_for_byte(message: Message) -> None:
    assert golden_bytes(message) == place_of(message).read_bytes()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_golden_file_of_todays_version_is_read_and_one_of_an_older_version_is_refused(file: Path) -> None:
    name = _NAME.fullmatch(file.name)
    assert name is not None
    message = BY_TYPE[name["type"]]
    version = int(name["version"])

    if version == message.VERSION:
        assert decode(file.read_bytes()) == EXAMPLES[message]
    else:
        assert version < message.VERSION
        with pytest.raises(MalformedMessageError, match=f"version {version}; this reader knows version {message.VERSION}"):
            decode(file.read_bytes())


def test_the_script_leaves_a_changed_contract_alone_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.contracts.write_golden.GOLDEN", tmp_path)
    assert write(update=False) == []
    (tmp_path / "OrderFilled.v1.json").write_bytes(b"{}\n")

    assert write(update=False) == ["OrderFilled.v1.json"]
    assert (tmp_path / "OrderFilled.v1.json").read_bytes() == b"{}\n"
    assert write(update=True) == []
    assert (tmp_path / "OrderFilled.v1.json").read_bytes() != b"{}\n"
