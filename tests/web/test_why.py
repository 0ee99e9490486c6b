"""Test why a mail came: what a forwarded mail's link tells, and what only a link that was asked for
tells.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter.db.session import transaction
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Feed, Subscriber, Subscription
from newsletter.services import suppressions
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.digests import due as digests
from newsletter.services.digests import review_acts
from newsletter.services.lists import lists as lists_
from newsletter.services.lookup import get_list
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import address_change, privacy
from newsletter.vocabulary import Cadence, ConsentKind, EvidenceSource, SuppressionReason
from tests.fakes import Clock, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader

ANA = "ana.privat@example.com"
WORDS = "Yes, send me Slow Letters by e-mail."


@pytest.fixture(autouse=True)
def lists(app: Flask) -> None:
    """Make a blog and another list of one subscriber, Ana, and another subscriber beside."""
    with app.app_context(), transaction() as session:
        blog = add_list(session, site_url="https://blog.example.com", timezone="Europe/Berlin")
        talks = add_list(session, "talks", title="Long Talks")
        add_reader(session, blog, "bob@example.com", cadence="daily")
        ana = add_reader(session, blog, ANA, name="Ana Geheim")
        session.add(
            Subscription(
                handle="handle-talks",
                list_id=talks.id,
                subscriber_id=ana.subscriber_id,
                status="active",
                cadence="monthly",
                created_at=ana.created_at,
                confirmed_at=ana.created_at,
            )
        )
        note(session, ana, ConsentKind.REQUESTED, "https://other.example/walks/?mail=ana#x", WORDS)
        note(session, ana, ConsentKind.CONFIRMED, "", WORDS)


def note(
    session: object, subscription: Subscription, kind: ConsentKind, page: str, words: str = ""
) -> None:
    evidence = Evidence(EvidenceSource.FORM, page=page, ip="192.0.2.7")
    when = subscription.created_at
    note_consent(session, subscription.id, kind, evidence, when, wording=words)  # type: ignore[arg-type]


def environment(app: Flask) -> Environment:
    env: Environment = app.extensions[EXTENSION]
    return env


def handle(app: Flask, email: str = ANA, slug: str = "blog") -> str:
    with app.app_context(), transaction() as session:
        mailing_list = get_list(session, slug)
        query = session.query(Subscription).join(Subscriber)
        return (
            query.filter(Subscriber.email == email, Subscription.list_id == mailing_list.id)
            .one()
            .handle
        )


def link(app: Flask, purpose: LinkPurpose = LinkPurpose.WHY, email: str = ANA) -> str:
    env = environment(app)
    return f"/why/{env.tokens.sign(purpose, handle(app, email), env.now)}"


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", "", page.partition("<main>")[2]).split())


def change(app: Flask, email: str = ANA, **values: object) -> None:
    with app.app_context(), transaction() as session:
        subscription = session.query(Subscription).filter_by(handle=handle_in(session, email)).one()
        for name, value in values.items():
            setattr(subscription, name, value)


def handle_in(session: object, email: str) -> str:
    query = session.query(Subscription).join(Subscriber)  # type: ignore[attr-defined]
    return str(query.filter(Subscriber.email == email).order_by(Subscription.id).first().handle)


def test_a_forwarded_link_tells_of_its_list_and_no_more(app: Flask, client: FlaskClient) -> None:
    answer = client.get(link(app))
    text = words_of(answer.text)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "For a…@example.com" in text
    assert (
        "with the form on https://other.example/walks/. You confirmed it in November 2026." in text
    )
    assert "You hear from us once a week, if there is something new" in text
    assert "The next day for it is 30 November 2026, 08:00 (Europe/Berlin)." in text
    assert "Nobody counted" in text
    for hidden in (ANA, "Geheim", "Long Talks", WORDS, "mail=ana", "192.0.2", "24 November"):
        assert hidden not in answer.text, hidden


@pytest.mark.any_database
def test_it_says_what_waits_and_why(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction() as session:
        blog = get_list(session, "blog")
        feed = add_feed(session, blog)
        add_entry(session, feed, "One")
        other = add_feed(session, get_list(session, "talks"), "https://talks.example.com/feed/")
        add_entry(session, other, "Elsewhere")
    assert "One post waits for it." in words_of(client.get(link(app)).text)
    with app.app_context(), transaction() as session:
        get_list(session, "blog").digest_min_entries = 3
    text = words_of(client.get(link(app)).text)
    assert "There is too little for a mail so far; it goes on 7 December 2026" in text
    change(app, cadence=Cadence.INSTANT)
    text = words_of(client.get(link(app)).text)
    assert "You hear from us whenever there is something new" in text
    assert "One post waits for it." in text


@pytest.mark.any_database
def test_it_heeds_what_the_author_says_about_the_next_digest(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    """Held, sent later, and reviewed without what came meanwhile; another cadence is not
    touched.
    """
    env = environment(app)
    bob = link(app, email="bob@example.com")
    with app.app_context():
        with transaction() as session:
            blog = get_list(session, "blog")
            for row in session.query(Subscription).filter_by(list_id=blog.id):
                row.cursor = 0
            add_entry(session, add_feed(session, blog), "One")
        review_acts.hold(env, "blog", Cadence.WEEKLY)
    text = words_of(client.get(link(app)).text)
    assert "goes once its author has looked at it; no day is set. One post waits for it." in text
    assert "The next day for it" not in text
    assert "The next day for it is 25 November" in words_of(client.get(bob).text)
    with app.app_context():
        review_acts.release(env, "blog", Cadence.WEEKLY)
    assert "day for it is 30 November 2026, 08:00" in words_of(client.get(link(app)).text)
    with app.app_context():
        lists_.edit(env, "blog", {"review": "24h", "on_silence": "wait"})
        clock.now = datetime(2026, 11, 29, 7, 30, tzinfo=UTC)  # it closed at 08:00 in Berlin
        digests.compose_due(env)
    assert "no day is set. One post waits" in words_of(client.get(link(app)).text)
    with app.app_context(), transaction() as session:
        add_entry(session, session.query(Feed).one(), "Two", now=clock.now)
    text = words_of(client.get(link(app)).text)
    assert "The next day for it is 7 December 2026, 08:00" in text
    assert "2 posts wait for it." in text


@pytest.mark.any_database
def test_states(app: Flask, client: FlaskClient, clock: Clock) -> None:
    change(app, paused_until=clock.now + timedelta(days=20))
    assert "Nothing before 14 December 2026" in words_of(client.get(link(app)).text)
    change(app, status="unsubscribed", unsubscribed_at=clock.now, paused_until=None)
    page = client.get(link(app)).text
    assert "Nothing: the subscription ended in November 2026." in words_of(page)
    assert "/preferences/" not in page
    assert "once a week" not in words_of(client.get(link(app, email="bob@example.com")).text)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("https://evil.example/you-have-won", False),
        ("https://blog.example.com/about/?x=1", True),
        ("https://news.example.com/blog/", True),
    ],
)
@pytest.mark.any_database
def test_a_request_that_nobody_confirmed_shows_no_page_that_a_stranger_made_up(
    app: Flask, client: FlaskClient, page: str, expected: bool
) -> None:
    with app.app_context(), transaction() as session:
        pending = add_reader(
            session, get_list(session, "blog"), "new@example.com", status="pending"
        )
        note(session, pending, ConsentKind.REQUESTED, page)
    answer = client.get(link(app, email="new@example.com"))
    text = words_of(answer.text)
    assert "It is not confirmed." in text
    assert "Nothing, as long as nobody opens the link" in text
    assert (page.partition("?")[0] in text) == expected
    assert "<button" not in answer.text


def test_gone_addresses_end_on_the_general_page(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    general = client.get("/why/zzzzzzzz.zzzz")
    assert general.status_code == 404
    env = environment(app)
    for purpose in (LinkPurpose.WHY, LinkPurpose.STORY):
        assert client.get(link(app, purpose)).status_code == 200
    before = [link(app, purpose) for purpose in (LinkPurpose.WHY, LinkPurpose.STORY)]
    other = link(app, email="bob@example.com")
    with app.app_context(), transaction() as session:
        suppressions.suppress_key(env, session, ANA, SuppressionReason.COMPLAINT)
    for url in before:
        assert (client.get(url).data, client.post(url).data) == (general.data, general.data)
    with app.app_context(), transaction() as session:
        suppressions.lift_suppression(env, session, ANA)
        ana = session.query(Subscriber).filter_by(email=ANA).one()
        address_change.renew_handles(session, ana)
    for url in before:
        assert (client.get(url).data, client.post(url).data) == (general.data, general.data)
    url = link(app)
    with app.app_context():
        privacy.erase_address(env, ANA)
    assert client.get(url).data == general.data
    assert client.get(other).status_code == 200


def test_the_whole_story_is_mailed_to_its_subscriber_alone(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    """Whoever holds a forwarded mail's link may ask; twice a day, and the answer is the same."""
    answers = {client.post(link(app)).data for _ in range(4)}
    clock.forward(timedelta(seconds=1))
    with app.app_context():
        sending.send_due(environment(app))
    assert {outgoing.recipient for outgoing in sink.accepted} == {ANA}
    assert len(sink.accepted) == 2
    assert (
        len({re.sub(rb"/(?:preferences|unsubscribe)/[\w.-]+", b"", page) for page in answers}) == 1
    )
    message = sink.to(ANA)[-1]
    for kind in ("plain", "html"):
        [url] = set(
            re.findall(r"https://news\.example\.com(/why/[\w.-]+)", body(message, kind))
        ) - {link(app)}
    page = client.get(url)
    text = words_of(page.text)
    for words in ("Ana Geheim", "Slow Letters", "Long Talks", WORDS, "24 November 2026, 10:00"):
        assert words in text, words
    assert "https://other.example/walks/" in text
    assert "mail=ana" not in text
    assert ANA not in text
    assert "bob" not in text
    clock.forward(timedelta(days=1, minutes=11))
    assert client.get(url).status_code == 410
    assert client.get(link(app)).status_code == 200


