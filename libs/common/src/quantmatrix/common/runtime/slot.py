"""Slots: a folder whose files are extensions. Being in the folder is being registered."""

import importlib
import pkgutil
from types import ModuleType

from quantmatrix.common.runtime.errors import ConfigurationError


class UnknownExtensionError(ConfigurationError, LookupError):
    """Nothing of that name lies in the slot: whoever names it has to name another."""

    def __init__(self, slot: str, name: str, known: list[str]) -> None:
        super().__init__(f"{slot} has nothing called {name!r}; it has: {', '.join(known) or 'nothing'}")


def names_in(package: ModuleType) -> list[str]:
    """The extensions in a slot, by file or folder name; names with a leading underscore are not extensions."""
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_"))


def load(package: ModuleType, name: str) -> ModuleType:
    """Import one extension. Raises UnknownExtensionError with what there is."""
    known = names_in(package)
    if name not in known:
        raise UnknownExtensionError(package.__name__, name, known)
    return importlib.import_module(f"{package.__name__}.{name}")
