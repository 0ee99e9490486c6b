"""Every kind of mail is declared once, and goes out as it is declared
(newsletter/mail/kinds.py).
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import db, transaction
from newsletter.errors import Conflict
from newsletter.link_purposes import LinkPurpose
from newsletter.mail.kinds import HELD, MAILS, Requirement
from newsletter.mail.slots import make_slot
from newsletter.models import (
    Campaign,
    Delivery,
    DigestReview,
    Edition,
    MailingList,
    SeriesLetter,
    Subscription,
)
from newsletter.models.outbox import held_clause
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.settings import Smtp
from newsletter.vocabulary import CampaignKind, MailKind
from tests.fakes import Sink, body
from tests.people import add_list, add_reader

CAMPAIGNS = {kind.value for kind in CampaignKind}
WITHOUT_WHY = {
    MailKind.ADDRESS,
    MailKind.MOVED,
    MailKind.NOTICE,
    MailKind.LOG_IN,
    MailKind.PASSKEY,
    MailKind.BROWSER,
    MailKind.REVIEW,
    MailKind.WEEKLY,
}
"""Mails that do not go to the address of a subscription."""
CONTEXTS: dict[MailKind, dict[str, object]] = {
    MailKind.RESOURCE: {"resource": "guide"},
    MailKind.ADDRESS: {"to": "new@example.com", "mark": "0123456789abcdef"},
    MailKind.MOVED: {"to": "old@example.com", "change": "0123456789abcdef"},
    MailKind.NOTICE: {
        "to": "author@example.com",
        "subject": "A notice",
        "paragraphs": ["Something happened."],
        "commands": ["newsletter status"],
        "foot": "Sent by your newsletter.",
    },
    MailKind.WEEKLY: {
        "to": "author@example.com",
        "language": "en",
        "first": "Monday",
        "last": "Sunday",
        "joined": 2,
        "left": 1,
        "reasons": [["Too many mails", 1]],
        "suppressed": 0,
        "coming": [],
        "page_url": "https://x",
    },
    MailKind.REVIEW: {"to": "author@example.com", "language": "en"},
    MailKind.PASSKEY: {"to": "author@example.com", "added": True, "page_url": "https://x"},
    MailKind.BROWSER: {"to": "author@example.com", "page_url": "https://x"},
    MailKind.LOG_IN: {"to": "author@example.com", "login": "0123456789ab", "language": "en"},
}


def enqueue(env: Environment, kind: MailKind, *, status: str = "active") -> None:
    """Queue one mail of a kind to Ann, with Bob on the same list and Ann's neighbour on another."""
    with transaction() as session:
        mailing_list = add_list(session)
        add_reader(session, mailing_list, "bob@example.com", name="Bob")
        add_reader(session, add_list(session, "other"), "neighbour@example.com", name="Ann")
        ann = add_reader(session, mailing_list, "ann@example.com", name="Ann", status=status)
        context = {"round": ann.round, **CONTEXTS.get(kind, {})}
        if kind is MailKind.REVIEW:
            context["review"] = _add_review(env, session, mailing_list)
        if kind is MailKind.SERIES:
            context["step"] = _add_series_letter(session, mailing_list)
        if kind.value in CAMPAIGNS:
            campaign = Campaign(
                list_id=mailing_list.id,
                kind=kind.value,
                status="sending",
                subject="Hello",
                seed="0" * 32,
                created_at=env.now,
                started_at=env.now,
            )
            session.add(campaign)
            session.flush()
            text = f"Dear {make_slot('name')}: {make_slot('preferences_url')}"
            if MAILS[kind].link is LinkPurpose.STAY:
                text += f" {make_slot('stay_url')}"
            session.add(
                Edition(campaign_id=campaign.id, subject="Hello", text=text, html=f"<p>{text}</p>")
            )
            recipients = select(Subscription.id, Subscription.cursor).where(
                Subscription.id == ann.id
            )
            outbox.freeze(session, campaign, recipients, mail=kind, now=env.now)
        elif MAILS[kind].requires is Requirement.NOTHING:
            context["list_id"] = mailing_list.id
            outbox.enqueue(session, mail=kind, subscription_id=None, now=env.now, context=context)
        else:
            outbox.enqueue(session, mail=kind, subscription_id=ann.id, now=env.now, context=context)


def _add_review(env: Environment, session: Session, mailing_list: MailingList) -> int:
    review = DigestReview(
        list_id=mailing_list.id,
        cadence="weekly",
        key="2026-W49",
        go_at=env.now,
        entries=[],
        created_at=env.now,
    )
    session.add(review)
    session.flush()
    return review.id


def _add_series_letter(session: Session, mailing_list: MailingList) -> int:
    letter = SeriesLetter(
        list_id=mailing_list.id,
        after_seconds=0,
        subject="First",
        digest="0" * 64,
        created_at=mailing_list.created_at,
        source="---\nsubject: First\n---\nHello {{ subscriber.name or 'friend' }}\n",
    )
    session.add(letter)
    session.flush()
    return letter.id


def test_every_kind_is_declared() -> None:
    assert set(MAILS) == set(MailKind)


