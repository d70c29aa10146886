"""Where a migration lies: one folder beside the data folder, made whole or not at all, and taken back exactly."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quantmatrix.common.ids import short_token
from quantmatrix.operations.legacy.cells import LegacyError

FORMAT = 1
LEDGER = "made.json"


@dataclass(frozen=True, slots=True)
class Made:
    """What stands in a finished folder: each file's SHA-256, and whether the person has confirmed it."""

    source: str
    files: Mapping[str, str]
    confirmed: bool

    def written(self) -> str:
        content = {
            "program": "quantmatrix",
            "format": FORMAT,
            "source": self.source,
            "confirmed": self.confirmed,
            "files": dict(self.files),
        }
        return json.dumps(content, indent=1, sort_keys=True)


def folder_of(home: Path, source: str) -> Path:
    """The folder of one older database: beside the data folder, named by what was read."""
    return home.parent / f"{home.name}-legacy" / short_token("older database", source, length=12).lower()


class Folder:
    """One migration's folder. Nothing is written into it but by `begin` and `finish`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.draft = path.with_name(f"{path.name}.new")

    def made(self) -> Made | None:
        """What was made before, None when nothing was. Raises LegacyError for a folder that is not ours or is damaged."""
        if not self.path.exists():
            return None
        try:
            found = json.loads((self.path / LEDGER).read_text(encoding="utf-8"))
            if found["program"] != "quantmatrix" or found["format"] != FORMAT:
                raise KeyError("format")
            files = {str(name): str(digest) for name, digest in found["files"].items()}
            if any(Path(name).name != name for name in files):
                raise KeyError("files")
            return Made(str(found["source"]), files, bool(found["confirmed"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LegacyError(f"{self.path} is not a migration that can be read; nothing in it was touched") from error

    def begin(self) -> Path:
        """An empty draft that only this user can read; what an earlier, killed run left of one is removed."""
        self.forget_draft()
        self.draft.mkdir(mode=0o700, parents=True)
        return self.draft

    def forget_draft(self) -> None:
        """Remove the draft, and the folder above it when nothing else is in it."""
        shutil.rmtree(self.draft, ignore_errors=True)
        _remove_empty(self.path.parent)

    def finish(self, source: str, files: Mapping[str, bytes]) -> Made:
        """Put the files beside the backup that lies in the draft, note all of them, and give the draft its name."""
        for name, body in files.items():
            path = self.draft / name
            path.touch(mode=0o600)
            path.write_bytes(body)
        made = Made(source, {path.name: digest_of(path) for path in sorted(self.draft.iterdir())}, confirmed=False)
        self._note(self.draft, made)
        self.draft.replace(self.path)
        return made

    def same(self, made: Made, files: Mapping[str, bytes]) -> bool:
        """Whether what would be written now is what was written then; backups are not compared."""
        now = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
        then = {name: digest for name, digest in made.files.items() if not name.startswith("backup.")}
        return now == then

    def confirm(self) -> Made:
        """From now on nothing is taken back. Raises LegacyError when nothing was made."""
        made = self._needed()
        confirmed = Made(made.source, made.files, confirmed=True)
        self._note(self.path, confirmed)
        return confirmed

    def takeable(self) -> Made:
        """What undoing would remove. Raises LegacyError when it was confirmed, or a file was changed since it was made."""
        made = self._needed()
        if made.confirmed:
            raise LegacyError("this migration was confirmed and is not taken back any more")
        there = [name for name in made.files if (self.path / name).exists()]
        changed = [name for name in there if digest_of(self.path / name) != made.files[name]]
        if changed:
            raise LegacyError(f"{', '.join(changed)} changed after it was made; nothing was removed: move it away and undo again")
        return made

    def undo(self) -> list[str]:
        """Remove exactly what was made, and say what. Raises what `takeable` raises, and then removes nothing."""
        there = [name for name in self.takeable().files if (self.path / name).exists()]
        for name in there:
            (self.path / name).unlink()
        (self.path / LEDGER).unlink()
        _remove_empty(self.path)
        self.forget_draft()
        return sorted(there)

    def _needed(self) -> Made:
        made = self.made()
        if made is None:
            raise LegacyError("nothing was migrated from this database")
        return made

    def _note(self, folder: Path, made: Made) -> None:
        draft = folder / f"{LEDGER}.new"
        draft.touch(mode=0o600)
        draft.write_text(made.written(), encoding="utf-8")
        draft.replace(folder / LEDGER)


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
