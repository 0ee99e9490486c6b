"""Test that what subscribers can change themselves, their author can correct: for them alone,
with evidence, mailing nobody.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from newsletter.db.session import db, transaction
from newsletter.errors import InvalidInput, NewsletterError, NotFound, Refused
from newsletter.models import ConsentEvent, Delivery, Subscriber, Subscription, SubscriptionRequest
from newsletter.services import suppressions
from newsletter.services.consent import Evidence
from newsletter.services.lists import topics
from newsletter.services.runtime import Environment
from newsletter.services.signup import forms
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.services.subscribers.admin import unsubscribe
from newsletter.services.subscribers.correct import Correction, correct_subscriber
from newsletter.vocabulary import Cadence, EvidenceSource, SuppressionReason
from tests.fakes import START
from tests.people import add_list, add_reader

ANA = "ana@example.com"
BOB = "bob@example.com"


@pytest.fixture(autouse=True)
def people(env: Environment) -> None:
    with transaction() as session:
        blog = add_list(session)
        news = add_list(session, "news")
        add_reader(session, blog, BOB, name="Bob")
        ana = add_reader(session, blog, ANA)
        other = add_reader(session, news, "x@example.com")
        other.subscriber_id = ana.subscriber_id
    for name in ("Yoga", "Walks"):
        topics.add("blog", name)
    forms.add_field("blog", "city", "text", "Where do you live?")
    forms.add_field("blog", "size", "choice", "Size?", ["S", "M"])
    forms.add_field("blog", "photos", "consent", "You may show photos of me.")


def rows() -> dict[tuple[str, str], Subscription]:
    db.session.rollback()
    return {
        (row.subscriber.email, row.mailing_list.slug): row
        for row in db.session.scalars(select(Subscription))
    }


def events() -> list[tuple[str, str, str]]:
    query = select(ConsentEvent.kind, ConsentEvent.source, ConsentEvent.note).order_by(
        ConsentEvent.id
    )
    return [(row[0], row[1], row[2]) for row in db.session.execute(query)]


def nobody_is_mailed() -> bool:
    return db.session.scalar(select(func.count(Delivery.id))) == 0


def test_everything_that_a_subscriber_can_change(env: Environment) -> None:
    until = START + timedelta(days=30)
    correction = Correction(
        name="Ana",
        language="de-AT",
        slug="blog",
        cadence=Cadence.MONTHLY,
        pause_until=until,
        topics=["yoga"],
        answers={"city": "Iași", "size": "M"},
        tag=["vip"],
    )
    view = correct_subscriber(env, "ANA@example.com", correction)
    assert (view.name, view.language) == ("Ana", "de")
    result = rows()
    ana = result[ANA, "blog"]
    untouched = result[ANA, "news"]
    bob = result[BOB, "blog"]
    assert (ana.cadence, ana.paused_until, ana.answers) == (
        "monthly",
        until,
        {"city": "Iași", "size": "M"},
    )
    assert [offer.name for offer in topics.find_chosen_topics(db.session, ana)] == ["Yoga"]  # type: ignore[arg-type]
    assert (untouched.cadence, untouched.paused_until, untouched.topics, untouched.answers) == (
        "weekly",
        None,
        "",
        {},
    )
    assert (bob.cadence, bob.topics, bob.subscriber.name, bob.subscriber.language) == (
        "weekly",
        "",
        "Bob",
        "",
    )
    note = "weekly → monthly; paused until 2026-12-24; topics: yoga; city: Iași; size: M"
    assert events() == [("changed", "author", note)]
    assert nobody_is_mailed()
    back = Correction(language="", slug="blog", resume=True, all_topics=True, answers={"city": ""})
    assert correct_subscriber(env, ANA, back).language == ""
    ana = rows()[ANA, "blog"]
    assert (ana.paused_until, ana.topics, ana.answers, ana.cadence) == (
        None,
        "",
        {"size": "M"},
        "monthly",
    )
    assert correct_subscriber(env, ANA, back).subscriptions
    assert len(events()) == 3, "an answer is noted each time; what was so already is not"


def test_without_a_list_the_cadence_of_all_of_them_changes(env: Environment) -> None:
    correct_subscriber(env, ANA, Correction(cadence=Cadence.DAILY))
    cadences = {key: row.cadence for key, row in rows().items()}
    assert cadences == {(ANA, "blog"): "daily", (ANA, "news"): "daily", (BOB, "blog"): "weekly"}


@pytest.mark.parametrize(
    ("correction", "error", "text"),
    [
        (Correction(name="New", language="xx"), InvalidInput, "is unknown"),
        (
            Correction(name="New", slug="blog", topics=["Chess"]),
            InvalidInput,
            "one of those offered",
        ),
        (
            Correction(name="New", slug="blog", answers={"town": "x"}),
            InvalidInput,
            "blog has no field town",
        ),
        (
            Correction(name="New", slug="blog", answers={"size": "XL"}),
            InvalidInput,
            "one of those offered",
        ),
        (Correction(name="New", slug="blog", answers={"photos": "yes"}), InvalidInput, "--because"),
        (
            Correction(name="New", pause_until=START + timedelta(days=400)),
            InvalidInput,
            "twelve months",
        ),
        (
            Correction(name="New", pause_until=START - timedelta(days=1)),
            InvalidInput,
            "twelve months",
        ),
        (Correction(name="New", slug="third"), NotFound, "no subscription to third"),
        (Correction(name="New", topics=["Yoga"]), Refused, "which list"),
        (Correction(name="New", address="ana.new@example.com"), InvalidInput, "--because"),
        (Correction(name="New", address="nonsense", because="x"), InvalidInput, "@"),
        (
            Correction(name="New", address="BOB@example.com", because="x"),
            Refused,
            "another subscriber",
        ),
        (Correction(name="New", address="never@example.com", because="x"), Refused, "suppressed"),
    ],
)
def test_where_anything_is_wrong_nothing_changes(
    env: Environment, correction: Correction, error: type[NewsletterError], text: str
) -> None:
    suppressions.suppress(env, "never@example.com")
    with pytest.raises(error, match=text):
        correct_subscriber(env, ANA, correction)
    assert rows()[ANA, "blog"].subscriber.name == ""
    assert events() == []


def test_a_consent_is_taken_back_freely_and_given_with_how_the_author_knows(
    env: Environment,
) -> None:
    correct_subscriber(
        env, ANA, Correction(slug="blog", answers={"photos": "yes"}, because="signed on paper")
    )
    assert rows()[ANA, "blog"].answers == {"photos": True}
    assert events() == [("changed", "author", "photos: True; signed on paper")]
    correct_subscriber(env, ANA, Correction(slug="blog", answers={"photos": ""}))
    assert rows()[ANA, "blog"].answers == {"photos": False}


def test_a_new_address_is_moved_on_the_authors_word(env: Environment) -> None:
    suppressions.suppress(env, ANA, reason=SuppressionReason.BOUNCE)
    result = correct_subscriber(
        env, ANA, Correction(address="Ana.New@Example.com", because="told me by phone")
    )
    assert result.email == "Ana.New@example.com"
    assert {key for key in rows() if key[0] == result.email} == {
        (result.email, "blog"),
        (result.email, "news"),
    }
    note = f"{ANA} → {result.email}; told me by phone"
    assert events() == [("moved", "author", note)] * 2
    assert nobody_is_mailed()


def test_a_new_address_on_the_authors_word_renews_the_links(env: Environment) -> None:
    before = {key: row.handle for key, row in rows().items()}
    result = correct_subscriber(
        env, ANA, Correction(address="ana.new@example.com", because="told me by phone")
    )
    after = {key: row.handle for key, row in rows().items()}
    for slug in ("blog", "news"):
        assert after[result.email, slug] != before[ANA, slug]
    assert after[BOB, "blog"] == before[BOB, "blog"]


def test_who_complained_is_not_written_to_at_another_address(env: Environment) -> None:
    suppressions.suppress(env, ANA, reason=SuppressionReason.COMPLAINT)
    with pytest.raises(Refused, match="suppressed"):
        correct_subscriber(env, ANA, Correction(address="ana.new@example.com", because="x"))


def test_a_request_that_waits_is_not_confirmed_from_the_old_mailbox(env: Environment) -> None:
    for address in ("late@example.com", "other@example.com"):
        subscribe(env, "blog", Submission(address), Evidence(EvidenceSource.FORM))
    correct_subscriber(
        env, "late@example.com", Correction(address="late.new@example.com", because="a spelling")
    )
    waiting = select(Subscriber.email).join(Subscription).join(SubscriptionRequest)
    assert set(db.session.scalars(waiting)) == {"other@example.com"}
    assert rows()["late.new@example.com", "blog"].status == "pending"


def test_unsubscribing_says_whether_a_goodbye_is_mailed(env: Environment) -> None:
    assert unsubscribe(env, ANA, "blog") is True
    assert unsubscribe(env, ANA, "blog") is False
    assert {key: row.status for key, row in rows().items()} == {
        (ANA, "blog"): "unsubscribed",
        (ANA, "news"): "active",
        (BOB, "blog"): "active",
    }
    with pytest.raises(NotFound, match="no subscription to news"):
        unsubscribe(env, BOB, "news")
