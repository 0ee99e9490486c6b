"""Signed links: GET shows, POST acts, and nothing opens a door it was not made for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import Delivery, Subscription
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.tokens import Tokens
from newsletter.urls import RESERVED_SLUGS
from tests.conftest import SECRET
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader


@pytest.fixture(autouse=True)
def handle(app: Flask) -> str:
    """Make a pending subscription of ana@example.com and return its handle."""
    with app.app_context(), transaction() as session:
        mailing_list = add_list(session)
        mailing_list.entry_seq = 7
        return add_reader(
            session, mailing_list, "ana@example.com", status="pending", name="Ana"
        ).handle


def standing(app: Flask) -> str:
    with app.app_context():
        return db.session.scalars(select(Subscription).order_by(Subscription.id)).first().status  # type: ignore[union-attr]


def token(purpose: str, handle: str, clock: Clock) -> str:
    payload = f"{handle}.1" if purpose == "confirm" else handle
    return Tokens([SECRET]).sign(purpose, payload, clock.now)  # type: ignore[arg-type]


def queued(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Delivery.mail).order_by(Delivery.id)))


def confirmed(app: Flask, client: FlaskClient, handle: str, clock: Clock) -> str:
    client.post(f"/confirm/{token('confirm', handle, clock)}")
    assert standing(app) == "active"
    return token("unsubscribe", handle, clock)


def test_t09_looking_changes_nothing(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    for purpose in ("confirm", "unsubscribe", "preferences"):
        url = f"/{purpose}/{token(purpose, handle, clock)}"
        for method in ("get", "head", "options"):
            assert getattr(client, method)(url).status_code == 200
        page = client.get(url, headers={"User-Agent": "Mozilla/5.0"}).get_data(as_text=True)
        assert "<script" not in page
        assert "http-equiv" not in page
    assert standing(app) == "pending"
    assert queued(app) == []


def test_confirming_starts_with_what_comes_next(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    confirmed(app, client, handle, clock)
    with app.app_context():
        subscription = db.session.scalars(select(Subscription)).one()
        assert subscription.cursor == 7
        assert subscription.confirmed_at == clock.now
    assert queued(app) == ["welcome"]


def test_t04_twice_is_once(app: Flask, client: FlaskClient, handle: str, clock: Clock) -> None:
    url = f"/confirm/{token('confirm', handle, clock)}"
    assert [client.post(url).status_code for _ in range(3)] == [200] * 3
    assert queued(app) == ["welcome"]


def test_t04_an_old_confirmation_never_resubscribes(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    old = f"/confirm/{token('confirm', handle, clock)}"
    leave = confirmed(app, client, handle, clock)
    client.post(f"/unsubscribe/{leave}")
    answer = client.post(old)
    assert answer.status_code == 410
    assert "earlier request" in answer.get_data(as_text=True)
    assert standing(app) == "unsubscribed"
    client.post("/blog/subscribe", data={"email": "ana@example.com"})
    assert standing(app) == "pending"
    assert client.post(old).status_code == 410, "nor does it answer a later request"
    assert standing(app) == "pending"


def test_t05_an_expired_link_offers_the_way_on(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    url = f"/confirm/{token('confirm', handle, clock)}"
    clock.forward(timedelta(days=8))
    for answer in (client.get(url), client.post(url)):
        assert answer.status_code == 410
        page = answer.get_data(as_text=True)
        assert "expired" in page
        assert 'action="/link"' in page
        assert "ana@" not in page
    assert standing(app) == "pending"


@pytest.mark.parametrize("purpose", ["confirm", "unsubscribe", "preferences"])
@pytest.mark.parametrize("other", ["confirm", "unsubscribe", "preferences", "form"])
@pytest.mark.any_database
def test_t02_no_other_door(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, purpose: str, other: str
) -> None:
    if purpose == other:
        return
    url = f"/{purpose}/{token(other, handle, clock)}"
    assert client.get(url).status_code == 404
    assert client.post(url, data={"List-Unsubscribe": "One-Click"}).status_code == 404
    assert standing(app) == "pending"


@pytest.mark.parametrize(
    "junk", ["x", "x" * 10_000, "%00", "a%00b", "..%2f..%2fetc", "ü", "%ff%fe", "a/b", "a.b.c", " "]
)
@pytest.mark.parametrize("purpose", ["confirm", "unsubscribe", "preferences"])
@pytest.mark.any_database
def test_t01_junk_is_one_uniform_page(client: FlaskClient, purpose: str, junk: str) -> None:
    answers = [client.get(f"/{purpose}/{junk}"), client.post(f"/{purpose}/{junk}")]
    assert all(400 <= answer.status_code < 500 for answer in answers)
    assert b"Traceback" not in answers[0].data
    if answers[0].status_code == 404 and len(junk) < 100:
        assert answers[0].data == client.get(f"/{purpose}/zzzzzzzzzzzz").data


def test_t03_only_what_is_signed_counts(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    with app.app_context(), transaction() as session:
        from newsletter.models import MailingList

        other = add_reader(
            session, session.scalars(select(MailingList)).one(), "bob@example.com"
        ).handle
    url = f"/unsubscribe/{token('unsubscribe', handle, clock)}"
    client.post(
        f"{url}?subscriber={other}&email=bob@example.com&id=2",
        data={"handle": other, "email": "bob@example.com"},
    )
    with app.app_context():
        statuses = {s.handle: s.status for s in db.session.scalars(select(Subscription))}
    assert statuses == {handle: "unsubscribed", other: "active"}


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_t10_one_click_unsubscribes_without_a_redirect(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, content_type: str
) -> None:
    leave = confirmed(app, client, handle, clock)
    data = {"List-Unsubscribe": "One-Click"}
    for _ in range(3):
        answer = client.post(f"/unsubscribe/{leave}", data=data, content_type=content_type)
        assert answer.status_code == 200
        assert "Location" not in answer.headers
        assert "Set-Cookie" not in answer.headers
        assert len(answer.data) < 100
    assert standing(app) == "unsubscribed"
    assert queued(app) == ["welcome", "goodbye"]


def test_an_unsubscription_is_undone_on_its_page(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    leave = confirmed(app, client, handle, clock)
    client.post(f"/unsubscribe/{leave}")
    assert client.get(f"/unsubscribe/{leave}").status_code == 200
    assert standing(app) == "unsubscribed"
    client.post(f"/unsubscribe/{leave}", data={"undo": "1"})
    assert standing(app) == "active"


def test_undo_subscribes_nobody_who_never_confirmed(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    leave = token("unsubscribe", handle, clock)
    client.post(f"/unsubscribe/{leave}")
    client.post(f"/unsubscribe/{leave}", data={"undo": "1"})
    assert standing(app) == "unsubscribed"


def test_t06_unsubscribing_works_for_years(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    leave = confirmed(app, client, handle, clock)
    clock.forward(timedelta(days=800))
    assert client.post(f"/unsubscribe/{leave}").status_code == 200
    assert standing(app) == "unsubscribed"


def test_preferences_are_changed_by_link_without_showing_the_address(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    confirmed(app, client, handle, clock)
    url = f"/preferences/{token('preferences', handle, clock)}"
    page = client.get(url).get_data(as_text=True)
    assert "a…@example.com" in page
    assert "ana@example.com" not in page
    client.post(url, data={"cadence-blog": "monthly", "pause-blog": "2026-12-24"})
    with app.app_context():
        subscription = db.session.scalars(select(Subscription)).one()
        assert subscription.cadence == "monthly"
        assert subscription.paused_until is not None
        assert f"{subscription.paused_until:%Y-%m-%d}" == "2026-12-24"
    for bad in ({"cadence-blog": "hourly"}, {"pause-blog": "soon"}, {"pause-blog": "9999-01-01"}):
        assert client.post(url, data=bad).status_code == 422
    client.post(url, data={"leave-blog": "1"})
    assert standing(app) == "unsubscribed"


def test_link_says_the_same_to_everybody(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, sink: Sink
) -> None:
    confirmed(app, client, handle, clock)
    known = client.post("/link", data={"email": "ANA@example.com"})
    unknown = client.post("/link", data={"email": "nobody@example.com"})
    assert (
        (known.status_code, known.data)
        == (unknown.status_code, unknown.data)
        == (200, unknown.data)
    )
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    assert [str(message["Subject"]) for message in sink.messages] == [
        "Welcome to Slow Letters",
        "Your preferences: Slow Letters",
    ]
    mailed = body(sink.messages[-1]).split("https://news.example.com/preferences/")[1].split()[0]
    assert client.get(f"/preferences/{mailed}").status_code == 200
    assert client.post("/link", data={"email": "x"}).status_code == 422


@pytest.mark.any_database
def test_t15_personal_pages_are_kept_by_nobody(
    client: FlaskClient, handle: str, clock: Clock
) -> None:
    for purpose in ("confirm", "unsubscribe", "preferences"):
        headers = client.get(f"/{purpose}/{token(purpose, handle, clock)}").headers
        assert headers["Cache-Control"] == "no-store"
        assert "noindex" in headers["X-Robots-Tag"]


def test_t11_a_foreign_page_cannot_change_preferences(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    """There is no cookie to borrow: without the signed link there is no page to post to."""
    confirmed(app, client, handle, clock)
    client.get(f"/preferences/{token('preferences', handle, clock)}")
    assert client.post("/preferences/", data={"leave-blog": "1"}).status_code in (404, 405)
    assert standing(app) == "active"


@pytest.mark.any_database
def test_r06_a_clock_that_jumps_expires_nobody(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    leave = confirmed(app, client, handle, clock)
    clock.forward(timedelta(days=-20_000))
    assert client.get(f"/unsubscribe/{leave}").status_code == 200
    assert standing(app) == "active"


def test_t05_the_way_on_from_an_expired_confirmation_works(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, sink: Sink
) -> None:
    clock.forward(timedelta(days=8))
    client.post("/link", data={"email": "ana@example.com"})
    client.post("/link", data={"email": "ana@example.com"})
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    assert [str(message["Subject"]) for message in sink.messages] == [
        "Please confirm: Slow Letters"
    ]
    url = body(sink.messages[0]).split("https://news.example.com")[1].split()[0]
    assert client.post(url).status_code == 200
    assert standing(app) == "active"


def test_no_list_may_have_the_name_of_a_page(app: Flask) -> None:
    """Names with a dot are none of a list's."""
    firsts = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}
    named = {first for first in firsts if first and first[0] != "<" and "." not in first}
    assert "author" in named
    assert sorted(named - RESERVED_SLUGS) == []
