"""A scheduled letter and a series, with their workers really killed at any moment: the same end."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, transaction
from newsletter.models import (
    Campaign,
    Delivery,
    MailingList,
    SeriesLetter,
    SeriesLetterSent,
    Subscription,
)
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from tests.crash.test_processes import (
    accepted_for_readers,
    check_everybody,
    server,
    start,
)
from tests.fakes import Clock, body, parsed
from tests.people import add_list, add_reader
from tests.processes import finish
from tests.smtp.fault_server import FaultServer

pytestmark = pytest.mark.processes

__all__ = ["server"]
READERS = 120
LETTER = (
    "---\nsubject: Slowly\n---\n\nDear {{ subscriber.name or 'friend' }}, this came at its "
    "moment.\n"
)


@pytest.fixture
def people(app: Flask, clock: Clock) -> int:
    """Make a list with readers and return its number."""
    with app.app_context(), transaction() as session:
        mailing_list = add_list(session, created_at=clock.now, schedule_since=clock.now)
        for number in range(READERS):
            add_reader(
                session,
                mailing_list,
                f"r{number}@example.com",
                name=f"Reader {number}",
                now=clock.now,
            )
        return mailing_list.id


def killed(app: Flask, server: FaultServer, dice: random.Random) -> None:
    """Run a worker that dies at some moment of its short life."""
    process = start(app, server, "worker", "--once")
    time.sleep(dice.uniform(0.5, 1.8))
    process.kill()
    finish(process)


def test_r01_a_scheduled_letter_killed_on_its_way(
    app: Flask, server: FaultServer, people: int
) -> None:
    with app.app_context():
        env = app.extensions[EXTENSION]
        at = env.now + timedelta(seconds=1)
        campaign = letters.send_letter(env, parse_letter(LETTER), send_at=at)
    time.sleep(1)
    dice = random.Random(7)
    kills = 2
    server.script["END"] = lambda talk, line: time.sleep(0.004) or b"250 2.0.0 Ok\r\n"
    for _ in range(kills):
        killed(app, server, dice)
        with app.app_context():
            row = db.session.get_one(Campaign, campaign)
            assert (row.status, row.recipients) in (
                ("scheduled", 0),
                ("sending", READERS),
                ("sent", READERS),
            )
            assert db.session.scalar(select(func.count()).select_from(Delivery)) == row.recipients
            db.session.remove()
    for _ in range(2):
        assert "Traceback" not in finish(start(app, server, "worker", "--once"))
    check_everybody(app, server, campaign, kills=kills, readers=READERS)
    assert all(
        "Dear Reader" in body(parsed(data)) for _, _, data in accepted_for_readers(server)[:5]
    )


def test_r01_a_step_of_a_series_killed_on_its_way(
    app: Flask, server: FaultServer, clock: Clock, people: int
) -> None:
    with app.app_context(), transaction() as session:
        mailing_list = session.get_one(MailingList, people)
        step = SeriesLetter(
            list_id=mailing_list.id,
            after_seconds=0,
            subject="x",
            source=LETTER,
            digest="x",
            created_at=clock.now,
        )
        session.add(step)
        for row in session.scalars(select(Subscription)):
            row.series_at = row.series_due_at = clock.now
    dice = random.Random(3)
    kills = 2
    server.script["END"] = lambda talk, line: time.sleep(0.004) or b"250 2.0.0 Ok\r\n"
    for _ in range(kills):
        killed(app, server, dice)
        with app.app_context():
            result = db.session.scalar(select(func.count()).select_from(SeriesLetterSent))
            assert result == db.session.scalar(select(func.count()).select_from(Delivery)), (
                "both or neither"
            )
            db.session.remove()
    for _ in range(2):
        finish(start(app, server, "worker", "--once"))
    copies = Counter(recipient for _, recipient, _ in accepted_for_readers(server))
    assert len(copies) == READERS
    assert sum(copies.values()) - READERS <= 2 * kills
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(SeriesLetterSent)) == READERS
        assert set(db.session.scalars(select(Delivery.status))) == {"sent"}
        db.session.remove()
