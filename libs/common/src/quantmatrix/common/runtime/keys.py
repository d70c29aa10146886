"""Which keys a service hears: worked out from the messages' own templates and the table of consumers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quantmatrix.common.contracts.catalog import EPHEMERAL, MESSAGES
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.runtime.streams import BY_NAME, Hearing, matches

_FIELD = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class KeysHeard:
    """Patterns of keys by their owner, spelled like subjects with wildcards."""

    by_owner: Mapping[str, tuple[str, ...]]

    def includes(self, key: str) -> bool:
        """Whether messages under this key are told to the service."""
        owner, _, place = key.partition("/")
        return any(matches(pattern, place) for pattern in self.by_owner.get(owner, ()))


def pattern_of(template: str) -> str:
    """A template with a wildcard in place of every field."""
    return _FIELD.sub("*", template)


def is_heard(message: type[Message], hearings: Iterable[Hearing]) -> bool:
    """Whether any of these consumers is told messages of this type."""
    example = _FIELD.sub("x", message.SUBJECT)
    return any(hearing.family == message.FAMILY and matches(subject, example) for hearing in hearings for subject in hearing.subjects)


def keys_heard(service: str, hearings: Iterable[Hearing]) -> KeysHeard:
    """What a service hears of each owner; its own outbox is never asked."""
    found: dict[str, set[str]] = {}
    hearings = tuple(hearings)
    for message in MESSAGES:
        if message in EPHEMERAL or not is_heard(message, hearings):
            continue
        for owner in BY_NAME[message.FAMILY].publishers:
            if owner != service:
                found.setdefault(owner, set()).add(pattern_of(message.KEY))
    return KeysHeard({owner: tuple(sorted(patterns)) for owner, patterns in found.items()})
