"""Where the shared data is, which is read in place and is not part of this tree."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("QM_SHARED_DATA") or Path(__file__).parents[6] / "shared" / "data")


def shared(folder: str) -> Path:
    """A folder of the shared data; the test is skipped, saying so, where it is not there."""
    found = SHARED / folder
    if not found.is_dir():
        pytest.skip(f"the shared data folder {folder} is not here; QM_SHARED_DATA names another place")
    return found
