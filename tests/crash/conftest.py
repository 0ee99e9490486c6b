"""Tests that start processes: their rows are dated from now, because a process reads a real
clock.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.fakes import Clock


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still at the moment the test begins."""
    return Clock(datetime.now(UTC).replace(microsecond=0))
