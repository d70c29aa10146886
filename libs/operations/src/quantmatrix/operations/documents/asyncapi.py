"""docs/asyncapi/: the bus as AsyncAPI 3 documents, one per service and one of all."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from quantmatrix.common.contracts.asking.question import Problem, Question
from quantmatrix.common.contracts.catalog import EPHEMERAL, MESSAGES
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.runtime.outbox import KEY_HEADER, SEQ_HEADER
from quantmatrix.common.runtime.streams import BY_NAME, SERVICES
from quantmatrix.operations.documents.examples import example_of
from quantmatrix.operations.documents.meanings import text_of
from quantmatrix.operations.documents.messages import template
from quantmatrix.operations.documents.questions import all_questions
from quantmatrix.operations.documents.sources import answering, said_by, told

FOLDER = Path("docs/asyncapi")
VERSION = "1.0.0"
_DECIMAL = r"^-?(0|[1-9]\d{0,17})(\.\d{1,12})?$"
_FIELD = re.compile(r"\{([a-z_]+)\}")
Json = dict[str, Any]


def documents() -> Mapping[Path, str]:
    texts = {FOLDER / f"{service}.json": _json(of_service(service)) for service in SERVICES}
    return texts | {FOLDER / "quantmatrix.json": _json(of_all())}


def _json(document: Json) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def of_service(service: str) -> Json:
    """What one service says, is told, and answers."""
    said = said_by(service)
    heard = tuple(message for message in MESSAGES if service in told(message))
    asked = [question for question in all_questions() if service in answering(question.__name__)]
    operations: Json = {}
    for message in said:
        operations[f"say{message.__name__}"] = _operation("send", message)
    for message in heard:
        operations[f"hear{message.__name__}"] = _operation("receive", message)
    for question in asked:
        operations[f"answer{question.__name__}"] = _answers(service, question)
    return _document(f"QuantMatrix {service}", _unique((*said, *heard)), [(service, question) for question in asked], operations)


def of_all() -> Json:
    """Every channel and message; each is sent by its owner."""
    asked = [(service, question) for question in all_questions() for service in answering(question.__name__)]
    operations = {f"say{message.__name__}": _operation("send", message) for message in MESSAGES}
    for service, question in asked:
        operations[f"{service}Answers{question.__name__}"] = _answers(service, question)
    return _document("QuantMatrix", MESSAGES, asked, operations)


def _document(title: str, messages: Iterable[type[Message]], asked: list[tuple[str, type[Question[Any]]]], operations: Json) -> Json:
    messages = tuple(messages)
    channels: Json = {message.__name__: _channel(message) for message in messages}
    for service, question in asked:
        channels |= _question_channels(service, question)
    questions = _unique(question for _, question in asked)
    types = [*messages, *questions, *_unique(question.ANSWER for question in questions), *((Problem,) if asked else ())]
    _, schemas = msgspec.json.schema_components(types, schema_hook=_exact, ref_template="#/components/schemas/{name}")
    components = {"messages": {m.__name__: _message(m) for m in messages} | _question_messages(questions), "schemas": schemas}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": title,
            "version": VERSION,
            "license": {"name": "Apache-2.0"},
            "description": "Made from the code by `make docs`. Money, prices and quantities are decimal strings.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "bus": {
                "host": "localhost:4222",
                "pathname": "/",
                "protocol": "nats",
                "description": "NATS with JetStream; one user per service.",
            }
        },
        "channels": channels,
        "operations": operations,
        "components": components,
    }


def _channel(message: type[Message]) -> Json:
    address = template(message.SUBJECT)
    family = BY_NAME[message.FAMILY]
    kept = "Not stored." if message in EPHEMERAL else f"Kept in the stream {family.stream}."
    return {
        "address": address,
        "messages": {message.__name__: {"$ref": f"#/components/messages/{message.__name__}"}},
        "description": f"{kept} Numbered under the key {template(message.KEY)}.",
        **_parameters(address),
    }


def _parameters(address: str) -> Json:
    names = _FIELD.findall(address)
    return {"parameters": {name: {"description": f"The message's {name}."} for name in names}} if names else {}


def _message(message: type[Message]) -> Json:
    headers = {
        "type": "object",
        "properties": {
            "Nats-Msg-Id": {"type": "string", "description": "The message's id."},
            KEY_HEADER: {"type": "string", "description": "The key the owner numbers it under."},
            SEQ_HEADER: {"type": "string", "pattern": "^[0-9]+$", "description": "Its number under that key, without gaps."},
        },
        "required": [] if message in EPHEMERAL else ["Nats-Msg-Id", KEY_HEADER, SEQ_HEADER],
    }
    return {
        "name": message.__name__,
        "title": message.__name__,
        "summary": text_of(message).split("\n\n")[0],
        "contentType": "application/json",
        "headers": headers,
        "payload": {"$ref": f"#/components/schemas/{message.__name__}"},
        "examples": [{"payload": example_of(message)}],
    }


def _operation(action: str, message: type[Message]) -> Json:
    channel = f"#/channels/{message.__name__}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "summary": text_of(message).split("\n\n")[0],
        "messages": [{"$ref": f"{channel}/messages/{message.__name__}"}],
    }


def _question_channels(service: str, question: type[Question[Any]]) -> Json:
    name = f"{service}.{question.VERB}"
    return {
        name: {"address": f"svc.{service}.{question.VERB}", "messages": {question.__name__: _ref(question.__name__)}},
        f"{name}.reply": {"address": None, "messages": {f"{question.__name__}Reply": _ref(f"{question.__name__}Reply")}},
    }


def _answers(service: str, question: type[Question[Any]]) -> Json:
    name = f"#/channels/{service}.{question.VERB}"
    return {
        "action": "receive",
        "channel": {"$ref": name},
        "summary": text_of(question).split("\n\n")[0] or f"Answers with {question.ANSWER.__name__}.",
        "messages": [{"$ref": f"{name}/messages/{question.__name__}"}],
        "reply": {
            "channel": {"$ref": f"{name}.reply"},
            "address": {"location": "$message.header#/reply", "description": "The inbox that NATS gave the request."},
            "messages": [{"$ref": f"{name}.reply/messages/{question.__name__}Reply"}],
        },
    }


def _question_messages(questions: Iterable[type[Question[Any]]]) -> Json:
    found: Json = {}
    for question in questions:
        found[question.__name__] = {"name": question.__name__, "payload": {"$ref": f"#/components/schemas/{question.__name__}"}}
        found[f"{question.__name__}Reply"] = {
            "name": f"{question.__name__}Reply",
            "summary": "An answer or a problem.",
            "payload": {
                "type": "object",
                "properties": {
                    "answer": {"anyOf": [{"$ref": f"#/components/schemas/{question.ANSWER.__name__}"}, {"type": "null"}]},
                    "problem": {"anyOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "null"}]},
                },
                "required": ["answer"],
            },
        }
    return found


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/messages/{name}"}


def _unique(things: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(things))


def _exact(kind: type) -> Json:
    """How exact values look in JSON: strings, never numbers."""
    decimal = {"type": "string", "pattern": _DECIMAL}
    if kind.__name__ == "Money":
        properties = {"amount": decimal, "currency": {"type": "string", "pattern": "^[A-Z][A-Z0-9]{2,9}$"}}
        return {"type": "object", "properties": properties, "required": ["amount", "currency"], "additionalProperties": False}
    if kind.__name__ in ("Price", "Quantity"):
        return decimal
    raise NotImplementedError(f"no schema for {kind}")
