"""Finds and changes places inside a message's JSON."""

import copy
from collections.abc import Iterator
from typing import Any

import msgspec

from quantmatrix.common.contracts.message import Message
from quantmatrix.common.values import Money, Price, Quantity

Place = tuple[str | int, ...]


def exact_places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every place in a message's JSON where an exact value stands."""
    if isinstance(value, Price | Quantity):
        yield here
    elif isinstance(value, Money):
        yield (*here, "amount")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from exact_places(getattr(value, name), (*here, name))
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from exact_places(item, (*here, index))
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from exact_places(getattr(value, name), (*here, name))


def objects(tree: Any, here: Place = ()) -> Iterator[Place]:
    """Every place of a JSON tree where an object stands, the tree itself included."""
    if isinstance(tree, dict):
        yield here
        for name, value in tree.items():
            yield from objects(value, (*here, name))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from objects(value, (*here, index))


def at(tree: Any, place: Place) -> Any:
    for step in place:
        tree = tree[step]
    return tree


def changed(tree: Any, place: Place, value: object) -> Any:
    """A copy of the tree with another value at this place."""
    made = copy.deepcopy(tree)
    at(made, place[:-1])[place[-1]] = value
    return made


def without(tree: Any, place: Place) -> Any:
    """A copy of the tree without this place."""
    made = copy.deepcopy(tree)
    del at(made, place[:-1])[place[-1]]
    return made


def name_of(message: Message) -> str:
    return type(message).__name__
