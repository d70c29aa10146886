"""The image is built from locked packages, runs as nobody in particular, and the bus's configuration is one the server takes."""

import os
import re
import subprocess
import sysconfig
from pathlib import Path

from quantmatrix.common.runtime.permissions import USERS, password_variable
from quantmatrix.operations.documents.deployment import PLACE

DEPLOY = Path(__file__).parents[2] / "deploy"
ROOT = DEPLOY.parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_the_base_image_names_its_version() -> None:
    default = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, flags=re.MULTILINE)

    assert default is not None
    assert re.fullmatch(r"python:3\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", default[1])
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE) == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]


def test_packages_are_installed_by_their_hashes() -> None:
    installs = re.findall(r"-m pip install (.*)", DOCKERFILE)

    assert len(installs) == 2
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert all("--no-deps" in line for line in installs)


def test_it_runs_as_an_ordinary_user() -> None:
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    user = re.search(r"^USER (\d+):(\d+)$", last, flags=re.MULTILINE)

    assert user is not None
    assert int(user[1]) > 0


def test_every_member_is_installed() -> None:
    members = {
        str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/*/pyproject.toml") if path.parent.parent.name in ("libs", "services")
    }

    assert set(re.findall(r"-e (\S+)", DOCKERFILE)) == members


def test_what_is_copied_exists_and_is_let_in() -> None:
    admitted = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {source for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, flags=re.MULTILINE) for source in line.split()[:-1]}

    assert copied == admitted
    assert [name for name in sorted(copied) if not (ROOT / name).exists()] == []


def test_the_server_takes_the_generated_configuration(tmp_path: Path) -> None:
    program = Path(sysconfig.get_path("scripts")) / "nats-server"
    environment = {password_variable(user): f"p{user}" for user in USERS} | {"PATH": os.environ["PATH"]}

    done = subprocess.run([program, "-t", "-c", ROOT / PLACE], env=environment, capture_output=True, text=True, timeout=20, check=False)

    assert done.returncode == 0, done.stderr


def test_the_server_refuses_the_configuration_without_passwords() -> None:
    program = Path(sysconfig.get_path("scripts")) / "nats-server"

    done = subprocess.run(
        [program, "-t", "-c", ROOT / PLACE], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=20, check=False
    )

    assert done.returncode != 0
    assert "QM_NATS_MARKET_PASSWORD" in done.stderr
