"""The OpenAPI document: FastAPI's own, with the schemas of the services' answers, which are not pydantic models."""

from typing import Any

import msgspec
from fastapi import FastAPI

from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.gateway.problems import DOCUMENTED, Problem

REF = "#/components/schemas/{name}"
_DECIMAL = {"type": "string", "pattern": r"^-?(0|[1-9]\d{0,17})(\.\d{1,12})?$", "description": "An exact decimal."}
_MONEY = {
    "type": "object",
    "required": ["amount", "currency"],
    "properties": {"amount": _DECIMAL, "currency": {"type": "string", "pattern": "^[A-Z][A-Z0-9]{2,9}$"}},
}
_answers: set[type[msgspec.Struct]] = {Problem}


def answers(struct: type[msgspec.Struct], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: it answers this struct, or a problem document."""
    _answers.add(struct)
    schema = {"$ref": REF.format(name=struct.__name__)}
    text = (struct.__doc__ or struct.__name__).strip().splitlines()[0]
    return {status: {"description": text, "content": {"application/json": {"schema": schema}}}, **DOCUMENTED}


def answers_list(struct: type[msgspec.Struct]) -> dict[int | str, dict[str, Any]]:
    """For a route that answers an array of these structs."""
    found = answers(struct)
    found[200]["content"]["application/json"]["schema"] = {"type": "array", "items": {"$ref": REF.format(name=struct.__name__)}}
    return found


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of an application, in a stable order."""
    document = app.openapi()
    _, components = msgspec.json.schema_components(sorted(_answers, key=lambda one: one.__name__), schema_hook=_schema_of, ref_template=REF)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update({name: _with_numbers(schema) for name, schema in components.items()})
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["components"]["securitySchemes"] = {"session": {"type": "apiKey", "in": "cookie", "name": "qm_session"}}
    document["security"] = [{"session": []}]
    return document


def _with_numbers(schema: Any) -> Any:
    """A bare Decimal appears in the older shapes only, and there it is written as a number."""
    if schema == {"type": "string", "format": "decimal"}:
        return {"type": "number"}
    if isinstance(schema, dict):
        return {key: _with_numbers(value) for key, value in schema.items()}
    return [_with_numbers(one) for one in schema] if isinstance(schema, list) else schema


def _schema_of(kind: type[Any]) -> dict[str, Any]:
    if kind is Price or kind is Quantity:
        return _DECIMAL
    if kind is Money:
        return _MONEY
    if kind is object:
        return {"description": "Any JSON."}
    raise NotImplementedError(f"{kind.__name__} has no schema")
