"""Not me: whoever never asked says so with one click in the confirmation, and is never written to
again (H19).
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter.db.session import db, transaction
from newsletter.models import ConsentEvent, MailingList, Subscriber, Subscription, Suppression
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader

BASE = "https://news.example.com"


@pytest.fixture(autouse=True)
def blog(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        add_list(session)


def asked(app: Flask, client: FlaskClient, sink: Sink, email: str = "ana@example.com") -> str:
    """Somebody types `email` into the form; the path of the link that says: not me."""
    client.post("/blog/subscribe", data={"email": email})
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    text = body(sink.messages[-1])
    assert text.index("/confirm/") < text.index("/never/"), (
        "the first link is the one that most want"
    )
    assert f"{BASE}/never/" in body(sink.messages[-1], "html")
    return text.split(f"{BASE}/never/")[1].split()[0]


def test_h19_one_post_and_she_is_never_written_to_again(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    token = asked(app, client, sink)
    page = client.get(f"/never/{token}")
    assert page.status_code == 200
    assert "example.com" not in page.get_data(as_text=True)
    client.head(f"/never/{token}")
    with app.app_context():
        assert db.session.query(Subscription).one().status == "pending", "looking changes nothing"
    for _ in range(2):
        assert client.post(f"/never/{token}").status_code == 200
    with app.app_context():
        counts = [
            db.session.query(table).count() for table in (Subscriber, Subscription, ConsentEvent)
        ]
        assert counts == [0, 0, 0]
        row = db.session.query(Suppression).one()
        assert (row.reason, row.email_key, row.note) == (
            "erased",
            None,
            "said that they did not sign up",
        )
    for day in range(5):
        clock.forward(timedelta(days=day))
        assert client.post("/blog/subscribe", data={"email": "Ana@example.com"}).status_code == 303
        with app.app_context():
            sending.send_due(app.extensions[EXTENSION])
    assert len(sink.accepted) == 1


def test_h19_a_reader_of_something_else_loses_nothing(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    """The mail may have been forwarded: it ends no account."""
    with app.app_context(), transaction() as session:
        add_reader(session, add_list(session, "talks"), "ana@example.com")
    token = asked(app, client, sink)
    page = client.post(f"/never/{token}").get_data(as_text=True)
    assert "<form" not in page
    assert "Request cancelled" in page
    assert "Your other subscriptions continue." in page
    with app.app_context():
        statuses = {row.mailing_list.slug: row.status for row in db.session.query(Subscription)}
        assert statuses == {"talks": "active", "blog": "unsubscribed"}
        assert db.session.query(Suppression).count() == 0
        sending.send_due(app.extensions[EXTENSION])
    assert len(sink.accepted) == 1, "not a word more"


def test_h19_who_has_confirmed_since_is_not_forgotten_by_an_old_mail(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    token = asked(app, client, sink)
    confirm = body(sink.messages[-1]).split(f"{BASE}/confirm/")[1].split()[0]
    client.post(f"/confirm/{confirm}")
    assert (
        client.get(f"/never/{token}").status_code
        == client.post(f"/never/{token}").status_code
        == 410
    )
    with app.app_context():
        assert db.session.query(Subscription).one().status == "active"
        assert db.session.query(MailingList).count() == 1


@pytest.mark.any_database
@pytest.mark.parametrize("purpose", ["never", "address", "stay"])
def test_t05_what_cannot_be_mailed_anew_is_not_offered(
    app: Flask, client: FlaskClient, clock: Clock, purpose: str
) -> None:
    token = app.extensions[EXTENSION].tokens.sign(purpose, "abcdefghijkl.1", clock.now)
    clock.forward(timedelta(days=400))
    answer = client.get(f"/{purpose}/{token}")
    assert answer.status_code == 410
    assert 'name="token"' not in answer.get_data(as_text=True)
    assert 'name="email"' in answer.get_data(as_text=True)
