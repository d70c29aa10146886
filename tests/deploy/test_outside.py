"""The steps of compose.yaml, taken with real servers: secrets, preparation, services, and a replay that ends with books that agree.

Where the program openssl is there to make a certificate, the bus refuses whoever does not encrypt, as it should between machines. The
PostgreSQL that the tests bring was built without encryption.
"""

import asyncio
import dataclasses
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from quantmatrix.common.contracts.asking.market import ReplayStatus, ReplayStatusAsked
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.permissions import OPERATOR_USER, USERS, password_variable
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.bootstrap import make_database
from quantmatrix.operations.checking import check
from quantmatrix.operations.client import asking
from quantmatrix.operations.places import Places
from quantmatrix.operations.processes import Child
from quantmatrix.operations.servers.nats import free_port, nats_program
from quantmatrix.operations.servers.postgres import PostgresServer

DEPLOY = Path(__file__).parents[2] / "deploy"
PREPARATION = ("bootstrap", "migrate", "provision")
READY_S = 240.0
REPLAY_S = 240.0
OPENSSL = shutil.which("openssl")
pytestmark = [pytest.mark.servers, pytest.mark.long(20)]


class Certificate:
    """A server's own, which is its own authority too."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        wanted = ["-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"]
        made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", str(self.key), "-out", str(self.certificate)]
        subprocess.run([str(OPENSSL), "req", "-x509", *made, *wanted], check=True, capture_output=True, timeout=60)

    def as_configured(self) -> str:
        return f'\ntls {{ cert_file: "{self.certificate}", key_file: "{self.key}" }}\n'


class Deployment:
    """compose.yaml on this machine: the same commands and variables, other addresses."""

    def __init__(self, compose: dict[str, Any], home: Path, *, encrypted: bool) -> None:
        self._services = compose["services"]
        self.secrets = home / "secrets"
        subprocess.run(["sh", str(DEPLOY / "make-secrets.sh"), str(self.secrets)], check=True, capture_output=True, timeout=60)
        self._logs = home / "logs"
        self._places = Places(home / "data")
        made = dataclasses.replace(self._places.open(), superuser=self.secret("postgres_password"))
        self.postgres = PostgresServer(self._places, made)
        self._certificate = Certificate(home) if encrypted else None
        self._bus_port, self._monitor_port = free_port(), free_port()
        self.health_ports = {service: free_port() for service in SERVICES}
        self._children: list[Child] = []

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text(encoding="utf-8")

    @property
    def bus_url(self) -> str:
        return f"{'tls' if self._certificate else 'nats'}://127.0.0.1:{self._bus_port}"

    async def start_servers(self) -> None:
        await self.postgres.initialise()
        await self.postgres.start()
        await make_database(self.postgres.superuser_url("postgres"))
        for path in self.secrets.glob("*_url"):
            path.chmod(0o600)
            path.write_text(path.read_text().replace("@postgres:5432/quantmatrix", f"@/quantmatrix?host={self._places.runtime}"))
        configuration = (DEPLOY / "nats" / "nats.conf").read_text(encoding="utf-8")
        for inside, here in (("0.0.0.0:4222", f"127.0.0.1:{self._bus_port}"), ("0.0.0.0:8222", f"127.0.0.1:{self._monitor_port}")):
            configuration = configuration.replace(f'"{inside}"', f'"{here}"')
        configuration = configuration.replace('"/data"', f'"{self._places.nats}"')
        if self._certificate is not None:
            configuration += self._certificate.as_configured()
        path = self._places.runtime / "outside.conf"
        path.write_text(configuration, encoding="utf-8")
        passwords = {password_variable(user): self.secret(f"nats_{user}_password") for user in USERS}
        await self._start("nats", [str(nats_program()), "-c", str(path)], passwords)
        async with httpx.AsyncClient() as client:
            await wait_until(lambda: _is_ok(client, self._monitor_port, "/healthz"), "the bus is healthy")

    async def prepare(self) -> None:
        """The three commands, one after the other; each must say that it worked, a second time too."""
        for name in PREPARATION * 2:
            program, command = self._services[name]["command"]
            assert program == "qm"
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "quantmatrix.operations", command],
                env=self._environment(name),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"qm {command}: {done.stdout}{done.stderr}"

    async def start_services(self, **environment: str) -> None:
        for service in SERVICES:
            own = {
                "QM_HEALTH_PORT": str(self.health_ports[service]),
                "QM_GATEWAY_HOST": "127.0.0.1",
                "QM_GATEWAY_PORT": str(free_port()),
                "POLARS_MAX_THREADS": "1",
            }
            await self._start(
                service, [sys.executable, *self._services[service]["command"][1:]], self._environment(service) | own | environment
            )

    async def stop(self) -> None:
        await asyncio.gather(*(child.stop() for child in reversed(self._children)))
        await self.postgres.child.stop()
        self._places.close()

    def trusting(self) -> dict[str, Any]:
        """What a connection of the test itself is told; the processes are told by a variable of their environment."""
        return {"tls": ssl.create_default_context(cafile=self._certificate.certificate)} if self._certificate else {}

    def said(self) -> str:
        """The last words of every process, for a test that fails."""
        return "\n".join(f"--- {child.name}\n{child.last_words(3)}" for child in self._children)

    async def _start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        child = Child(
            name=name, command=command, environment={"PATH": os.environ["PATH"], **environment}, output=self._logs / f"{name}.log"
        )
        await child.start()
        self._children.append(child)

    def _environment(self, name: str) -> dict[str, str]:
        """What compose.yaml tells a container, with this machine's addresses and the defaults of its own variables."""
        told = {"PATH": os.environ["PATH"]} | ({"SSL_CERT_FILE": str(self._certificate.certificate)} if self._certificate else {})
        for variable, value in self._services[name]["environment"].items():
            text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
            told[variable] = text.replace("/run/secrets", str(self.secrets)).replace("nats://nats:4222", self.bus_url)
        return told


