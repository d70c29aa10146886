"""The examples of the golden files, as plain JSON values."""

import json
from typing import Any

from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.testing.examples import EXAMPLES


def example_of(message: type[Message]) -> dict[str, Any]:
    """The example of a message as it crosses the bus."""
    found: dict[str, Any] = json.loads(encode(EXAMPLES[message]))
    return found
