"""Days as a person's files write them."""

import re
from datetime import date

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def day_of(text: str) -> date:
    """Read YYYY-MM-DD. Raises ValueError with what was expected and what stood there."""
    text = text.strip()
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        raise ValueError(f"expected a day such as 2024-03-05, got {text[:20]!r}")
    return found