async def _is_ok(client: httpx.AsyncClient, port: int, path: str) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}{path}", timeout=2)).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


async def _metrics(port: int) -> dict[str, float]:
    """What a service tells Prometheus, without labels."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics", timeout=60)).text
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples if not sample.labels}


@pytest.fixture(params=["encrypted" if OPENSSL else "plain"])
async def deployment(compose: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Deployment]:
    made = Deployment(compose, tmp_path, encrypted=request.param == "encrypted")
    try:
        await made.start_servers()
        yield made
    finally:
        await made.stop()


async def test_the_steps_of_compose_lead_to_a_replay_whose_books_agree(deployment: Deployment) -> None:
    await deployment.prepare()
    await deployment.start_services(
        QM_MARKET_REPLAY_PACE_S="0", QM_MARKET_REPLAY_SYMBOLS="AAPL", QM_MARKET_REPLAY_FROM="2004-11-01", QM_MARKET_REPLAY_TO="2005-03-31"
    )
    async with httpx.AsyncClient() as client:
        for service, port in deployment.health_ports.items():
            await wait_until(lambda at=port: _is_ok(client, at, "/readyz"), f"{service} is ready\n{deployment.said()}", within_s=READY_S)
    async with asking(deployment.bus_url, deployment.secret(f"nats_{OPERATOR_USER}_password"), **deployment.trusting()) as ask:

        async def finished() -> ReplayStatus | None:
            try:
                status = await ask("market", ReplayStatusAsked())
            except TRANSIENT:
                return None
            return status if status.state == "finished" and status.settled == status.session else None

        status = await wait_until(finished, "the replay ends", within_s=REPLAY_S)
        checks = await check(ask)
    metrics = await _metrics(deployment.health_ports["portfolio"])

    assert status is not None
    assert status.sessions_done == status.sessions_total > 100
    assert [one for one in checks if not one.ok] == []
    assert len(checks) >= 5
    assert 0 < metrics["qm_lag_seconds"] < REPLAY_S
    assert metrics["qm_bus_connected"] == 1
    assert metrics["qm_messages_parked_total"] == 0
