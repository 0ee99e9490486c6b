"""Test that what subscribers told a list decides who gets a letter, and what the letter says to
them.
"""

from __future__ import annotations

import pytest
from sqlalchemy import select

from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, Refused
from newsletter.models import Campaign, Delivery, MailingList, Subscriber, Subscription
from newsletter.services.audience import segments
from newsletter.services.letters import drafts, newcomers
from newsletter.services.letters import send as letters
from newsletter.services.lists import topics
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.signup import forms
from newsletter.services.subscribers import admin, correct
from tests.fakes import Sink, body
from tests.people import add_list, add_reader

LETTER = "---\nsubject: Workshops\n{segment}---\n\n{text}\n"
PEOPLE = {
    "ana": ({"town": "Berlin", "size": "S", "vip": True, "workshops": True}, ["sleep"]),
    "ben": ({"town": "Köln", "size": "L", "vip": False, "workshops": False}, ["work"]),
    "cat": ({}, []),
    "dan": ({"town": "O'Hara %_", "vip": "true"}, ["sleep", "work"]),
}


@pytest.fixture
def people(env: Environment) -> MailingList:
    """Make a list with fields and topics, and another list whose fields have the same names."""
    with transaction() as session:
        add_list(session, "blog")
        add_list(session, "other")
    for slug in ("other", "blog"):
        forms.add_field(slug, "town", "text", "Your town")
        forms.add_field(slug, "size", "choice", "Size", ["S", "L"])
        forms.add_field(slug, "vip", "checkbox", "VIP")
        forms.add_field(slug, "workshops", "consent", "Tell me of workshops")
        for name in ("Sleep", "work", "food"):
            topics.add(slug, name)
    with transaction() as session:
        for slug in ("other", "blog"):
            row = session.scalars(select(MailingList).where(MailingList.slug == slug)).one()
            for name, (answers, chosen) in PEOPLE.items():
                prefix = "" if slug == "blog" else "x"
                subscription = add_reader(session, row, f"{prefix}{name}@example.org")
                subscription.answers = answers
                topics.choose_topics(session, subscription, chosen)
        return row


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ('fields.town == "Berlin"', "ana"),
        ('"Berlin" == fields.town', "ana"),
        ('fields.town != "Berlin"', "ben cat dan"),
        ('fields.town in ["Berlin", "Köln"]', "ana ben"),
        ('fields.town == "O\'Hara %_"', "dan"),
        ('fields.town == ""', "cat"),
        ("fields.town", "ana ben dan"),
        ("not fields.town", "cat"),
        ('fields.size == "S"', "ana"),
        ("fields.vip", "ana dan"),
        ("fields.vip == True", "ana dan"),
        ("fields.vip == False", "ben cat"),
        ("fields.vip != True", "ben cat"),
        ('agreed("workshops")', "ana"),
        ('not agreed("workshops") and fields.town == "Köln"', "ben"),
        ('"sleep" in topics', "ana cat dan"),
        ('"SLEEP" in topics', "ana cat dan"),
        ('"work" not in topics', "ana"),
        ('"food" in topics', "cat"),
    ],
)
def test_a_segment_asks_for_answers_consents_and_topics(
    people: MailingList, env: Environment, segment: str, expected: str
) -> None:
    with reading() as session:
        mailing_list = session.get_one(MailingList, people.id)
        query = segments.segment_query(mailing_list, segment, env.now).subquery()
        chosen = (
            select(Subscriber.email)
            .join(Subscription, Subscription.subscriber_id == Subscriber.id)
            .where(Subscription.id.in_(select(query.c.id)))
        )
        assert sorted(email.partition("@")[0] for email in session.scalars(chosen)) == (
            expected.split()
        )


@pytest.mark.parametrize(
    ("segment", "problem"),
    [
        ('fields.twon == "x"', "no field twon; did you mean town?"),
        ('fields.size == "M"', '"M" is no choice of size; there are S, L'),
        ('fields.vip == "yes"', "vip is ticked or not"),
        ('agreed("town")', "not a consent: write fields.town"),
        ('agreed("workshop")', "did you mean workshops?"),
        ('"slep" in topics', 'no topic "slep"; did you mean Sleep?'),
        ("had(999)", "has no campaign 999"),
        ('had("7")', "numbers of campaigns"),
        ("had()", "had() is written like had(7)"),
        ("agree('x')", "did you mean agreed()?"),
        ('topics == "sleep"', 'asked like this: "sleep" in topics'),
        ('fields == "sleep"', "fields.town"),
        ('fields.town > "a"', "compared with == and !="),
        ('tags.town == "a"', "no field"),
    ],
)
def test_a_name_that_the_list_does_not_have_is_refused(
    people: MailingList, env: Environment, segment: str, problem: str
) -> None:
    with reading() as session:
        mailing_list = session.get_one(MailingList, people.id)
        with pytest.raises(InvalidInput) as refused:
            segments.count_segment(session, mailing_list, segment, env.now)
    assert problem in str(refused.value)


