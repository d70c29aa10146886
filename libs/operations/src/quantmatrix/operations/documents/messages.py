"""docs/messages.md: every message on the bus."""

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from quantmatrix.common.contracts.catalog import EPHEMERAL, MESSAGES
from quantmatrix.common.contracts.message import Head, Message
from quantmatrix.common.runtime.streams import BY_NAME, FAMILIES
from quantmatrix.operations.documents.examples import example_of
from quantmatrix.operations.documents.markdown import code, page, table
from quantmatrix.operations.documents.meanings import meaning_of, text_of, type_in_words
from quantmatrix.operations.documents.sources import handled, told

PLACE = Path("docs/messages.md")


def documents() -> Mapping[Path, str]:
    return {PLACE: _whole()}


def _whole() -> str:
    return page(
        "Messages",
        "Every message on the bus: its subject, the key under which its owner numbers it, who says it, who is told, and its fields. "
        "`{…}` in a subject or key stands for the value of that field. Money, prices and quantities are decimal strings; a JSON number "
        "in their place is refused. Readers ignore fields they do not know; a changed meaning is a new version.",
        _overview(),
        _shared(),
        *[_family(family.name) for family in FAMILIES],
    )


def _overview() -> str:
    rows = [
        (f"[{m.__name__}](#{m.__name__.lower()})", code(template(m.SUBJECT)), _owner(m), ", ".join(handled(m)) or "nobody yet")
        for m in MESSAGES
    ]
    return "## At a glance\n\n" + table(("message", "subject", "said by", "handled by"), rows)


def _shared() -> str:
    parts = ["## What messages are made of"]
    for cls in _parts():
        parts += [f"### {cls.__name__}", text_of(cls).split("\n\n")[0], _fields(cls)]
    return "\n\n".join(part for part in parts if part)


def _parts() -> list[type]:
    """The structures that messages contain, each once, in the order in which they are met."""
    found: list[type] = [Head]
    for message in MESSAGES:
        for field in _info(message).fields:
            _collect(field.type, found)
    return found


def _collect(kind: msgspec.inspect.Type, found: list[type]) -> None:
    match kind:
        case msgspec.inspect.UnionType(types=types):
            for one in types:
                _collect(one, found)
        case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.Metadata(type=item):
            _collect(item, found)
        case msgspec.inspect.StructType(cls=cls) | msgspec.inspect.DataclassType(cls=cls):
            if cls not in found:
                found.append(cls)


def _family(name: str) -> str:
    family = BY_NAME[name]
    head = f"## `{name}`: stream {family.stream}, published by {', '.join(family.publishers)}"
    return "\n\n".join([head, *[_message(message) for message in MESSAGES if name == message.FAMILY]])


def _message(message: type[Message]) -> str:
    facts = [
        ("subject", code(template(message.SUBJECT))),
        ("key", code(f"{'{service}' if message.OWNER == '*' else message.OWNER}/{template(message.KEY)}")),
        ("said by", _owner(message)),
        ("told to", ", ".join(told(message)) or "nobody"),
        ("handled by", ", ".join(handled(message)) or "nobody yet"),
        ("version", str(message.VERSION)),
    ]
    if message in EPHEMERAL:
        facts.append(("kept", "never: not stored, not numbered"))
    example = json.dumps(example_of(message), indent=2, ensure_ascii=False)
    return "\n\n".join(
        [
            f"### {message.__name__}",
            text_of(message).split("\n\n")[0],
            table(("", ""), facts),
            _fields(message),
            f"<details><summary>Example</summary>\n\n```json\n{example}\n```\n\n</details>",
        ]
    )


def _fields(cls: type) -> str:
    rows = []
    for field in _info(cls).fields:
        if field.name in ("head", "version") and issubclass(cls, Message):
            continue
        rows.append((code(field.name), type_in_words(field.type), "yes" if field.required else "no", meaning_of(cls, field.name)))
    return table(("field", "type", "required", "meaning"), rows)


def _info(cls: type) -> "msgspec.inspect.StructType | msgspec.inspect.DataclassType":
    info = msgspec.inspect.type_info(cls)
    if not isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DataclassType):
        raise TypeError(f"{cls.__name__} is no structure")
    return info


def _owner(message: type[Message]) -> str:
    return "every service" if message.OWNER == "*" else message.OWNER


def template(text: str) -> str:
    """A subject or key template as documents write it: `{m.instrument.instrument_id}` becomes `{instrument_id}`."""
    parts = []
    for piece in text.split("{m."):
        name, brace, rest = piece.partition("}")
        parts.append(f"{{{name.rpartition('.')[2]}}}{rest}" if brace else piece)
    return "".join(parts)
