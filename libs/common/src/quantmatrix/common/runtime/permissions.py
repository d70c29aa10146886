"""The NATS server's configuration, made from the table of streams: one user per service, and nothing more than it needs."""

from collections.abc import Sequence
from dataclasses import dataclass

from quantmatrix.common.runtime.streams import FAMILIES, SERVICES, TAKINGS, Taking, asked_by, heard_by

PROVISION_USER = "provision"
OPERATOR_USER = "operator"
SYSTEM_USER = "system"
WORKER_USER = "worker"
TAKERS = tuple(taking.user for taking in TAKINGS)
USERS = (*SERVICES, *TAKERS, PROVISION_USER, OPERATOR_USER, SYSTEM_USER)


@dataclass(frozen=True, slots=True)
class Permissions:
    """The subjects a user may publish and subscribe to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def permissions_of(service: str) -> Permissions:
    """Its own families, its own consumers, the questions it may ask, and its own inbox. No stream or consumer is made."""
    publish = [subject for family in FAMILIES if service in family.publishers and family.name != "parked" for subject in family.subjects]
    publish.append(f"parked.{service}")
    for hearing in heard_by(service):
        place = f"{hearing.stream}.{hearing.durable}"
        publish += [f"$JS.API.CONSUMER.INFO.{place}", f"$JS.ACK.{place}.>"]
    publish += [f"$JS.API.CONSUMER.INFO.{one.stream}.{one.durable}" for one in TAKINGS if service in one.tells]
    publish += [f"svc.{asked}.>" for asked in asked_by(service)]
    if service == "gateway":
        publish.append("svc.supervisor.>")
    live = ("prices.quote.*",) if service == "gateway" else ()
    return Permissions(tuple(publish), (f"_INBOX.{service}.>", f"svc.{service}.>", f"deliver.{service}.>", *live))


def permissions_of_taker(taking: Taking) -> Permissions:
    """The next message, its acknowledgement, the few questions of the table, and its own inbox."""
    place = f"{taking.stream}.{taking.durable}"
    asks = [f"svc.{service}.{verb}" for service, verb in taking.asks]
    return Permissions((f"$JS.API.CONSUMER.MSG.NEXT.{place}", f"$JS.ACK.{place}.>", *asks), (f"_INBOX.{taking.user}.>",))


def password_variable(user: str) -> str:
    """The environment variable that holds a user's password."""
    return f"QM_NATS_{user.upper()}_PASSWORD"


def server_configuration(*, listen: str, monitor: str | None, store_dir: str, durable: bool = False) -> str:
    """A nats-server configuration file. Passwords stay in the environment (`QM_NATS_<USER>_PASSWORD`).

    durable: each stored message is fsynced before it is acknowledged.
    """
    users = [_user(service, permissions_of(service), answers=True) for service in SERVICES]
    users += [_user(taking.user, permissions_of_taker(taking)) for taking in TAKINGS]
    users.append(_user(PROVISION_USER, Permissions(("$JS.API.>",), (f"_INBOX.{PROVISION_USER}.>",))))
    users.append(_user(OPERATOR_USER, Permissions(("svc.>",), (f"_INBOX.{OPERATOR_USER}.>", "svc.supervisor.>")), answers=True))
    lines = [
        f"listen: {_quoted(listen)}",
        *([f"http: {_quoted(monitor)}"] if monitor else []),
        "max_payload: 8MB",
        "jetstream {",
        f"  store_dir: {_quoted(store_dir)}",
        "  max_memory_store: 256MB",
        "  max_file_store: 4GB",
        f"  sync_interval: {'always' if durable else _quoted('2m')}",
        "}",
        "accounts {",
        "  QM {",
        "    jetstream: enabled",
        "    users: [",
        *users,
        "    ]",
        "  }",
        f"  SYS {{ users: [ {{ user: {SYSTEM_USER}, password: ${password_variable(SYSTEM_USER)} }} ] }}",
        "}",
        "system_account: SYS",
        "",
    ]
    return "\n".join(lines)


def _user(name: str, permissions: Permissions, *, answers: bool = False) -> str:
    parts = [
        f"      {{ user: {name}, password: ${password_variable(name)}, permissions: {{",
        f"          publish: {{ allow: [{_list(permissions.publish)}] }}",
        f"          subscribe: {{ allow: [{_list(permissions.subscribe)}] }}",
    ]
    if answers:
        parts.append('          allow_responses: { max: 1, expires: "10s" }')
    parts.append("      } }")
    return "\n".join(parts)


def _list(subjects: Sequence[str]) -> str:
    return ", ".join(_quoted(subject) for subject in subjects)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