@pytest.mark.any_database
def test_the_story_lists_the_mails(app: Flask, client: FlaskClient, sink: Sink) -> None:
    client.post(link(app))
    client.post("/link", data={"email": "bob@example.com"})
    with app.app_context():
        sending.send_due(environment(app))
    text = words_of(client.get(link(app, LinkPurpose.STORY)).text)
    assert text.count("Why am I getting this?") == 2, "the heading, and the mail that was asked for"
    assert "Your preferences" not in text, "that went to somebody else"


@pytest.mark.any_database
def test_it_speaks_the_subscribers_language(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction() as session:
        session.query(Subscriber).filter_by(email=ANA).one().language = "ar"
    page = client.get(link(app)).text
    assert '<html lang="ar" dir="rtl">' in page
    assert "لماذا تصلني هذه الرسالة؟" in page


@pytest.mark.any_database
def test_an_expired_link_has_the_story_mailed(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock
) -> None:
    url = link(app)
    clock.forward(timedelta(days=31))
    page = client.get(url)
    assert page.status_code == 410
    assert 'name="purpose" value="why"' in page.text
    client.post("/link", data={"token": url.rpartition("/")[2], "purpose": "why"})
    with app.app_context():
        sending.send_due(environment(app))
    [outgoing] = sink.accepted
    assert outgoing.recipient == ANA
    assert "Why you get Slow Letters" in str(sink.to(ANA)[0]["Subject"])
