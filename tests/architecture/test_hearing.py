"""What a service is handed, its table of contents names: handled, or let past on purpose. Nothing is forgotten, nothing waits in vain."""

import importlib
import inspect
from typing import Any

import pytest

from quantmatrix.common.contracts.catalog import EPHEMERAL, MESSAGES
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.keys import is_heard
from quantmatrix.common.runtime.streams import SERVICES, heard_by


class Anything:
    """Stands for the handlers of a service: its table is read, none of it is called."""

    def __getattr__(self, _: str) -> "Anything":
        return self

    def __call__(self, *_: Any, **__: Any) -> "Anything":
        return self

    def __iter__(self) -> Any:
        return iter(())


def table_of(service: str) -> Bus:
    """The table of contents of a service, with nothing behind it."""
    bus = importlib.import_module(f"quantmatrix.{service}.bus").bus
    needed = [one for one in inspect.signature(bus).parameters.values() if one.default is inspect.Parameter.empty]
    found: Bus = bus(*(Anything() for _ in needed))
    return found


def handed(service: str) -> set[type[Message]]:
    """The messages that the consumers of a service bring."""
    return {message for message in MESSAGES if message not in EPHEMERAL and is_heard(message, heard_by(service))}


@pytest.mark.parametrize("service", SERVICES)
def test_every_message_that_is_handed_over_is_handled_or_let_past_on_purpose(service: str) -> None:
    table = table_of(service)
    handled, passed = {one.message for one in table.hears}, set(table.lets_past)

    assert {one.__name__ for one in handed(service) - handled - passed} == set(), "neither handled nor let past"
    assert {one.__name__ for one in handled - handed(service)} == set(), "no consumer brings it"
    assert {one.__name__ for one in passed - handed(service)} == set(), "let past, but no consumer brings it"
    assert {one.__name__ for one in passed & handled} == set(), "both handled and let past"


@pytest.mark.parametrize("service", SERVICES)
def test_a_consumer_brings_nothing_of_which_all_is_let_past(service: str) -> None:
    handled = {one.message for one in table_of(service).hears}

    for hearing in heard_by(service):
        brought = {message for message in MESSAGES if is_heard(message, [hearing])}
        assert brought & handled, f"{service} hears {hearing.subjects} for nothing"


def test_a_message_that_a_table_forgets_is_found() -> None:
    """The market handles the ledger's watermark; a table without it would be caught."""
    table = table_of("market")

    assert handed("market") - {one.message for one in table.hears[1:]} - set(table.lets_past)
