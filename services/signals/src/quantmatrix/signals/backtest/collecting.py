"""How often Python looks for objects that hold each other in a ring."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (100_000, 50, 100)


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """A run makes objects by the hundred thousand and no rings of them: looking for some at the usual pace costs a good part of its time."""
    before = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
