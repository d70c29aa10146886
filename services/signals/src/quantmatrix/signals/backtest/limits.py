"""A time limit for code that somebody else wrote: a loop without an end is broken off, and the place is told."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TookTooLongError(RuntimeError):
    """Code that was given so many seconds had not come back."""


class Place:
    """Where the code is; whoever moves it on sets `number`."""

    def __init__(self) -> None:
        self.number = 0


@contextmanager
def limited(limit_s: float) -> Iterator[Place]:
    """Raise TookTooLongError inside of the block when its place has not moved for `limit_s` to twice `limit_s` seconds.

    Python code is broken off between two of its instructions. A call into compiled code is broken off when it returns.
    """
    place, over = Place(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(place, over, threading.get_ident(), limit_s), daemon=True)
    watcher.start()
    try:
        yield place
    finally:
        over.set()
        watcher.join()


def _watch(place: Place, over: threading.Event, thread: int, limit_s: float) -> None:
    before = -1
    while not over.wait(limit_s):
        if place.number == before:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TookTooLongError))
            return
        before = place.number
