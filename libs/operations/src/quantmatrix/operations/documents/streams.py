"""docs/streams.md: streams, consumers, and who may do what on the bus."""

from collections.abc import Mapping
from pathlib import Path

from quantmatrix.common.runtime.permissions import (
    OPERATOR_USER,
    PROVISION_USER,
    SYSTEM_USER,
    password_variable,
    permissions_of,
    permissions_of_taker,
)
from quantmatrix.common.runtime.streams import (
    ACK_WAIT_S,
    DAY_S,
    DUPLICATE_WINDOW_S,
    FAMILIES,
    HEARINGS,
    PENDING_MAX,
    SERVICES,
    TAKINGS,
    Family,
)
from quantmatrix.operations.documents.markdown import code, codes, page, table

PLACE = Path("docs/streams.md")


def documents() -> Mapping[Path, str]:
    return {PLACE: _whole()}


def _whole() -> str:
    return page(
        "Streams, consumers, permissions",
        "One table in `libs/common/src/quantmatrix/common/runtime/streams.py` says who says what, where the bus keeps it and who hears it. "
        "Provisioning makes the streams and consumers from it, the server's users are made from it, and so is this page.",
        "## Streams\n\n"
        + table(("stream", "subjects", "published by", "kept in", "kept for", "at most", "when full"), [_stream(one) for one in FAMILIES])
        + f"\n\nThe bus recognises a message id again within {DUPLICATE_WINDOW_S} s; readers recognise the number of a message for ever.",
        "## Consumers\n\n"
        f"Durable push consumers, acknowledged one by one, {PENDING_MAX} messages ahead at most, given again after {ACK_WAIT_S:g} s without an "
        "answer, and never given up by the server.\n\n"
        + table(
            ("service", "stream", "durable", "hears", "delivered to"),
            [(h.service, h.stream, code(h.durable), codes(h.subjects), code(h.delivered_to)) for h in HEARINGS],
        ),
        "## Work queues\n\n"
        "Durable pull consumers: of all processes under the user, whoever has time asks for the next message. Given to somebody else when it is "
        f"not heard of for {ACK_WAIT_S:g} s.\n\n"
        + table(
            ("user", "stream", "durable", "asks besides"),
            [(t.user, t.stream, code(t.durable), codes(tuple(f"svc.{service}.{verb}" for service, verb in t.asks))) for t in TAKINGS],
        ),
        "## Who publishes which family\n\n" + _matrix(),
        "## Permissions\n\n" + _permissions(),
    )


def _stream(family: Family) -> tuple[str, ...]:
    return (
        family.stream,
        codes(family.subjects),
        "every service" if family.publishers == SERVICES else ", ".join(family.publishers),
        "memory" if family.memory else "a file",
        _age(family.max_age_s) + (", until it is acknowledged" if family.work_queue else ""),
        f"{family.max_mib} MiB",
        "new messages are refused; the outbox holds them" if family.keep_new_out_when_full else "the oldest go",
    )


def _age(seconds: int) -> str:
    return f"{seconds // DAY_S} days" if seconds >= DAY_S else f"{seconds // 3600} h"


def _matrix() -> str:
    rows = []
    for service in SERVICES:
        heard = {hearing.family for hearing in HEARINGS if hearing.service == service}
        cells = [
            " and ".join(word for word, holds in (("says", service in f.publishers), ("hears", f.name in heard)) if holds) for f in FAMILIES
        ]
        rows.append((service, *cells))
    return table(("service", *[code(family.name) for family in FAMILIES]), rows)


def _permissions() -> str:
    rows = []
    for service in SERVICES:
        allowed = permissions_of(service)
        rows.append((service, code(password_variable(service)), _lines(allowed.publish), _lines(allowed.subscribe)))
    for taking in TAKINGS:
        allowed = permissions_of_taker(taking)
        rows.append((taking.user, code(password_variable(taking.user)), _lines(allowed.publish), _lines(allowed.subscribe)))
    note = (
        f"\n\nThree more users: `{PROVISION_USER}` makes streams and consumers and nothing else, `{OPERATOR_USER}` asks questions for `qm`, "
        f"`{SYSTEM_USER}` belongs to the server's own account. No service may create, change, purge or delete a stream or consumer, "
        "and none may read another's inbox. Everybody may answer a request that reached it."
    )
    return table(("user", "password", "may publish", "may subscribe"), rows) + note


def _lines(subjects: tuple[str, ...]) -> str:
    return "<br>".join(code(subject) for subject in subjects)
