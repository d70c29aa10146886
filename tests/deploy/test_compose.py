"""compose.yaml starts every service once, with settings that exist, and gives nobody more than it needs."""

import importlib.util
import re
import subprocess
from pathlib import Path
from typing import Any

from quantmatrix.common.runtime.permissions import USERS
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.documents.commands import commands_of_qm

DEPLOY = Path(__file__).parents[2] / "deploy"
OTHER_SERVERS = {"postgres", "nats", "prometheus", "alertmanager", "grafana"}
TASKS = {"bootstrap", "migrate", "provision"}
FOREIGN = re.compile(r"^(POSTGRES_|GF_|TZ$)")
ALLOWED_OUTSIDE = {"execution", "notify", "alertmanager"}


def test_every_service_is_started_by_its_own_module(compose: dict[str, Any]) -> None:
    started = {name: one["command"] for name, one in compose["services"].items() if one.get("command", [""])[:2] == ["python", "-m"]}

    assert set(started) == set(SERVICES)
    for service, command in started.items():
        assert command == ["python", "-m", f"quantmatrix.{service}"]
        assert importlib.util.find_spec(f"quantmatrix.{service}") is not None


def test_nothing_else_is_started_than_servers_services_and_tasks(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {*SERVICES, *OTHER_SERVERS, *TASKS, "shell", "worker"}


def test_tasks_call_commands_that_qm_has(compose: dict[str, Any]) -> None:
    for name in TASKS:
        program, command = compose["services"][name]["command"]

        assert program == "qm"
        assert command in commands_of_qm()


def test_every_variable_is_a_setting_or_belongs_to_a_foreign_image(compose: dict[str, Any], settings: frozenset[str]) -> None:
    for name, one in compose["services"].items():
        unknown = [variable for variable in one.get("environment", {}) if not FOREIGN.match(variable) and variable not in settings]

        assert unknown == [], name


def test_the_default_profile_is_the_whole_demo(compose: dict[str, Any]) -> None:
    default = {name for name, one in compose["services"].items() if not one.get("profiles")}

    assert default == {*SERVICES, *TASKS, "postgres", "nats"}


def test_whoever_is_waited_for_can_be_waited_for(compose: dict[str, Any]) -> None:
    for name, one in compose["services"].items():
        for awaited, how in one.get("depends_on", {}).items():
            target = compose["services"][awaited]
            if how["condition"] == "service_healthy":
                assert "healthcheck" in target, f"{name} waits for {awaited}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert awaited in TASKS


def test_secrets_come_from_files_that_the_script_makes(compose: dict[str, Any], tmp_path: Path) -> None:
    subprocess.run(["sh", str(DEPLOY / "make-secrets.sh"), str(tmp_path)], check=True, capture_output=True, timeout=60)
    made = {path.name for path in tmp_path.iterdir()}
    used = {secret for one in compose["services"].values() for secret in one.get("secrets", ())}

    assert used == set(compose["secrets"]) == made
    assert {f"nats_{user}_password" for user in USERS} <= made
    assert (tmp_path / "market_database_url").read_text().startswith("postgresql://qm_market:p")


def test_made_again_secrets_stay_what_they_were(tmp_path: Path) -> None:
    command = ["sh", str(DEPLOY / "make-secrets.sh"), str(tmp_path / "secrets")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    before = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run(command, check=True, capture_output=True, timeout=60)

    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == before
    assert len(set(before.values())) == len(before)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_a_service_is_given_its_own_secrets_only(compose: dict[str, Any]) -> None:
    for service in SERVICES:
        own = set(compose["services"][service]["secrets"])
        others = {f"{kind}" for other in SERVICES if other != service for kind in (f"nats_{other}_password", f"{other}_database_url")}

        assert not own & others
        assert "database_superuser_url" not in own


def test_a_worker_is_told_the_bus_and_nothing_of_a_database(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]

    assert worker["command"] == ["qm", "worker"] and "worker" in commands_of_qm()
    assert (worker["profiles"], worker["secrets"], worker["networks"]) == (["workers"], ["nats_worker_password"], ["inside"])
    assert [name for name in worker["environment"] if "DATABASE" in name] == []


def test_only_those_who_need_the_outside_can_reach_it(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"]["internal"] is True
    outside = {name for name, one in compose["services"].items() if "outside" in one["networks"]}

    assert outside == ALLOWED_OUTSIDE


def test_pages_are_published_on_this_machine_only(compose: dict[str, Any]) -> None:
    published = [port for one in compose["services"].values() for port in one.get("ports", ())]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_our_containers_are_closed(compose: dict[str, Any]) -> None:
    for name in (*SERVICES, *TASKS, "worker"):
        one = compose["services"][name]

        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]


def test_every_image_names_its_version(compose: dict[str, Any]) -> None:
    images = [one["image"] for one in compose["services"].values()]
    for path in (DEPLOY / "k8s").rglob("*.yaml"):
        images += images_in(path.read_text(encoding="utf-8"))

    assert [image for image in images if ":" not in image or image.endswith(":latest")] == []


def test_mounted_files_are_there(compose: dict[str, Any]) -> None:
    sources = [volume.split(":")[0] for one in compose["services"].values() for volume in one.get("volumes", ())]

    assert [source for source in sources if source.startswith("./") and not (DEPLOY / source).exists()] == []
    assert {source for source in sources if not source.startswith("./")} == set(compose["volumes"])


def images_in(text: str) -> list[str]:
    return re.findall(r"^\s*(?:- )?image:\s*(\S+)", text, flags=re.MULTILINE)
