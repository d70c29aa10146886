"""Requests to every route of the slot, made from the routes themselves, with somebody else's ids wherever a route takes one."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypeGuard, get_args, get_origin

import asyncpg
import httpx
from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute
from pydantic import BaseModel
from services.gateway.tests.running import Desk

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.gateway import routes
from quantmatrix.gateway.context import administrator_of

OWNED = frozenset(
    {"account_id", "account", "order_id", "trade_id", "run_id", "bot_id", "number", "id", "notification_id", "break_id", "user_id"}
    | {"parked_id", "closing_id", "closing", "lot_id", "lots", "uploads", "upload_id"}
)
"""Names under which routes take what belongs to somebody."""
OPEN: Mapping[str, Any] = {
    "symbol": "AAPL", "product_id": "AAPL", "instrument_id": "AAPL", "instrument": "AAPL", "strategy": "atr_matrix", "session": "2004-04-30",
    "service": "execution", "name": "trades", "act": "pause", "reason": "because", "password": "not the password", "old": "not the password",
    "new": "another password of somebody", "key": "a key", "amount": "1", "csv": "AAPL,Tech", "text": "AAPL,Tech", "sector": "Tech",
    "size_usd": "100", "side": "SELL", "pace_s": 1, "market_cap": 1, "unrealised_pct": 1, "since": "2004-01-02", "method": "fifo", "capital": "1000",
    "sentence": "run ATR Matrix on paper, $10k", "symbols": ["AAPL"], "wanted": "{}", "origin": "realised", "year": 2004,
    "option": "AAPL  040618C00030000", "contracts": 1,
}  # fmt: skip
"""Values that belong to nobody, for parameters that need one."""
SIMPLEST = "x"
"""For a text that is placed nowhere: a route may not understand it."""
ARRIVAL: Mapping[str, Any] = {
    "what": "arrival", "origin": "transfer", "quantity": "1", "basis": None, "acquired_on": None, "session": "2004-04-30",
    "at": "2004-04-30T16:00:00Z",
    "instrument": {"instrument_id": "X-1", "symbol": "AAPL", "asset_class": "stock", "currency": "USD", "multiplier": "1"},
}  # fmt: skip
"""Units that somebody says have arrived."""
ELSEWHERE: Mapping[str, str] = {
    "/login": "nobody is logged in yet",
    "/logout": "ends the asker's own login",
    "/api/v1/stream": "never ends; what is heard there is claimed beside",
    "/stream": "the same",
}
"""Routes that are not asked here, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One request. named: the ids in it that are somebody's; in_path: whether one stands in the path, so that there is nothing for a stranger."""

    method: str
    template: str
    path: str
    query: dict[str, Any]
    body: dict[str, Any]
    form: bool
    named: tuple[str, ...]
    in_path: bool
    for_administrators: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.query} {self.body}"

    async def by(self, who: Desk | Any) -> httpx.Response:
        told: dict[str, Any] = {
            "params": self.query,
            "headers": {"X-CSRF-Token": who.csrf, "Idempotency-Key": f"{self.method} {self.path}"},
        }
        if self.method != "GET":
            told |= {"data" if self.form else "json": self.body}
        answer: httpx.Response = await who.client.request(self.method, self.path, **told)
        return answer


def all_routes() -> list[APIRoute]:
    return [one for name in names_in(routes) for one in load(routes, name).ROUTER.routes if isinstance(one, APIRoute)]


def calls(owned: Mapping[str, Any]) -> Iterator[Called]:
    """A request to every route. owned: a value under each name of OWNED; `statement_break` for the breaks of statements."""
    for route in all_routes():
        if route.path not in ELSEWHERE:
            here = {**owned, "break_id": owned["statement_break"]} if "/statements/" in route.path else owned
            yield from (_called(route, method, here) for method in sorted(route.methods or ()))


def _called(route: APIRoute, method: str, owned: Mapping[str, Any]) -> Called:
    parts = [*_flat(route.dependant)]
    in_path = {one.alias: _value(one.alias, one.field_info.annotation, owned) for part in parts for one in part.path_params}
    path = route.path
    for name, value in in_path.items():
        path = path.replace(f"{{{name}}}", str(value))
    query = {
        one.alias: _value(one.alias, one.field_info.annotation, owned)
        for part in parts
        for one in part.query_params
        if one.alias in OWNED or one.field_info.is_required()
    }
    body = _body(parts, owned)
    guards = {part.call for part in parts}
    return Called(
        method=method,
        template=route.path,
        path=path,
        query=query,
        body=body,
        form=any(isinstance(one.field_info, Form) for part in parts for one in part.body_params),
        named=tuple(text for given in (in_path, query, body) for name, value in given.items() if name in OWNED for text in _texts(value)),
        in_path=bool(OWNED & set(in_path) - {"upload_id"}),  # whoever hands a file in names it, among their own
        for_administrators=administrator_of in guards,
    )


