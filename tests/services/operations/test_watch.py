"""Test that what the program can see it says: in doctor and status, once in the log, once by
mail.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.models import Delivery
from newsletter.services import counters
from newsletter.services.checks import Check
from newsletter.services.operations import backup, status, watch
from newsletter.services.runtime import Environment
from newsletter.settings import Settings
from newsletter.vocabulary import MailKind
from tests.fakes import START, Clock
from tests.people import add_list, add_reader


def notices() -> list[str]:
    with reading() as session:
        rows = session.scalars(select(Delivery).where(Delivery.mail == MailKind.NOTICE)).all()
        return [" ".join((row.context or {})["paragraphs"]) for row in rows]


@pytest.fixture
def filled(env: Environment, settings: Settings) -> Environment:
    with transaction() as session:
        mailing_list = add_list(session)
        add_list(session, "other")
        add_reader(session, mailing_list, "a@example.com")
    make_backup(env)
    return env


def make_backup(env: Environment) -> None:
    target = env.settings.folder / f"{env.now.timestamp():.0f}.backup"
    backup.make_backup(env.settings, env.settings.folder / "newsletter.toml", target, env.now)


def named(checks: Iterable[Check]) -> list[str]:
    """Name the troubles, but for the clock: that of the tests differs from the database's."""
    return [check.id for check in checks if check.id != "clock"]


def troubles(env: Environment) -> list[str]:
    return named(watch.list_troubles(env))


def test_all_is_quiet_where_nothing_is_wrong(filled: Environment) -> None:
    assert troubles(filled) == []
    assert named(watch.watch(filled)) == []
    assert "clock" in [check.id for check in watch.list_troubles(filled)]
    assert len(notices()) == 1
    assert "clock differs from the database's" in notices()[0]


def test_an_old_backup_is_told_once_and_again_when_it_comes_back(
    filled: Environment, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.forward(timedelta(days=8))
    assert "backup" in troubles(filled)
    assert named(status.read_status(filled).troubles) == ["backup"]
    for _ in range(3):
        watch.watch(filled)
    assert len(notices()) == 1
    assert "the last backup is 8 days old" in notices()[0]
    assert sum("backup" in record.message for record in caplog.records) == 1
    make_backup(filled)
    assert named(watch.watch(filled)) == []
    clock.forward(timedelta(days=8))
    watch.watch(filled)
    assert len(notices()) == 2


def test_no_backup_at_all_is_told_after_a_week(env: Environment, clock: Clock) -> None:
    with transaction() as session:
        add_reader(session, add_list(session), "a@example.com")
    assert troubles(env) == []
    clock.forward(timedelta(days=8))
    assert troubles(env) == ["backup"]


@pytest.mark.parametrize(("days", "expected"), [(30, False), (13, True), (-1, True)])
def test_a_certificate_that_ends_is_told(filled: Environment, days: int, *, expected: bool) -> None:
    env = replace(filled, read_certificate=lambda url: START + timedelta(days=days))
    assert named(watch.watch(env)) == (["certificate"] if expected else [])
    assert named(watch.watch(env)) == []
    assert ("certificate" in notices()[0]) == expected


def test_a_ceiling_that_is_reached_is_told(
    filled: Environment, client: FlaskClient, clock: Clock
) -> None:
    with transaction() as session:
        counters.add_count(
            session, "signup/list/1", 3_000, now=int(filled.now.timestamp()), seconds=3600
        )
        counters.add_count(
            session, "signup/overall", 3_000, now=int(filled.now.timestamp()), seconds=3600
        )
    [check] = [check for check in watch.list_troubles(filled) if check.id == "ceilings"]
    assert "signup.per_list = 3000" in check.what
    assert "overall" not in check.what
    clock.forward(timedelta(days=2))
    assert "ceilings" not in troubles(filled)


def test_a_proxy_that_names_no_visitor_is_told(filled: Environment, client: FlaskClient) -> None:
    for number in range(4):
        client.post("/blog/subscribe", data={"email": f"n{number}@example.com"})
    assert troubles(filled) == []
    client.post("/blog/subscribe", data={"email": "n5@example.com"})
    assert troubles(filled) == ["proxy_header"]


def test_visitors_from_elsewhere_are_no_proxy(filled: Environment, client: FlaskClient) -> None:
    for number in range(8):
        client.post(
            "/blog/subscribe",
            data={"email": f"n{number}@example.com"},
            environ_overrides={"REMOTE_ADDR": "198.51.100.3"},
        )
    assert troubles(filled) == []
