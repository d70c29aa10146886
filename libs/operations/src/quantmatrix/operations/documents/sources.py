"""What each service's `bus.py` promises, read from its text: nothing of a service is imported or started for it."""

import ast
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from quantmatrix.common.contracts.catalog import MESSAGES
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.runtime.keys import is_heard
from quantmatrix.common.runtime.streams import SERVICES, heard_by

COMMON = "every service"
SUPERVISOR = "supervisor"
_RUNTIME = "quantmatrix.common.runtime.service"
_ASKED_OF_SUPERVISOR = ("RestartReplayAsked",)


@dataclass(frozen=True, slots=True)
class Face:
    """The names of messages a service handles, of questions it answers, and of questions by which it changes something."""

    hears: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    does: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[str, ...]:
        return (*self.answers, *self.does)


@cache
def face_of(service: str) -> Face:
    """What a service's own `bus.py` lists; empty for a service that has none."""
    return _face(f"quantmatrix.{service}.bus")


@cache
def common_face() -> Face:
    """The questions that the runtime answers for every service."""
    return _face(_RUNTIME)


def answering(question: str) -> tuple[str, ...]:
    """Who answers a question: services by name, every service, or the supervisor."""
    if question in common_face().asked:
        return SERVICES
    if question in _ASKED_OF_SUPERVISOR:
        return (SUPERVISOR,)
    return tuple(service for service in SERVICES if question in face_of(service).asked)


def changes_something(question: str) -> bool:
    """Whether the question does more than read."""
    return question in _ASKED_OF_SUPERVISOR or any(question in face.does for face in (common_face(), *map(face_of, SERVICES)))


def told(message: type[Message]) -> tuple[str, ...]:
    """The services whose consumers are given this message."""
    return tuple(service for service in SERVICES if is_heard(message, heard_by(service)))


def handled(message: type[Message]) -> tuple[str, ...]:
    """The services that have a handler for this message; others are given it and only count it."""
    return tuple(service for service in told(message) if message.__name__ in face_of(service).hears)


def said_by(service: str) -> tuple[type[Message], ...]:
    """What a service may say."""
    return tuple(message for message in MESSAGES if message.OWNER in (service, "*"))


def _face(module: str) -> Face:
    tree = _tree(module)
    found: dict[str, list[str]] = {"Hears": [], "Answers": [], "Does": []}
    lists = _lists_gone_through(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Name) and _called(node) in found:
            name = node.args[0].id
            found[_called(node)] += _members(tree, lists[name]) if name in lists else [name]
    return Face(tuple(found["Hears"]), tuple(found["Answers"]), tuple(found["Does"]))


def _tree(module: str) -> ast.Module:
    """A module's text as a tree; an empty one for a module that is not there."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    text = Path(spec.origin).read_text(encoding="utf-8") if spec is not None and spec.origin is not None else ""
    return ast.parse(text)


def _lists_gone_through(tree: ast.Module) -> dict[str, str]:
    """The names of lists by the name of what stands for their members, as in `Hears(message, …) for message in EVENTS`."""
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.comprehension)]
    return {loop.target.id: loop.iter.id for loop in loops if isinstance(loop.target, ast.Name) and isinstance(loop.iter, ast.Name)}


def _members(tree: ast.Module, name: str) -> list[str]:
    """The names in a list, or the keys of a table, that a module writes down or imports from the one that does."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name == name for alias in node.names):
            return _members(_tree(node.module), name)
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if value is not None and any(isinstance(target, ast.Name) and target.id == name for target in targets):
            listed = [key for key in value.keys if key is not None] if isinstance(value, ast.Dict) else [value]
            return [part.id for one in listed for part in ast.walk(one) if isinstance(part, ast.Name)]
    raise LookupError(f"no list {name} to read")


def _called(node: ast.Call) -> str:
    """The last part of what is called: `Answers` for `hearing.Answers(…)` too."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