@pytest.mark.parametrize("kind", list(MailKind))
def test_a_mail_goes_out_as_it_is_declared(env: Environment, sink: Sink, kind: MailKind) -> None:
    mail = MAILS[kind]
    enqueue(env, kind, status="pending" if mail.requires is Requirement.PENDING else "active")
    result = sending.send_due(env)
    assert (result.sent, result.failed, result.deferred, result.problem) == (1, 0, 0, "")
    [outgoing] = sink.accepted
    [message] = sink.messages
    assert outgoing.recipient == CONTEXTS.get(kind, {}).get("to", "ann@example.com")
    assert message["Subject"]
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    html = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    for part in (text, html):
        assert ("Ann" in part) == (mail.shows_name and "Ann" in text)
        if mail.link:
            assert f"/{mail.link.path}/" in part
        if kind.value not in CAMPAIGNS:
            assert ("Why am I getting this?" in part) == (kind not in WITHOUT_WHY), kind
    assert ("Ann" in str(message["To"])) == mail.shows_name
    assert (message["List-Unsubscribe"] is not None) == mail.list_headers
    assert (message["Feedback-ID"] is not None) == mail.list_headers
    if mail.list_headers:
        assert message["Feedback-ID"] == f"blog:{kind.value}:newsletter"
    row = db.session.scalars(select(Delivery)).one()
    assert (row.mail, row.status) == (kind, "sent")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (MailKind.LOG_IN, ("Log in to news.example.com", "Account: author@example.com")),
        (MailKind.BROWSER, ("Your account: author@example.com on news.example.com",)),
        (MailKind.PASSKEY, ("Your account: author@example.com on news.example.com",)),
        (MailKind.MOVED, ("the mails of Slow Letters no longer come here",)),
    ],
)
def test_a_mail_about_an_account_says_whose_it_is(
    env: Environment, sink: Sink, kind: MailKind, words: tuple[str, ...]
) -> None:
    enqueue(env, kind)
    sending.send_due(env)
    for part in ("plain", "html"):
        text = body(sink.messages[0], part)
        for expected in words:
            assert expected in text


@pytest.mark.parametrize("kind", [kind for kind in MailKind if kind.value not in CAMPAIGNS])
def test_a_line_above_each_bare_address_says_what_it_opens(
    env: Environment, sink: Sink, kind: MailKind
) -> None:
    pending = MAILS[kind].requires is Requirement.PENDING
    enqueue(env, kind, status="pending" if pending else "active")
    sending.send_due(env)
    lines = [line for line in body(sink.messages[0]).splitlines() if line.strip()]
    for label, line in itertools.pairwise(lines):
        if line.startswith("https://"):
            assert label.endswith(":"), (label, line)


@pytest.mark.parametrize("kind", list(MailKind))
def test_a_mail_goes_to_nobody_who_does_not_meet_its_requirement(
    env: Environment, sink: Sink, kind: MailKind
) -> None:
    requires = MAILS[kind].requires
    if requires not in (Requirement.ACTIVE, Requirement.PENDING):
        pytest.skip("it needs nothing of the subscription")
    enqueue(env, kind, status="unsubscribed")
    result = sending.send_due(env)
    assert (result.sent, result.cancelled) == (0, 1)
    assert sink.accepted == []


def test_the_database_knows_the_kinds(env: Environment) -> None:
    with transaction() as session:
        reader = add_reader(session, add_list(session), "ann@example.com")
        reader_id = reader.id
    statement = "INSERT INTO deliveries (subscription_id, mail, status, created_at) VALUES"
    with (
        pytest.raises((Conflict, IntegrityError), match="ck_deliveries_mail"),
        transaction() as session,
    ):
        session.connection().exec_driver_sql(
            f"{statement} ({reader_id}, 'advert', 'queued', '2026-11-24 09:00:00')"
        )


def test_the_index_of_held_mails_covers_what_is_held() -> None:
    assert HELD == (MailKind.CONFIRM, MailKind.ALREADY, MailKind.ADDRESS)
    [index] = [one for one in Delivery.__table__.indexes if one.name == "ix_deliveries_held"]  # type: ignore[attr-defined]
    for dialect in ("sqlite", "postgresql"):
        assert str(index.dialect_options[dialect]["where"]) == held_clause()


def test_a7_only_mail_to_who_has_confirmed_shows_a_name() -> None:
    """A stranger can cause all others, and has typed the name of whoever did not confirm yet."""
    for kind, mail in MAILS.items():
        if mail.shows_name:
            assert mail.requires is Requirement.ACTIVE and not mail.held, kind


def test_no_other_module_names_a_mail_in_a_condition() -> None:
    """The properties of a kind of mail are declared in its table, and nowhere else."""
    pattern = re.compile(r"\.mail (?:==|!=|in|not in) [\"'(]|\bmail (?:==|!=) [\"']")
    package = Path(__file__).parents[3] / "newsletter"
    for file in package.rglob("*.py"):
        match = pattern.search(file.read_text())
        assert match is None, f"{file}: {match and match[0]}"


@pytest.mark.parametrize("kind", [MailKind.LETTER, MailKind.SERIES, MailKind.CONFIRM])
def test_headers_of_the_provider_go_with_mail_to_a_list_alone(
    env: Environment, sink: Sink, kind: MailKind
) -> None:
    smtp = Smtp.model_validate({"campaign_headers": "X-PM-Message-Stream: broadcast"})
    env = replace(env, settings=env.settings.model_copy(update={"smtp": smtp}))
    enqueue(env, kind, status="pending" if kind is MailKind.CONFIRM else "active")
    assert sending.send_due(env).sent == 1
    [message] = sink.messages
    expected = "broadcast" if MAILS[kind].list_headers else None
    assert message["X-PM-Message-Stream"] == expected
