"""Writes the golden file of every message: `python tests/contracts/write_golden.py`.

A file that is there already and would change is left alone unless `--update` is given: a changed file is a changed
contract. When a field changes its meaning, raise the message's VERSION instead; the old file then stays.
"""

import sys
from pathlib import Path

import msgspec

from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.testing.examples import EXAMPLES

GOLDEN = Path(__file__).parent / "golden"


def place_of(message: Message) -> Path:
    """Where the golden file of this message's version lies."""
    return GOLDEN / f"{type(message).__name__}.v{message.VERSION}.json"


def golden_bytes(message: Message) -> bytes:
    """The message as it crosses the bus, broken into lines so that a change can be read."""
    return msgspec.json.format(encode(message), indent=2) + b"\n"


def write(*, update: bool) -> list[str]:
    """Write what is missing (and, with `update`, what differs). Returns the names of files that differ and were left."""
    left = []
    GOLDEN.mkdir(exist_ok=True)
    for message in EXAMPLES.values():
        place, wanted = place_of(message), golden_bytes(message)
        if place.exists() and place.read_bytes() != wanted and not update:
            left.append(place.name)
        else:
            place.write_bytes(wanted)
    return left


if __name__ == "__main__":
    if differing := write(update="--update" in sys.argv[1:]):
        sys.exit(f"these contracts changed: {', '.join(differing)}; raise VERSION, or write them again with --update")