def _body(parts: list[Dependant], owned: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for field in [field for part in parts for field in part.body_params]:
        kind = field.field_info.annotation
        if field.name == "act" and get_origin(kind) is dict:
            return dict(ARRIVAL)
        body |= _filled(kind, owned) if _is_model(kind) else {field.alias: _value(field.alias, kind, owned)}
    return body


def _is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def names_taken(route: APIRoute) -> Iterator[str]:
    """The names of a route's parameters, of its path, its query and its body."""
    for part in _flat(route.dependant):
        for field in (*part.path_params, *part.query_params, *part.body_params):
            kind = field.field_info.annotation
            yield from kind.model_fields if _is_model(kind) else (field.alias,)


def _flat(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for one in dependant.dependencies:
        yield from _flat(one)


def _filled(model: type[BaseModel], owned: Mapping[str, Any]) -> dict[str, Any]:
    """A body with what it needs and whatever in it belongs to somebody."""
    body = {
        name: _value(name, field.annotation, owned)
        for name, field in model.model_fields.items()
        if field.is_required() or name in OWNED or name in OPEN
    }
    if "lots" in body:  # they say the size themselves
        body.pop("size_usd", None)
    return body


def _value(name: str, kind: Any, owned: Mapping[str, Any]) -> Any:
    """Somebody's id, a value that belongs to nobody, or the first of a closed choice; otherwise the simplest of its type."""
    if name == "lots":
        return f"{owned[name]} 1" if kind is str else [{"lot_id": owned[name], "quantity": "1"}]
    if name in OWNED:
        return owned[name]
    choices = get_args(kind) if get_origin(kind) is Literal else [one.value for one in kind] if _is_enum(kind) else ()
    if name in OPEN and (not choices or OPEN[name] in choices):
        return OPEN[name]
    if choices:
        return choices[0]
    if kind is bool:
        return False
    return 1 if kind in (int, float, Decimal) else SIMPLEST


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def told(answer: httpx.Response, call: Called) -> str:
    """What an answer says, but for the ids that the request named itself and for what every answer has of its own."""
    text = re.sub(r'"instance": ?"[^"]*"', "", answer.text)
    text = re.sub(r'X-CSRF-Token": ?"[^"]*"|name="(csrf|key)" value="[^"]*"', "", text)
    for one in call.named:
        text = re.sub(rf"(?<![\w-]){re.escape(one)}(?![\w-])", "…", text)
    return text


def _texts(value: Any) -> tuple[str, ...]:
    """A value as requests and answers write it: a lot with its units is the lot."""
    if isinstance(value, list):
        return tuple(text for one in value for text in _texts(one))
    return (str(value["lot_id"] if isinstance(value, dict) else value).removesuffix(" 1"),)


async def rows_of(desk: Desk, marks: frozenset[str], asker: UserId) -> dict[str, list[str]]:
    """Every row of every table that mentions one of these marks, but for the asker's own and for how far readers have read."""
    connection = await asyncpg.connect(desk.database.superuser_url)
    marked = re.compile("|".join(re.escape(mark) for mark in sorted(marks)))
    found: dict[str, list[str]] = {}
    try:
        for table in await _tables(connection):
            rows = [row[0] for row in await connection.fetch(f"select to_jsonb(t)::text from {table} t")]
            found[table] = sorted(row for row in rows if marked.search(row) and str(asker) not in row)
    finally:
        await connection.close()
    return {table: rows for table, rows in found.items() if rows and not table.endswith(".inbox")}


async def marks_of(desk: Desk, user: UserId) -> frozenset[str]:
    """The user's own id, and every id that stands in a row of theirs or of their accounts."""
    connection = await asyncpg.connect(desk.database.superuser_url)
    marks = {str(user)}
    try:
        marks |= {row[0] for row in await connection.fetch("select account_id from execution.account where user_id = $1", user)}
        for table in await _tables(connection):
            for (text,) in await connection.fetch(f"select to_jsonb(t)::text from {table} t"):
                row = json.loads(text)
                if str(row.get("user_id")) == str(user) or str(row.get("account_id")) in marks:
                    marks |= {one for name, one in row.items() if name.endswith("_id") and isinstance(one, str) and len(one) == UUID_LONG}
    finally:
        await connection.close()
    return frozenset(marks)


UUID_LONG = 36


async def _tables(connection: Any) -> list[str]:
    rows = await connection.fetch(
        """select format('%I.%I', table_schema, table_name) as name from information_schema.tables
           where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema') order by 1"""
    )
    return [row["name"] for row in rows]
