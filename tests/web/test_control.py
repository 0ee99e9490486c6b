"""Test what a reader controls, and what a forwarded mail does not: preferences, a new address,
their data, being forgotten.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, select, text

from newsletter.db.session import db, transaction
from newsletter.models import (
    ConsentEvent,
    Delivery,
    MailingList,
    Subscriber,
    Subscription,
    Suppression,
)
from newsletter.services.letters import series
from newsletter.services.lists import topics
from newsletter.services.operations import cleanup
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.tokens import Tokens
from tests.conftest import SECRET
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader

ANA = "ana.privat@example.com"


@pytest.fixture(autouse=True)
def handle(app: Flask) -> str:
    """Ana's active subscription of `blog`; there is a list `talks` too, and a stranger."""
    with app.app_context(), transaction() as session:
        mailing_list = add_list(session)
        add_list(session, "talks", title="Long Talks", default_cadence="monthly", entry_seq=3)
        add_reader(session, mailing_list, "bob@example.com")
        return add_reader(session, mailing_list, ANA, name="Ana").handle


def forwarded(handle: str, clock: Clock) -> str:
    """Return the preferences link that stands in every mailing."""
    return f"/preferences/{Tokens([SECRET]).sign('preferences', handle, clock.now)}"


def mailed(app: Flask, sink: Sink, to: str = ANA) -> str:
    """Send what waits; return the path of the one link of ours in the newest mail to `to` (not the
    one to unsubscribe).
    """
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    base = "https://news.example.com"
    links = [
        word.removeprefix(base) for word in body(sink.to(to)[-1]).split() if word.startswith(base)
    ]
    return next(link for link in links if not link.startswith("/unsubscribe"))


def own(app: Flask, client: FlaskClient, sink: Sink) -> str:
    """Return a preferences link of Ana's own, asked for and mailed."""
    client.post("/link", data={"email": ANA})
    return mailed(app, sink)


def ana(app: Flask) -> dict[str, object]:
    with app.app_context():
        rows = db.session.scalars(select(Subscriber).order_by(Subscriber.id)).all()[1]
        subscriptions = {
            row.mailing_list.slug: (row.status, row.cadence) for row in rows.subscriptions
        }
        return {"email": rows.email, "name": rows.name, "language": rows.language, **subscriptions}


def test_a_forwarded_mail_can_at_worst_unsubscribe_or_slow_down(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, sink: Sink
) -> None:
    url = forwarded(handle, clock)
    page = client.get(url).get_data(as_text=True)
    assert "a…@example.com" in page
    assert ANA not in page
    assert 'value="Ana"' not in page
    assert "Long Talks" not in page
    before = ana(app)
    client.post(url, data={"name": "Mallory", "language": "ro", "join-talks": "1", "end_all": "1"})
    assert ana(app) == before
    for refused in ({"address": "mallory@example.com"}, {"export": "1"}, {"erase": "1"}):
        answer = client.post(url, data=refused)
        assert answer.status_code == 422
        assert "a link of your own" in answer.get_data(as_text=True)
    answer = client.post(url, data={"link": "1"})
    assert "is on its way" in answer.get_data(as_text=True)
    assert ANA not in answer.get_data(as_text=True)
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    assert {outgoing.recipient for outgoing in sink.accepted} == {ANA}, (
        "what was asked for goes to her alone"
    )
    assert ana(app) == before
    client.post(url, data={"cadence-blog": "monthly"})
    assert ana(app)["blog"] == ("active", "monthly")


