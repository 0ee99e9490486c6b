"""The mail server is out of reach for a while: sending says why, waits, and goes on by itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.app import create_app
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, transaction
from newsletter.models import Campaign
from newsletter.services import sender_state
from newsletter.services.campaigns import campaigns
from newsletter.services.campaigns.campaigns import CampaignView
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.settings import Settings
from tests.certificates import make_server_context, write_certificate
from tests.fakes import Clock, FakeDns, FakeFetch
from tests.people import add_list, add_reader
from tests.smtp.fault_server import FaultServer

pytestmark = pytest.mark.any_database

YEAR_2021 = datetime(2021, 1, 1, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.close()


def make_app(settings: Settings, clock: Clock, **smtp: Any) -> Flask:
    """Make an application that speaks SMTP itself, with a letter to three people that has begun."""
    values = settings.model_dump(exclude={"smtp"})
    app = create_app(
        Settings.model_validate({**values, "smtp": smtp}),
        clock=clock,
        fetch=FakeFetch(),
        resolver=FakeDns(),
    )
    with app.app_context():
        with transaction() as session:
            mailing_list = add_list(session)
            add_reader(session, add_list(session, "other"), "zoe@example.com")
            for name in ("ana", "ben", "cleo"):
                add_reader(session, mailing_list, f"{name}@example.com")
        letter = parse_letter("---\nsubject: Hello\n---\n\nA letter.\n")
        letters.send_letter(app.extensions[EXTENSION], letter, "blog")
    return app


def get_letter() -> CampaignView:
    return campaigns.get_campaign(db.session.scalars(select(Campaign.id)).one())


def send(app: Flask, clock: Clock) -> str:
    """Send what is due as a worker does it, once any rest is over; return the problem."""
    clock.forward(timedelta(hours=1))
    with app.app_context():
        problem = sending.send_due(app.extensions[EXTENSION]).problem
        waiting = campaigns.get_campaign(
            db.session.scalars(select(Campaign.id)).one()
        ).totals.waiting
        assert waiting == (3 if problem else 0), "nobody is lost, and nobody fails"
        db.session.remove()
    return problem


def end(app: Flask) -> None:
    with app.app_context():
        assert (
            campaigns.get_campaign(db.session.scalars(select(Campaign.id)).one()).status == "sent"
        )
        assert not sender_state.read_states(db.session, app.extensions[EXTENSION].now)
        db.session.remove()
        db.engine.dispose()


def test_an_expired_certificate_is_named_until_it_is_renewed(
    settings: Settings, clock: Clock, server: FaultServer, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    server._implicit = True
    server._context = make_server_context(write_certificate(trusted, "127.0.0.1", ends=YEAR_2021))
    url = f"smtps://127.0.0.1:{server.port}"
    app = make_app(settings, clock, url=url, ca_file=str(trusted), timeout="2s")
    for _ in range(2):
        assert "certificate has expired" in send(app, clock)
    assert server.accepted == []
    server._context = make_server_context(write_certificate(trusted, "127.0.0.1"))
    assert send(app, clock) == ""
    assert sorted(to for _, to, _ in server.accepted) == [
        f"{name}@example.com" for name in ("ana", "ben", "cleo")
    ]
    end(app)


def test_a_name_that_dns_does_not_know_is_named_until_it_does(
    settings: Settings, clock: Clock, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    known: dict[str, str] = {}

    def answer(host: str, *more: Any, **options: Any) -> Any:
        if host == "mail.example.com" and host not in known:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve(known.get(host, host), *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    app = make_app(settings, clock, url=f"smtp://mail.example.com:{server.port}", timeout="2s")
    for _ in range(2):
        assert "mail.example.com" in (problem := send(app, clock))
        assert "name resolution" in problem
    known["mail.example.com"] = "127.0.0.1"
    assert send(app, clock) == ""
    assert len(server.accepted) == 3
    end(app)
