"""qm migrate, provision, bootstrap: prepare outside servers; and qm docs, which writes the generated documents."""

import importlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from quantmatrix.common.runtime.permissions import PROVISION_USER
from quantmatrix.common.runtime.provisioning import provision
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.bootstrap import make_roles
from quantmatrix.operations.commands.common import AsJson, read_settings, run
from quantmatrix.operations.connecting import connect
from quantmatrix.operations.output import err, out, tell_json
from quantmatrix.operations.places import SetUpError
from quantmatrix.operations.schemas import migrate_if_behind
from quantmatrix.operations.settings import OperationsSettings, address_of


def migrate_command(as_json: AsJson = False) -> None:
    """Bring every service's schema to this program's revision (QM_<SERVICE>_DATABASE_URL)."""
    urls = {service: address_of(service) for service in SERVICES}
    done = run(migrate_if_behind(urls, lambda text: err.print(text, style="dim")), as_json=as_json)
    _tell({"migrated": done}, f"migrated: {', '.join(done) or 'nothing was behind'}", as_json=as_json)


def bootstrap(as_json: AsJson = False) -> None:
    """Create roles and schemas on an outside database (QM_DATABASE_SUPERUSER_URL), as the services' addresses name them."""
    settings = read_settings(as_json=as_json)
    run(_bootstrap(settings), as_json=as_json)
    _tell({"bootstrapped": True}, "roles and schemas are there", as_json=as_json)


async def _bootstrap(settings: OperationsSettings) -> None:
    superuser = settings.database_superuser_url.get_secret_value()
    if not superuser:
        raise SetUpError("QM_DATABASE_SUPERUSER_URL is not set: name the database with a role that may create roles and schemas")
    passwords = {service: _password(service, address_of(service)) for service in SERVICES}
    passwords["paper"] = _password("paper", settings.execution_paper_database_url.get_secret_value())
    await make_roles(superuser, passwords)


def _password(name: str, address: str) -> str:
    parts = urlsplit(address)
    if parts.username != f"qm_{name}" or not parts.password:
        raise SetUpError(f"the database address of {name} must name the role qm_{name} and its password; it names {parts.username!r}")
    return unquote(parts.password)


def provision_command(as_json: AsJson = False) -> None:
    """Make streams and consumers on an outside NATS server (QM_NATS_URL, QM_NATS_PROVISION_PASSWORD)."""
    made = run(_provision(read_settings(as_json=as_json)), as_json=as_json)
    _tell({"changed": made}, "streams and consumers made or changed" if made else "everything was there", as_json=as_json)


async def _provision(settings: OperationsSettings) -> bool:
    try:
        password = settings.nats_provision_password.get_secret_value()
        client = await connect(settings.nats_url, PROVISION_USER, password, connect_timeout=5, allow_reconnect=False)
    except Exception as error:
        raise SetUpError(f"the NATS server at {settings.nats_url} does not take the user {PROVISION_USER}: {error}") from error
    try:
        return (await provision(client.jetstream())).anything
    finally:
        await client.close()


def docs() -> None:
    """Write the generated documents again (from a checkout)."""
    documents = importlib.import_module("quantmatrix.operations.documents")  # needs the tools of development
    for path in documents.write_all(Path.cwd()):
        out.print(str(path))


def _tell(value: object, sentence: str, *, as_json: bool) -> None:
    if as_json:
        tell_json(value)
    else:
        out.print(sentence, highlight=False)