def test_a_link_of_ones_own_does_the_rest_for_a_day(
    app: Flask, client: FlaskClient, clock: Clock, sink: Sink
) -> None:
    url = own(app, client, sink)
    page = client.get(url).get_data(as_text=True)
    assert 'value="Ana"' in page
    assert "Subscribe to Long Talks" in page
    assert ANA not in page
    client.post(url, data={"name": "Ana B.", "join-talks": "1", "language": "ro"})
    assert ana(app) == {
        "email": ANA,
        "name": "Ana B.",
        "language": "ro",
        "blog": ("active", "weekly"),
        "talks": ("active", "monthly"),
    }
    with app.app_context():
        joined = db.session.scalars(
            select(Subscription).join(MailingList).where(MailingList.slug == "talks")
        ).one()
        assert joined.cursor == 3, "they are owed what comes from now on"
        kinds = list(
            db.session.scalars(
                select(ConsentEvent.kind).where(ConsentEvent.subscription_id == joined.id)
            )
        )
        assert kinds == ["confirmed"]
    clock.forward(timedelta(days=1, minutes=11))
    assert client.post(url, data={"name": "Mallory"}).status_code == 410
    assert ana(app)["name"] == "Ana B."


def test_topics_are_chosen_by_a_mailed_link(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    with app.app_context():
        for name in ("Rest", "Work"):
            topics.add("blog", name, categories=[name])
    url = forwarded(handle, clock)

    def chosen() -> list[str]:
        page = client.get(url).get_data(as_text=True)
        return re.findall(r'name="topic-blog-(\w+)" value="1" checked', page)

    assert chosen() == ["Rest", "Work"], "who chose none gets all"
    client.post(url, data={"topics-blog": "1", "topic-blog-Work": "1"})
    assert chosen() == ["Work"]
    client.post(url, data={"cadence-blog": "daily"})
    assert chosen() == ["Work"], "a form that does not ask changes nothing"
    assert client.post(url, data={"topics-blog": "1", "topic-blog-Play": "1"}).status_code == 422
    client.post(url, data={"topics-blog": "1"})
    assert chosen() == ["Rest", "Work"]


def test_a_new_address_is_confirmed_there_and_announced_here(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    url = own(app, client, sink)
    assert client.post(url, data={"address": "not an address"}).status_code == 422
    answer = client.post(url, data={"address": "Ana.Neu@Example.org"})
    assert "We have sent a mail to the new address" in answer.get_data(as_text=True)
    assert "A…@example.org</bdi> waits" in client.get(url).get_data(as_text=True)
    confirm = mailed(app, sink, "Ana.Neu@example.org")
    page = client.get(confirm).get_data(as_text=True)
    assert "Ana.Neu@" not in page
    assert page.count("<button") == 1
    assert ana(app)["email"] == ANA, "a page that is only looked at moves nobody (T09)"
    for _ in range(2):
        assert "A…@example.org" in client.post(confirm).get_data(as_text=True)
    assert ana(app)["email"] == "Ana.Neu@example.org"
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
        [event] = db.session.scalars(select(ConsentEvent).where(ConsentEvent.kind == "moved"))
        assert event.note == f"{ANA} → Ana.Neu@example.org"
    announced = sink.to(ANA)[-1]
    assert str(announced["Subject"]) == "Our mails go elsewhere now: Slow Letters"
    assert "Ana.Neu@" not in body(announced)
    assert len([message for message in sink.to(ANA) if "elsewhere" in str(message["Subject"])]) == 1


@pytest.mark.any_database
def test_a_new_address_that_is_known_says_so_only_to_its_owner(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    url = own(app, client, sink)
    known = client.post(url, data={"address": "bob@example.com"})
    unknown = client.post(url, data={"address": "eve@example.com"})
    assert (known.status_code, known.data) == (unknown.status_code, unknown.data)
    client.post(url, data={"address": "bob@example.com"})
    confirm = mailed(app, sink, "bob@example.com")
    assert len(sink.to("bob@example.com")) == 1, "nobody is written to twice a day by strangers"
    assert "subscribed already" in client.post(confirm).get_data(as_text=True)
    assert ana(app)["email"] == ANA


@pytest.mark.any_database
def test_an_earlier_new_address_opens_nothing(app: Flask, client: FlaskClient, sink: Sink) -> None:
    url = own(app, client, sink)
    client.post(url, data={"address": "first@example.org"})
    first = mailed(app, sink, "first@example.org")
    client.post(url, data={"address": "second@example.org"})
    assert client.post(first).status_code == 404
    assert ana(app)["email"] == ANA


@pytest.mark.any_database
def test_an_address_that_nobody_confirmed_is_forgotten(
    app: Flask, client: FlaskClient, clock: Clock, sink: Sink
) -> None:
    client.post(own(app, client, sink), data={"address": "eve@example.com"})
    mailed(app, sink, "eve@example.com")
    for days, is_remembered in ((1, True), (3, False)):
        clock.forward(timedelta(days=days))
        with app.app_context():
            cleanup.clean_up(app.extensions[EXTENSION])
            rows = [*db.session.query(Subscriber), *db.session.query(Delivery)]
            result = str(
                [(getattr(row, "new_email", ""), getattr(row, "context", "")) for row in rows]
            )
        assert ("eve@" in result) is is_remembered


@pytest.mark.any_database
def test_a_suppressed_new_address_is_not_written_to(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    from newsletter.services import suppressions

    url = own(app, client, sink)
    with app.app_context():
        suppressions.suppress(app.extensions[EXTENSION], "eve@example.com")
    assert client.post(url, data={"address": "eve@example.com"}).status_code == 200
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    assert sink.to("eve@example.com") == []


@pytest.mark.any_database
def test_my_data_by_a_mailed_link_of_a_day(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, sink: Sink
) -> None:
    with app.app_context():
        topics.add("blog", "Rest", categories=["rest"])
    client.post(forwarded(handle, clock), data={"cadence-blog": "daily"})
    client.post(own(app, client, sink), data={"export": "1"})
    url = mailed(app, sink)
    assert url.startswith("/export/")
    assert ANA not in client.get(url).get_data(as_text=True), "a scanner that looks sees nothing"
    answer = client.post(url)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Cache-Control"] == "no-store"
    data = json.loads(answer.data)
    assert (data["email"], data["name"]) == (ANA, "Ana")
    [subscription] = data["subscriptions"]
    assert (subscription["list"], subscription["status"], subscription["cadence"]) == (
        "blog",
        "active",
        "daily",
    )
    assert [event["kind"] for event in subscription["consent"]] == ["changed"]
    assert subscription["topics"] == ["Rest"]
    assert [mail["mail"] for mail in subscription["mails"]] == ["link", "export"]
    assert handle not in answer.get_data(as_text=True)
    clock.forward(timedelta(days=1, minutes=11))
    assert client.post(url).status_code == 410


def test_o07_erased_by_a_mailed_link_leaves_a_keyed_hash(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, sink: Sink
) -> None:
    account = own(app, client, sink)
    client.post(account, data={"address": "ana.neu@example.org"})
    client.post(account, data={"erase": "1"})
    url = mailed(app, sink)
    assert client.get(url).status_code == 200
    assert client.head(url).status_code == 200
    assert ana(app)["email"] == ANA
    for _ in range(2):
        assert "Nothing about you is left" in client.post(url).get_data(as_text=True)
    assert client.get(forwarded(handle, clock)).status_code == 404
    with app.app_context():
        [suppression] = db.session.scalars(select(Suppression))
        assert (suppression.email_key, suppression.reason) == (None, "erased")
        everything = ""
        for table in inspect(db.engine).get_table_names():
            rows = db.session.execute(text(f'SELECT * FROM "{table}"')).all()
            everything += "".join(str(tuple(row)) for row in rows)
        assert "bob@example.com" in everything
        for trace in ("ana.privat", "ana.neu", "'Ana'"):
            assert trace not in everything
        assert (
            db.session.scalars(select(Delivery).where(Delivery.subscription_id.is_not(None))).all()
            == []
        )
    client.post("/blog/subscribe", data={"email": ANA})
    before = len(sink.accepted)
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    assert len(sink.accepted) == before, "no form brings her back"


@pytest.mark.any_database
def test_links_are_mailed_three_times_a_day_to_their_owner_and_twice_to_anybody(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, sink: Sink
) -> None:
    url = own(app, client, sink)
    for _ in range(6):
        assert client.post(forwarded(handle, clock), data={"link": "1"}).status_code == 200
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    assert len(sink.accepted) == 2, (
        "the link to her account, and what a forwarded mail's link asked for"
    )
    for _ in range(6):
        assert client.post(url, data={"export": "1"}).status_code == 200
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    assert len(sink.accepted) == 5, "what others ask for does not use up her own"


@pytest.mark.any_database
@pytest.mark.parametrize("purpose", ["preferences", "account", "export", "erase"])
def test_t05_an_expired_link_is_mailed_anew_in_one_tap(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, sink: Sink, purpose: str
) -> None:
    old = Tokens([SECRET]).sign(purpose, handle, clock.now)  # type: ignore[arg-type]
    clock.forward(timedelta(days=31))
    page = "preferences" if purpose == "account" else purpose
    answer = client.get(f"/{page}/{old}")
    assert answer.status_code == 410
    assert "@example.com" not in answer.get_data(as_text=True)
    assert 'type="email"' not in answer.get_data(as_text=True)
    answer = client.post("/link", data={"token": old, "purpose": purpose})
    assert answer.data == client.post("/link", data={"email": "nobody@example.com"}).data
    fresh = mailed(app, sink)
    assert fresh.startswith(f"/{page}/")
    assert client.get(fresh).status_code == 200


@pytest.mark.any_database
def test_only_a_link_that_was_once_good_is_mailed_anew(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, sink: Sink
) -> None:
    good = Tokens([SECRET]).sign("preferences", handle, clock.now)
    leave = Tokens([SECRET]).sign("unsubscribe", handle, clock.now)
    for bad in (
        {"token": "x", "purpose": "preferences"},
        {"token": good[:-1], "purpose": "preferences"},
        {"token": good, "purpose": "erase"},
        {"token": leave, "purpose": "unsubscribe"},
        {"token": good, "purpose": "form"},
        {"token": good},
    ):
        assert client.post("/link", data=bad).status_code == 404
    with app.app_context():
        assert db.session.scalars(select(Delivery)).all() == []


# ── leaving
# ────────────────────────────────────────────────────────────────────────────────────────


def leave_link(handle: str, clock: Clock) -> str:
    return f"/unsubscribe/{Tokens([SECRET]).sign('unsubscribe', handle, clock.now)}"


@pytest.mark.any_database
def test_who_leaves_is_offered_less_mail_instead(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    url = leave_link(handle, clock)
    page = client.post(url).get_data(as_text=True)
    assert 'value="monthly"' in page
    assert 'value="daily"' not in page, "nobody who leaves wants more"
    page = client.post(url, data={"undo": "1", "cadence": "monthly"}).get_data(as_text=True)
    assert "once a month" in page
    assert ana(app)["blog"] == ("active", "monthly")
    client.post(url)
    client.post(url, data={"undo": "1", "cadence": "daily"})
    assert ana(app)["blog"] == ("active", "monthly")


@pytest.mark.any_database
def test_a_month_without_mail(app: Flask, client: FlaskClient, handle: str, clock: Clock) -> None:
    url = leave_link(handle, clock)
    client.post(url)
    client.post(url, data={"undo": "1", "break": "1"})
    with app.app_context():
        row = db.session.scalars(select(Subscription).where(Subscription.handle == handle)).one()
        assert row.paused_until == clock.now + timedelta(days=30)


def test_a_reason_in_one_tap_once(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    url = leave_link(handle, clock)
    client.post(url, data={"reason": "often"})
    assert ana(app)["blog"] == ("active", "weekly"), "a reason alone ends nothing"
    client.post(url)
    for reason in ("<script>", "often", "other"):
        assert "Thank you" in client.post(url, data={"reason": reason}).get_data(as_text=True)
    with app.app_context():
        [event] = db.session.scalars(select(ConsentEvent).where(ConsentEvent.kind == "reason"))
        assert event.note == "often"


@pytest.mark.any_database
def test_an_old_forwarded_mail_brings_nobody_back(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    url = leave_link(handle, clock)
    client.post(url)
    clock.forward(timedelta(days=2))
    page = client.get(url).get_data(as_text=True)
    assert 'name="undo"' not in page
    assert 'href="/blog/"' in page
    client.post(url, data={"undo": "1"})
    assert ana(app)["blog"] == ("unsubscribed", "weekly")


@pytest.mark.any_database
def test_one_click_stands_above_every_other_field(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    data = {"List-Unsubscribe": "One-Click", "undo": "1", "reason": "often"}
    assert client.post(leave_link(handle, clock), data=data).data == b"Unsubscribed.\n"
    assert ana(app)["blog"] == ("unsubscribed", "weekly")


@pytest.mark.any_database
def test_s06_other_senders_lists_are_neither_offered_nor_joined(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    with app.app_context(), transaction() as session:
        add_list(session, "own", title="Ana's Other", from_email="second@NEWS.example.com")
        add_list(session, "foreign", title="Bob's Secrets", from_email="bob@else.example")
    url = own(app, client, sink)
    page = client.get(url).get_data(as_text=True)
    assert "join-own" in page
    assert "Secrets" not in page
    client.post(url, data={"join-own": "1", "join-foreign": "1"})
    assert set(ana(app)) == {"email", "name", "language", "blog", "own"}


@pytest.mark.any_database
def test_leaving_everything_needs_the_account(
    app: Flask, client: FlaskClient, clock: Clock, sink: Sink
) -> None:
    account = own(app, client, sink)
    assert 'name="end_all"' not in client.get(account).get_data(as_text=True), (
        "one box ends one subscription"
    )
    client.post(account, data={"join-talks": "1"})
    with app.app_context():
        both = list(db.session.scalars(select(Subscription).order_by(Subscription.id)))
        url = leave_link(both[1].handle, clock)
    page = client.post(url, data={"all": "1"}).get_data(as_text=True)
    assert "Long Talks" not in page
    assert (ana(app)["blog"], ana(app)["talks"]) == (
        ("unsubscribed", "weekly"),
        ("active", "monthly"),
    )
    client.post(url, data={"undo": "1"})
    assert 'name="end_all"' in client.get(account).get_data(as_text=True)
    client.post(account, data={"end_all": "1"})
    assert (ana(app)["blog"], ana(app)["talks"]) == (
        ("unsubscribed", "weekly"),
        ("unsubscribed", "monthly"),
    )


def test_who_joins_by_link_is_welcomed_there_and_nobody_else(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    account = own(app, client, sink)
    for _ in range(2):
        client.post(account, data={"join-talks": "1"})
    with app.app_context():
        welcomes = (
            select(MailingList.slug, Subscriber.email)
            .join_from(Delivery, Subscription)
            .join(MailingList)
        )
        rows = db.session.execute(welcomes.join(Subscriber).where(Delivery.mail == "welcome"))
        assert [tuple(row) for row in rows] == [("talks", ANA)]


def test_who_joins_by_link_begins_the_series_instead(
    app: Flask, client: FlaskClient, sink: Sink, tmp_path: Path
) -> None:
    step = tmp_path / "step.md"
    step.write_text("---\nsubject: First step\n---\nHello.\n")
    with app.app_context():
        series.add_letter(app.extensions[EXTENSION], step, timedelta(0), "talks")
    client.post(own(app, client, sink), data={"join-talks": "1"})
    with app.app_context():
        queued = [
            row.mail for row in db.session.scalars(select(Delivery).where(Delivery.mail != "link"))
        ]
    assert queued == ["series"]


@pytest.mark.any_database
def test_a_reason_is_thanked_for_and_noted_only_where_one_was_given(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    url = leave_link(handle, clock)
    for answer in (client.post(url), client.post(url), client.get(url)):
        assert "Thank you, that helps" not in answer.get_data(as_text=True)
        assert "Why do you leave?" in answer.get_data(as_text=True)
    with app.app_context():
        assert [event.kind for event in db.session.scalars(select(ConsentEvent))] == [
            "unsubscribed"
        ]
    page = client.post(url, data={"reason": "done"}).get_data(as_text=True)
    assert "Thank you, that helps" in page
    assert "Why do you leave?" not in page
    with app.app_context():
        notes = [(event.kind, event.note) for event in db.session.scalars(select(ConsentEvent))]
    assert notes == [("unsubscribed", ""), ("reason", "done")]
