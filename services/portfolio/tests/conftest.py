"""Fills, splits and a ledger in a real database, for portfolio's tests."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from quantmatrix.common.testing.pages import Pages
from quantmatrix.portfolio.bus import bus as portfolio_bus

pytest.register_assert_rewrite("quantmatrix.portfolio.testing")


@pytest.fixture
async def pages(database: Any) -> AsyncIterator[Pages]:
    """Portfolio's handlers on a fresh database."""
    connection = await database.connect("portfolio")
    yield Pages(connection, portfolio_bus())
