"""Statements that PostgreSQL gets together behave as if each were executed at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Boolean, Engine, Table, column, event, insert, select, text

from newsletter.db.bulk import build_reservation, insert_rows
from newsletter.db.looks import read_alone
from newsletter.db.prepared import Prepared
from newsletter.db.session import db, reading, transaction
from newsletter.errors import Conflict, DatabaseError
from newsletter.models import Subscriber
from newsletter.services.runtime import Environment
from tests.people import add_list, add_reader
from tests.web.test_signup import raise_ceilings

ROUND_TRIPS = 8
"""Of a sign-up: the form, the ceilings twice; what is known, the mails of the mailbox, the request
with webhooks, and the rest; the announcement.
"""
OF_GUARDS = 3
"""What the guards of the suite ask in each sign-up (tests/door_guard.py)."""
subscribers = cast(Table, Subscriber.__table__)
ADD = Prepared(insert(subscribers))
ADD_NUMBERED = Prepared(insert(subscribers))
NAMES = Prepared(select(subscribers.c.name, subscribers.c.id).order_by(subscribers.c.id))
RENAME = Prepared(
    text("UPDATE subscribers SET name = :name WHERE email_key = :key AND name NOT LIKE '%!'")
)
END = Prepared(
    text("SELECT pg_terminate_backend(:pid, 5000) AS ended").columns(column("ended", Boolean))
)
KEPT = text("SELECT count(*) FROM pg_prepared_statements")


@pytest.fixture
def postgresql(env: Environment, database_kind: str) -> None:
    if database_kind != "postgresql":
        pytest.skip("SQLite has no round trips")


def row(email: str = "ana@example.org", **more: object) -> dict[str, object]:
    moment = datetime(2026, 11, 30, 8, tzinfo=UTC)
    values = {"handle": email[:12], "email": email, "email_key": email, "created_at": moment}
    return {**values, **more}


def test_statements_are_executed_in_their_order(env: Environment) -> None:
    with transaction(grouped=True) as session:
        ADD.run(session, row())
        first = NAMES.start(session, {})
        RENAME.run(session, {"name": "Ana % \\ '", "key": "ana@example.org"})
        ADD.run_many(session, [row("eve@example.org"), row("dan@example.org")])
        second = NAMES.start(session, {})
        assert [one.name for one in first.read()] == [""]
        assert [one.name for one in second.read()] == ["Ana % \\ '", "", ""]
        RENAME.run(session, {"name": "Eve", "key": "eve@example.org"})
        last = NAMES.start(session, {})
    assert [one.name for one in last.read()] == ["Ana % \\ '", "Eve", ""]
    assert last.read() == read_alone(NAMES, {})


def test_sqlalchemys_statements_see_what_waits(env: Environment) -> None:
    with transaction(grouped=True) as session:
        ADD.run(session, row())
        assert session.scalars(select(Subscriber.email)).all() == ["ana@example.org"]
        add_reader(session, add_list(session), "eve@example.org")
        ADD.run(session, row("dan@example.org"))
        session.execute(text("UPDATE subscribers SET name = 'X'"))
    assert [one.name for one in read_alone(NAMES, {})] == ["X", "X", "X"]


def test_many_rows_are_written_after_what_waits(env: Environment) -> None:
    with transaction(grouped=True) as session:
        ADD.run(session, row())
        many = [row(f"n{number}@example.org") for number in range(60)]
        insert_rows(session, subscribers, many)
    with reading() as session:
        first = select(Subscriber.email).order_by(Subscriber.id).limit(2)
        assert session.scalars(first).all() == ["ana@example.org", "n0@example.org"]


def test_nothing_is_kept_of_a_transaction_that_fails(env: Environment) -> None:
    with pytest.raises(ZeroDivisionError), transaction(grouped=True) as session:
        ADD.run(session, row())
        raise ZeroDivisionError
    for number in range(2):
        with pytest.raises(Conflict) as caught, transaction(grouped=True) as session:
            ADD.run(session, row())
            ADD.run(session, row("eve@example.org"))
            ADD.run(session, row(handle=f"other{number}"))
            RENAME.run(session, {"name": "Eve", "key": "eve@example.org"})
        assert caught.value.constraint == "uq_subscribers_email_key"
    assert not read_alone(NAMES, {})
    with transaction(grouped=True) as session:
        ADD.run(session, row())
    assert len(read_alone(NAMES, {})) == 1


def test_ids_are_reserved(env: Environment) -> None:
    with transaction(grouped=True) as session:
        ADD.run(session, row())
        reserve = build_reservation(session.get_bind().dialect.name, "subscribers", "events")
        [ids] = reserve.start(session, {}).read()
        ADD_NUMBERED.run(session, row("eve@example.org", id=ids.subscribers))
    with transaction() as session:
        session.add(Subscriber(**row("dan@example.org")))
    first, second, third = (one.id for one in read_alone(NAMES, {}))
    assert first < second == ids.subscribers < third
    assert ids.events > 0


@pytest.mark.usefixtures("postgresql")
def test_a_connection_that_ends_amid_a_group_is_said_and_replaced(env: Environment) -> None:
    with pytest.raises(DatabaseError), transaction(grouped=True) as session:
        ADD.run(session, row())
        [pid] = session.scalars(text("SELECT pg_backend_pid()"))
        ADD.run(session, row("eve@example.org"))
        END.start(session, {"pid": pid})
    with transaction(grouped=True) as session:
        ADD.run(session, row("dan@example.org"))
    assert len(read_alone(NAMES, {})) == 1


@pytest.mark.usefixtures("postgresql")
def test_prepared_statements_outlive_what_is_rolled_back() -> None:
    counts = []
    for number in range(8):
        with reading() as session:
            NAMES.run(session, {})
        with transaction(grouped=True) as session:
            ADD.run(session, row(f"number{number}@example.org", handle=f"number{number}"))
            session.execute(text("SAVEPOINT here"))
            session.execute(text("ROLLBACK TO SAVEPOINT here"))
            counts.append(session.scalar(KEPT))
    assert counts == sorted(counts)
    assert counts[-1] > counts[0] > 0


@pytest.mark.usefixtures("postgresql")
def test_a_connection_that_the_server_has_closed_is_replaced() -> None:
    with transaction() as session:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        session.add(Subscriber(**row()))
    [answer] = read_alone(END, {"pid": pid})
    assert answer.ended
    with transaction() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != pid


@pytest.mark.usefixtures("postgresql")
def test_a_sign_up_has_few_round_trips(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    raise_ceilings(app)
    with app.app_context():
        with transaction() as session:
            blog = add_list(session)
            add_reader(session, blog, "eve@example.org")
        db.engine.dispose()
    protocol = tmp_path / "protocol"
    with protocol.open("wb") as file:

        def trace(driver: Any, record: object) -> None:
            driver.pgconn.trace(file.fileno())

        event.listen(Engine, "connect", trace)
        try:
            for number in range(20):
                data = {"email": f"ana{number}@example.org"}
                assert client.post("/blog/subscribe", data=data).status_code == 303
        finally:
            event.remove(Engine, "connect", trace)
            with app.app_context():
                db.engine.dispose()
    answers = protocol.read_bytes().count(b"ReadyForQuery") / 20
    connecting = 1
    assert 5 < answers < ROUND_TRIPS + OF_GUARDS + connecting
