"""deploy/nats/nats.conf: the bus of a deployment, with the users and permissions of the table."""

from collections.abc import Mapping
from pathlib import Path

from quantmatrix.common.runtime.permissions import server_configuration

PLACE = Path("deploy/nats/nats.conf")
LISTEN = "0.0.0.0:4222"
MONITOR = "0.0.0.0:8222"
STORE = "/data"


def documents() -> Mapping[Path, str]:
    head = (
        "# Made from the code by `make docs`; a test fails when it is out of date. Do not edit it.\n"
        "# The passwords are read from the environment (QM_NATS_<USER>_PASSWORD).\n"
    )
    return {PLACE: head + server_configuration(listen=LISTEN, monitor=MONITOR, store_dir=STORE)}
