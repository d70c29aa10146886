"""docs/settings.md and .env.example: everything that can be told to the services and to `qm`."""

import importlib
import importlib.util
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from quantmatrix.common.runtime.permissions import USERS, password_variable
from quantmatrix.common.runtime.settings import ServiceSettings, variables_of
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.documents.markdown import code, page, table

PAGE = Path("docs/settings.md")
ENVIRONMENT = Path(".env.example")
_OPERATIONS = "quantmatrix.operations.settings"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: the variable it is read from, and what a person must know to set it."""

    variable: str
    general: str
    kind: str
    default: str
    limits: str
    description: str
    secret: bool


def documents() -> Mapping[Path, str]:
    return {PAGE: _page(), ENVIRONMENT: _environment()}


def shared_settings() -> list[Setting]:
    """What every service is told."""
    return list(_settings(ServiceSettings, set()))


def settings_of(service: str) -> list[Setting]:
    """What only this service is told; empty while it has no settings of its own."""
    return [setting for cls in _classes(f"quantmatrix.{service}.settings") for setting in _settings(cls, set(ServiceSettings.model_fields))]


def operations_settings() -> list[Setting]:
    """What `qm` is told."""
    shared = set(ServiceSettings.model_fields)
    return [setting for cls in _classes(_OPERATIONS) for setting in _settings(cls, shared if issubclass(cls, ServiceSettings) else set())]


def variables() -> frozenset[str]:
    """Every environment variable that means something, the forms that name a file included."""
    found = {password_variable(user) for user in USERS}
    for setting in (*shared_settings(), *operations_settings()):
        found |= {setting.variable, setting.general}
    for service in SERVICES:
        for setting in settings_of(service):
            found |= {setting.variable, setting.general}
        found |= {setting.general.replace("QM_", f"QM_{service.upper()}_", 1) for setting in shared_settings()}
    return frozenset(found | {f"{name}_FILE" for name in found})


def _classes(module: str) -> list[type[BaseSettings]]:
    try:
        if importlib.util.find_spec(module) is None:
            return []
    except ModuleNotFoundError:
        return []
    found = vars(importlib.import_module(module)).values()
    return [one for one in found if isinstance(one, type) and issubclass(one, BaseSettings) and one.__module__ == module]


def _settings(cls: type[BaseSettings], but: set[str]) -> Iterator[Setting]:
    for name, field in cls.model_fields.items():
        if name not in but:
            particular, general = _variables(cls, name)
            yield Setting(
                variable=particular,
                general=general,
                kind=_kind(field.annotation),
                default=_default(field),
                limits=_limits(field),
                description=field.description or "",
                secret=field.annotation is SecretStr,
            )


def _variables(cls: type[BaseSettings], name: str) -> tuple[str, str]:
    """The particular and the general variable; the same one for settings that belong to no service."""
    if getattr(cls, "SERVICE", ""):
        particular, general = variables_of(cls, name)
        return particular, general
    alone = f"{cls.model_config.get('env_prefix') or 'QM_'}{name}".upper()
    return alone, alone


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " · ".join(str(value) for value in get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        return _kind(next(one for one in get_args(annotation) if one is not type(None)))
    if get_origin(annotation) is tuple:
        return "list with commas"
    return _KINDS.get(getattr(annotation, "__name__", ""), getattr(annotation, "__name__", str(annotation)))


_KINDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "Decimal": "decimal",
    "bool": "true · false",
    "date": "date (YYYY-MM-DD)",
    "Path": "path",
    "SecretStr": "secret",
}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return "" if value is None else str(value)


def _limits(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(rule, word)}" for rule in field.metadata for word, sign in signs.items() if getattr(rule, word, None) is not None
    ]
    return ", ".join(found)


_INTRODUCTION = (
    "Every setting is an environment variable. A service reads `QM_<SERVICE>_<NAME>` first and `QM_<NAME>` otherwise, so a value can be given to one "
    "service or to all. Each may also be given as a file: append `_FILE` to the name and write the file's path; that is how secrets are handed over. "
    "A value that does not fit is refused at start, in one sentence that names the variable, with exit code 4. Units stand at the end of a name: "
    "`_s` seconds, `_pct` percent, `_max` and `_min` limits."
)


def _page() -> str:
    parts = ["## Every service\n\n" + _table(shared_settings(), general=True)]
    parts += [
        f"## {service}\n\n" + (_table(own) if (own := settings_of(service)) else "Nothing beyond the settings of every service.")
        for service in SERVICES
    ]
    if own := operations_settings():
        parts.append("## qm\n\nAnd the addresses of every service, as `QM_<SERVICE>_DATABASE_URL`.\n\n" + _table(own, general=True))
    passwords = table(("variable", "user"), [(code(password_variable(user)), user) for user in USERS])
    parts.append("## The NATS server\n\nIts configuration names the passwords of its users by these variables.\n\n" + passwords)
    return page("Settings", _INTRODUCTION, *parts)


def _table(settings: list[Setting], *, general: bool = False) -> str:
    rows = [(code(s.general if general else s.variable), s.kind, code(s.default), s.limits, s.description) for s in settings]
    return table(("variable", "kind", "default", "limits", "meaning"), rows)


def _environment() -> str:
    lines = [
        "# Every setting with its default. Copy to .env and change what you need; `docs/settings.md` explains them.",
        "# Made from the code by `make docs`. Secrets are better given as files: NAME_FILE=/path/of/the/file.",
        "",
        "# --- every service (QM_<SERVICE>_<NAME> gives a value to one service only)",
        *_lines(shared_settings(), general=True),
    ]
    for service in SERVICES:
        if own := settings_of(service):
            lines += ["", f"# --- {service}", *_lines(own)]
    if own := operations_settings():
        lines += ["", "# --- qm", *_lines(own, general=True)]
    return "\n".join(lines) + "\n"


def _lines(settings: list[Setting], *, general: bool = False) -> list[str]:
    found = []
    for setting in settings:
        name = setting.general if general else setting.variable
        facts = "; ".join(part for part in (setting.kind, setting.limits) if part)
        found += [
            f"# {setting.description} [{facts}]",
            f"#{name}{'_FILE' if setting.secret and not setting.default else ''}={setting.default}",
        ]
    return found
