"""Test that what runs for every slice, every tick or every message looks at an index, however
many deliveries there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.direct import DirectConnection
from newsletter.db.session import db, transaction
from newsletter.models import Campaign
from newsletter.outbox import held, record
from newsletter.services.runtime import Environment
from tests.fakes import START
from tests.services.sending.test_run import make_campaign


def ended(session: Session) -> object:
    campaign = session.get_one(Campaign, 1)
    campaign.leased_id = campaign.last_id
    return outbox.is_worked_through(session, campaign)


CLAIM: dict[str, Any] = {"now": START, "worker": "m:1:1:b", "seconds": 60, "limit": 100}
QUESTIONS: dict[str, Callable[[Session], object]] = {
    "single mails": lambda session: outbox.lease_due(session, campaign_id=None, **CLAIM),
    "retries": lambda session: outbox.lease_due(session, campaign_id=1, **CLAIM),
    "doubts": lambda session: outbox.lease_due(session, campaign_id=1, alone=True, **CLAIM),
    "campaigns": lambda session: outbox.find_due_campaigns(session, now=START),
    "the gate": lambda session: held.list_held(session, after_id=0, limit=100),
    "next": outbox.find_next_due,
    "waiting": outbox.count_waiting,
    "depths": lambda session: outbox.read_depths(session, START),
    "the end": ended,
    "history": lambda session: outbox.list_history(session, 1),
}


def plan_of(question: Callable[[Session], object]) -> list[str]:
    """Return how SQLite answers the statements that read deliveries."""
    statements: list[tuple[str, Any]] = []

    def note(
        connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool
    ) -> None:
        if "deliveries" in statement and statement.startswith("SELECT"):
            statements.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with transaction() as session:
            question(session)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert statements
    with db.engine.connect() as connection:
        return [
            str(row[3])
            for statement, values in statements
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]


@pytest.mark.any_database
@pytest.mark.parametrize("question", QUESTIONS)
def test_nothing_walks_over_all_deliveries(env: Environment, question: str) -> None:
    make_campaign(3)
    plan = plan_of(QUESTIONS[question])
    assert not [
        line for line in plan if line.startswith("SCAN deliveries") and "INDEX" not in line
    ], plan
    if question in ("single mails", "retries", "doubts"):
        assert any("ix_deliveries_due_at" in line for line in plan), plan
    if question == "the gate":
        assert any("ix_deliveries_held" in line for line in plan), plan


@pytest.mark.any_database
def test_a_page_of_a_slice_is_read_by_its_ids(env: Environment) -> None:
    make_campaign(3)
    direct = DirectConnection()
    values = {"first": 1, "last": 500, "campaign": 1, "after": 0, "limit": 100}
    plan = [str(row[3]) for row in direct.rows(f"EXPLAIN QUERY PLAN {record._SLICE}", values)]
    direct.close()
    assert "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan
    assert not [line for line in plan if line.startswith("SCAN")], plan
