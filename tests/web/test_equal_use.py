"""Whoever an address belongs to, a request about it uses up the same: statements and row numbers,
on both databases.

A row number that one request uses up and another does not tells whoever sees two numbers what lies
between them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select, text

from newsletter.db.session import Base, db, transaction
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Mailbox, MailingList
from newsletter.services import mailbox_limits, suppressions
from newsletter.services.runtime import EXTENSION
from tests.fakes import Clock
from tests.people import add_list, add_reader

STATEMENTS_AT_MOST = 26
"""Of a sign-up, its savepoint included. Each costs every visitor time, and the database more; on
PostgreSQL they share round trips (tests/scenarios/test_groups.py).
"""
STATES = ("stranger", "pending", "active", "left", "suppressed")


def numbers() -> dict[str, int]:
    """Return the last number that each table has given to a row, kept or not."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence"))
            return {row.name: row.seq for row in rows}
        last: dict[str, int] = {}
        for table in Base.metadata.sorted_tables:
            if "id" in table.c:
                sequence = connection.scalar(
                    text(f"SELECT pg_get_serial_sequence('{table.name}', 'id')")
                )
                if sequence is None:  # its one row has a number of its own
                    continue
                called = connection.execute(
                    text(f"SELECT last_value, is_called FROM {sequence}")
                ).one()
                last[table.name] = called.last_value if called.is_called else 0
        return last


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Return what is done to which table meanwhile, and how often: a list of values may be
    longer or shorter.
    """
    statements: Counter[str] = Counter()

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement == "BEGIN":  # of the connection by which a look is told
            return
        table = re.search(r"(?:FROM|INTO|UPDATE) (\w+)", statement)
        statements[f"{statement.split()[0]} {table[1] if table else ''}"] += 1

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture
def addresses(app: Flask, clock: Clock) -> dict[str, list[str]]:
    """Three addresses of each state, and somebody else on another list."""
    with app.app_context():
        with transaction() as session:
            blog = add_list(session)
            add_reader(session, add_list(session, "talks", title="Long Talks"), "eve@else.example")
            emails = {
                state: [f"{state}{number}@{state}{number}.example" for number in range(3)]
                for state in STATES
            }
            for state, status in (
                ("pending", "pending"),
                ("active", "active"),
                ("left", "unsubscribed"),
            ):
                for email in emails[state]:
                    reader = add_reader(session, blog, email, status=status)
                    if status == "unsubscribed":
                        reader.confirmed_at = clock.now
                        reader.unsubscribed_at = clock.now
        for email in emails["suppressed"]:
            suppressions.suppress(app.extensions[EXTENSION], email)
        assert db.session.scalars(select(MailingList.slug)).all()
    return emails


REQUESTS: dict[str, Callable[[FlaskClient, str], object]] = {
    "sign-up": lambda client, email: client.post("/blog/subscribe", data={"email": email}),
    "link": lambda client, email: client.post("/link", data={"email": email}),
}


@pytest.mark.parametrize("request_kind", REQUESTS)
@pytest.mark.parametrize("again", [False, True])
def test_a_request_uses_up_the_same_whoever_it_is_about(
    app: Flask,
    client: FlaskClient,
    clock: Clock,
    addresses: dict[str, list[str]],
    request_kind: str,
    again: bool,
) -> None:
    send = REQUESTS[request_kind]
    for state in STATES:
        send(client, addresses[state][2])  # what a process does once only
        if again:
            send(client, addresses[state][0])
    clock.forward(timedelta(minutes=1))
    used = {}
    run = {}
    for state in STATES:
        with app.app_context():
            before = numbers()
            with counted() as statements:
                send(client, addresses[state][0 if again else 1])
            after = numbers()
        used[state] = {name: after[name] - before.get(name, 0) for name in after}
        run[state] = statements
    assert set(used["stranger"].values()) != {0}
    if request_kind == "sign-up":
        assert sum(run["stranger"].values()) <= STATEMENTS_AT_MOST, run["stranger"]
    for state in STATES:
        assert used[state] == used["stranger"], state
        assert run[state] == run["stranger"], state


def test_a_new_address_uses_up_the_same_of_the_subscribers_own(
    app: Flask, client: FlaskClient, clock: Clock, addresses: dict[str, list[str]]
) -> None:
    """The rest of a subscriber's allowance shows in their next mails: they may ask in order to
    learn of another.
    """
    env = app.extensions[EXTENSION]
    used: dict[str, object] = {}
    for state in STATES:
        with app.app_context(), transaction() as session:
            blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
            asker = f"asker@{state}.example"
            reader = add_reader(session, blog, asker)
            token = env.tokens.sign(LinkPurpose.ACCOUNT, reader.handle, clock.now)
        for number in (2, 0, 1):
            with app.app_context():
                before = numbers()
                with counted() as statements:
                    page = client.post(
                        f"/preferences/{token}", data={"address": addresses[state][number]}
                    )
                after = numbers()
        with app.app_context():
            [mailbox] = mailbox_limits.hash_address(env, asker)
            mails = db.session.scalars(
                select(Mailbox.mails).where(Mailbox.mailbox_hash == mailbox)
            ).one()
        rows = {name: after[name] - before.get(name, 0) for name in after}
        used[state] = (page.status_code, statements, rows, [mail[0] for mail in mails])
    assert used["stranger"][3] == ["own"] * 3  # type: ignore[index]
    for state in STATES:
        assert used[state] == used["stranger"], state
