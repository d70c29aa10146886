"""A speaker on the bus for market's tests."""

from typing import Any

import pytest

from quantmatrix.common.testing.saying import Saying

pytest.register_assert_rewrite("quantmatrix.market.testing")


@pytest.fixture
def say(bus: Any) -> Saying:
    return Saying(bus.connect)
