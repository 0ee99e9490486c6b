"""A letter in a worker's hands, for tests in which something that it needs goes away."""

from __future__ import annotations

from collections import Counter

from flask import Flask
from sqlalchemy import select, update

from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, transaction
from newsletter.models import Campaign, Lease
from newsletter.services.campaigns import campaigns
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from newsletter.worker import WorkerProcess
from tests.fakes import Sink
from tests.people import add_list, add_reader

READERS = 60
FIRST = READERS // 3
"""So many are sent before it goes away."""
REPEATS = 8
"""Messages that one interruption may send twice, with fewer than four connections."""
LETTER = "---\nsubject: Going slowly\n---\n\nA letter.\n"


def add_letter(app: Flask) -> None:
    """Add a letter that is about to go to `READERS`; somebody else is on another list."""
    with app.app_context():
        with transaction() as session:
            mailing_list = add_list(session)
            add_reader(session, add_list(session, "other"), "not-here@example.com")
            for number in range(READERS):
                add_reader(session, mailing_list, f"n{number}@example.com")
        letters.send_letter(app.extensions[EXTENSION], parse_letter(LETTER), "blog")
        db.session.remove()


def tick(worker: WorkerProcess, *names: str) -> None:
    """Do some of a worker's work as its scheduler does."""
    for name in names:
        worker._guard(getattr(worker, name))()


def expire_leases(app: Flask) -> None:
    """Let a minute pass for what the interrupted lease holds."""
    with app.app_context(), transaction() as session:
        session.execute(update(Lease).values(expires_at=1))


def check_everybody(app: Flask, sink: Sink) -> None:
    """Check that each of the readers got the letter, and hardly anybody twice."""
    copies = Counter(
        outgoing.recipient for outgoing in sink.accepted if outgoing.recipient.startswith("n")
    )
    copies.pop("new@example.com", None)
    assert len(copies) == READERS, "nobody is lost"
    assert sum(copies.values()) - READERS <= REPEATS
    with app.app_context():
        view = campaigns.get_campaign(db.session.scalars(select(Campaign.id)).one())
        assert (view.status, view.totals.sent, view.totals.balanced) == ("sent", READERS, True)
        db.session.remove()
