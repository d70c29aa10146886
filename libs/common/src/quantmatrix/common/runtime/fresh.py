"""Ids for what starts with a person or a machine and not with a message."""

import secrets
from uuid import UUID


def fresh_id() -> UUID:
    """An id for something that starts with a person or a machine, not with a message."""
    return UUID(int=secrets.randbits(128))
