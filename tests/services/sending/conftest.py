"""Fixtures of the tests that write rows of the outbox themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from newsletter.db.session import transaction
from newsletter.services.runtime import Environment
from tests.outbox_rows import House, add_house


@pytest.fixture
def session(env: Environment) -> Iterator[Session]:
    with transaction() as session:
        yield session


@pytest.fixture
def house(session: Session) -> House:
    return add_house(session)