def test_a_letter_writes_what_a_subscriber_filled_in(
    people: MailingList, env: Environment, sink: Sink
) -> None:
    text = (
        '{{ subscriber.fields.town or "there" }}, '
        "{% if subscriber.fields.workshops %}come{% else %}bye{% endif %}; "
        '{{ subscriber.topics|join("+") }}.'
    )
    source = LETTER.format(segment="", text=text)
    campaign_id = letters.send_letter(env, parse_letter(source), "blog")
    sending.send_due(env)
    words = {
        message["To"].partition("@")[0]: body(message, "plain").split(".")[0]
        for message in sink.messages
    }
    assert {name: line.strip() for name, line in words.items()} == {
        "ana": "Berlin, come; Sleep",
        "ben": "Köln, bye; work",
        "cat": "there, bye; Sleep+work+food",
        "dan": "O'Hara %_, bye; Sleep+work",
    }
    with reading() as session:
        page = drafts.load_draft(env, campaign_id).prepared.versions[0].page
        assert session.get_one(Campaign, campaign_id).recipients == 4
    assert "there, bye" in page.text


def test_a_field_that_the_list_does_not_have_stops_a_letter(
    people: MailingList, env: Environment
) -> None:
    source = LETTER.format(segment="", text='In {{ subscriber.fields.twon or "x" }}')
    with pytest.raises(Refused, match="no field twon; did you mean town"):
        letters.send_letter(env, parse_letter(source), "blog")
    with reading() as session:
        assert session.scalars(select(Delivery)).all() == []


def test_a_letter_goes_to_those_who_have_not_had_it(
    people: MailingList, env: Environment, sink: Sink
) -> None:
    source = LETTER.format(segment='segment: fields.town != "Köln"\n', text="Hello.")
    first = letters.send_letter(env, parse_letter(source), "blog")
    sending.send_due(env)
    sink.accepted.clear()
    with transaction() as session:
        mailing_list = session.get_one(MailingList, people.id)
        add_reader(session, mailing_list, "eva@example.org")
        failed = session.scalars(
            select(Delivery)
            .join(Subscription)
            .join(Subscriber)
            .where(Subscriber.email == "ana@example.org", Delivery.campaign_id == first)
        ).one()
        failed.status = "failed"
    draft = newcomers.load_draft_to_new(env, first)
    assert draft.recipients == 2
    second = letters.dispatch_letter(env, draft, again=True)
    sending.send_due(env)
    assert sorted(message["To"] for message in sink.messages) == [
        "ana@example.org",
        "eva@example.org",
    ]
    assert newcomers.load_draft_to_new(env, second).recipients == 0
    everybody = newcomers.load_draft_to_new(env, first, segment="")
    assert everybody.recipients == 1, "Ben, whom the segment had left out"


def test_a_letter_that_waits_is_not_sent_to_newcomers_as_well(
    people: MailingList, env: Environment
) -> None:
    source = LETTER.format(segment="", text="Hello.")
    waiting = letters.send_letter(
        env, parse_letter(source), "blog", send_at=env.now.replace(year=2099)
    )
    with pytest.raises(Refused, match=f"campaign {waiting} is this letter and scheduled"):
        newcomers.load_draft_to_new(env, waiting)


def test_an_author_adds_a_subscriber_with_answers_and_topics(
    people: MailingList, env: Environment
) -> None:
    added = admin.Addition(
        "new@example.org",
        "blog",
        topics=["sleep"],
        answers={"town": "Rome", "workshops": "yes"},
        tag=["VIP"],
        language="de",
        because="asked me",
    )
    view = admin.add_subscriber(env, added)
    assert view.language == "de"
    assert view.subscriptions[0].topics == ("Sleep",)
    assert view.subscriptions[0].fields == {"town": "Rome", "workshops": True}
    for answers in ({"workshops": "yes"}, {"twon": "Rome"}):
        with pytest.raises(InvalidInput):
            admin.add_subscriber(env, admin.Addition("o@example.org", "blog", answers=answers))
    pending = admin.Addition("p@example.org", "blog", answers={"town": "Oslo"}, tag=["north"])
    assert admin.add_subscriber(env, pending).subscriptions[0].status == "pending"
    corrected = correct.correct_subscriber(
        env, "new@example.org", correct.Correction(slug="blog", answers={"workshops": ""})
    )
    assert corrected.subscriptions[0].fields == {"town": "Rome", "workshops": False}
