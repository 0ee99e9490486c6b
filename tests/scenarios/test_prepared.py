"""Statements that go to the driver behave as those of SQLAlchemy do: values, defaults, errors."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy import Table, bindparam, event, insert, select, text
from sqlalchemy.exc import ProgrammingError

from newsletter.db.looks import read_alone
from newsletter.db.prepared import Prepared
from newsletter.db.session import db, reading, transaction
from newsletter.errors import Conflict
from newsletter.models import MailingList, Subscriber, Subscription
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence, SubscriptionStatus
from tests.people import add_list, add_reader

subscribers = cast(Table, Subscriber.__table__)
subscriptions = cast(Table, Subscription.__table__)
ADD = Prepared(insert(subscribers).returning(subscribers.c.id))
FIND = Prepared(
    select(
        subscriptions.c.id,
        subscriptions.c.status,
        subscriptions.c.cadence,
        subscriptions.c.answers,
        subscriptions.c.created_at,
        subscriptions.c.paused_until,
        (subscriptions.c.round == 0).label("first"),
    ).where(
        subscriptions.c.handle == bindparam("handle"),
        subscriptions.c.status.in_([SubscriptionStatus.ACTIVE, SubscriptionStatus.PENDING]),
    )
)
TITLES = Prepared(select(MailingList.title).where(MailingList.slug == bindparam("slug")))


def row(email: str = "ana@example.org", **more: object) -> dict[str, object]:
    moment = datetime(2026, 11, 30, 8, tzinfo=UTC)
    values = {"handle": email[:12], "email": email, "email_key": email, "created_at": moment}
    return {**values, **more}


def test_rows_are_the_same_as_sqlalchemys(env: Environment) -> None:
    with transaction() as session:
        blog = add_list(session)
        ana = add_reader(session, blog, "ana@example.org")
        ana.answers = {"city": "Iași", "none": None}
        add_reader(session, blog, "eve@example.org")
        session.flush()
        handle = ana.handle
        id_ = ana.id
        query = select(*(column for column in subscriptions.c)).where(subscriptions.c.id == id_)
        expected = session.execute(query).one()
        [row] = FIND.run(session, {"handle": handle})
    assert read_alone(FIND, {"handle": handle}) == [row]
    assert isinstance(row.first, bool)
    for name in ("id", "status", "cadence", "answers", "created_at", "paused_until"):
        assert getattr(row, name) == getattr(expected, name), name
    assert type(row.status) is SubscriptionStatus
    assert type(row.cadence) is Cadence
    assert read_alone(FIND, {"handle": "nobody"}) == []


def test_columns_that_are_not_given_have_their_default(env: Environment) -> None:
    with transaction() as session:
        [added] = ADD.run(session, row())
        stored = session.get_one(Subscriber, added.id)
        assert (stored.name, stored.language) == ("", "")
        assert stored.created_at == row()["created_at"]


def test_other_values_than_those_of_the_statement_are_refused(env: Environment) -> None:
    with transaction() as session:
        ADD.run(session, row())
        with pytest.raises(TypeError, match="5 values were given, 4 are needed"):
            ADD.run(session, row("eve@example.org", name="Eve"))
        with pytest.raises((KeyError, ProgrammingError)):
            ADD.run(session, {"mail": "", **dict(list(row("eve@example.org").items())[1:])})


def test_a_broken_constraint_has_its_name(env: Environment) -> None:
    with pytest.raises(Conflict) as caught, transaction() as session:
        ADD.run(session, row())
        ADD.run_many(session, [row("eve@example.org"), row(handle="another")])
    assert caught.value.constraint == "uq_subscribers_email_key"
    assert not read_alone(Prepared(select(subscribers.c.id)), {})


def test_several_rows_are_written_at_once(env: Environment) -> None:
    rename = Prepared(text("UPDATE subscribers SET name = :name WHERE email_key = :key"))
    with transaction() as session:
        ADD.run(session, row())
        names = [{"name": "Ana", "key": "ana@example.org"}, {"name": "Eve", "key": "nobody"}]
        assert rename.run_many(session, names) == 1
        assert session.scalars(select(Subscriber.name)).all() == ["Ana"]


def test_a_look_sees_what_was_committed_only(env: Environment) -> None:
    with transaction() as session:
        add_list(session, title="Slow Letters")
        with pytest.raises(RuntimeError):
            read_alone(TITLES, {"slug": "blog"})
    assert [row.title for row in read_alone(TITLES, {"slug": "blog"})] == ["Slow Letters"]
    with reading() as session:
        assert [row.title for row in TITLES.run(session, {"slug": "blog"})] == ["Slow Letters"]


def test_a_look_survives_a_restart_of_the_server(env: Environment, database_kind: str) -> None:
    if database_kind != "postgresql":
        pytest.skip("SQLite has no server")
    with transaction() as session:
        add_list(session, title="Slow Letters")
    assert read_alone(TITLES, {"slug": "blog"})
    with db.engine.connect() as connection:
        ended = connection.exec_driver_sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE query LIKE 'SELECT mailing_lists.title%%'"
        )
        assert ended.scalar() == 1
    assert [row.title for row in read_alone(TITLES, {"slug": "blog"})] == ["Slow Letters"]


def test_listeners_are_told_of_each(env: Environment) -> None:
    statements: list[tuple[str, list[Any], bool]] = []

    def note(*arguments: Any) -> None:
        _connection, _cursor, statement, _values, context, many = arguments
        if not re.search("BEGIN|pg_notify|txid_current", statement):
            statements.append((statement.split()[0], context.compiled_parameters, many))

    eve = row("eve@example.org")
    dan = row("dan@example.org")
    with transaction() as session:
        add_list(session)
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        read_alone(TITLES, {"slug": "blog"})
        with transaction() as session:
            ADD.run(session, row())
            Prepared(insert(subscribers)).run_many(session, [eve, dan])
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert statements == [
        ("SELECT", [{"slug": "blog"}], False),
        ("INSERT", [row()], False),
        ("INSERT", [eve, dan], True),
    ]
