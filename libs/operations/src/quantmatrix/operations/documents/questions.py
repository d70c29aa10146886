"""docs/questions.md: what services may ask one another, by request and reply."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from quantmatrix.common.contracts.asking import (
    assignments,
    backtests,
    briefing,
    days,
    derivations,
    execution,
    ledger,
    market,
    messaging,
    notify,
    performance,
    portfolio,
    runs,
    scans,
    signals,
    statements,
    supervisor,
    taxes,
    volatility,
)
from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.runtime.asking import DEADLINE_S
from quantmatrix.common.runtime.streams import SERVICES, asked_by
from quantmatrix.operations.documents.markdown import code, page, table
from quantmatrix.operations.documents.meanings import meaning_of, text_of, type_in_words
from quantmatrix.operations.documents.sources import answering, changes_something

PLACE = Path("docs/questions.md")
_MODULES = (
    market,
    signals,
    runs,
    scans,
    volatility,
    briefing,
    days,
    backtests,
    execution,
    assignments,
    portfolio,
    performance,
    derivations,
    taxes,
    statements,
    notify,
    ledger,
    messaging,
    supervisor,
)


def all_questions() -> tuple[type[Question[msgspec.Struct]], ...]:
    """Every question of the contracts, in the order of its module."""
    return tuple(
        value
        for module in _MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Question) and value is not Question and value.__module__ == module.__name__
    )


def documents() -> Mapping[Path, str]:
    return {PLACE: _whole()}


def _whole() -> str:
    return page(
        "Questions",
        "Services ask one another by NATS request and reply on `svc.<service>.<verb>`. What crosses the bus is a `Reply`: the answer, or a "
        f"problem with a stable code. Whoever asks waits {DEADLINE_S:g} s unless it says otherwise.",
        "## Who may ask whom\n\n" + table(("service", "may ask"), [(one, ", ".join(asked_by(one))) for one in SERVICES]),
        "## At a glance\n\n" + table(("question", "subject", "answered by", "answer", "changes something"), _overview()),
        "## Questions",
        *[_question(question) for question in all_questions()],
        "## Answers and their parts",
        *[_structure(cls) for cls in _structures()],
    )


def _overview() -> list[tuple[str, ...]]:
    return [
        (
            f"[{q.__name__}](#{q.__name__.lower()})",
            code(f"svc.{_target(q)}.{q.VERB}"),
            _answered_by(q),
            f"[{q.ANSWER.__name__}](#{q.ANSWER.__name__.lower()})",
            "yes" if changes_something(q.__name__) else "no",
        )
        for q in all_questions()
    ]


def _target(question: type[Question[msgspec.Struct]]) -> str:
    services = answering(question.__name__)
    return services[0] if len(services) == 1 else "{service}"


def _answered_by(question: type[Question[msgspec.Struct]]) -> str:
    services = answering(question.__name__)
    return "every service" if services == SERVICES else ", ".join(services) or "nobody yet"


def _question(question: type[Question[msgspec.Struct]]) -> str:
    return "\n\n".join(part for part in (f"### {question.__name__}", text_of(question), _fields(question)) if part)


def _structure(cls: type) -> str:
    return "\n\n".join(part for part in (f"### {cls.__name__}", text_of(cls), _fields(cls)) if part)


def _fields(cls: type) -> str:
    info = msgspec.inspect.type_info(cls)
    fields = info.fields if isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DataclassType) else ()
    rows = [(code(f.name), type_in_words(f.type), "yes" if f.required else "no", meaning_of(cls, f.name)) for f in fields]
    return table(("field", "type", "required", "meaning"), rows) if rows else "It has no fields."


def _structures() -> list[type]:
    """Answers, then what they contain, each once."""
    found: list[type] = []
    for question in all_questions():
        _collect(question.ANSWER, found)
    return found


def _collect(cls: type, found: list[type]) -> None:
    if cls in found:
        return
    found.append(cls)
    info = msgspec.inspect.type_info(cls)
    for field in info.fields if isinstance(info, msgspec.inspect.StructType) else ():
        kind = field.type
        while isinstance(kind, msgspec.inspect.VarTupleType | msgspec.inspect.Metadata):
            kind = kind.item_type if isinstance(kind, msgspec.inspect.VarTupleType) else kind.type
        if isinstance(kind, msgspec.inspect.StructType) and kind.cls.__module__.startswith("quantmatrix.common.contracts.asking"):
            _collect(kind.cls, found)
