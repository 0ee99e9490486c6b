"""Test that every notice to an author is said in the language of its list, whole."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.access_vocabulary import AuthorRole
from newsletter.db.session import transaction
from newsletter.feeds.protected import PROTECTED
from newsletter.i18n import LANGUAGES, Text
from newsletter.mail.kinds import MAILS, Requirement
from newsletter.models import Campaign, Delivery, MailingList
from newsletter.services import notifications
from newsletter.services.authors import authors
from newsletter.services.checks import WARN, Check
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import MailKind
from tests.fakes import START, Sink, body
from tests.people import add_feed, add_list
from tests.services.sending.test_mail_kinds import enqueue

ROOT = Path(__file__).parents[2]
REPLY = "550 5.7.1 go away, bea@reader.example (see https://mx.example/why)."
"""A mail server's reply, which stays as it is except for the address."""
MASKED = REPLY.replace("bea@", "b…@")
SUBJECT = "held by hand"
"""The subject of a letter stays as it is, whatever it is like."""
DEAD = "12 of the first 20 messages came back: the addresses are dead"
REFUSED = f"it failed for every recipient: {REPLY}"
MOVED = Text("its password was taken away")
PASS = (
    "feeds are read by programs, which cannot pass it: let whoever runs the site or its firewall "
    "exempt the feed's address from the check"
)
AS_THEY_ARE = frozenset(["newsletter", "SPF, DKIM, DMARC"])

Queue = Callable[[Environment, Session, MailingList], object]


def fail(feed_status: str, error: str) -> Queue:
    def queue(env: Environment, session: Session, mailing_list: MailingList) -> None:
        feed = add_feed(session, mailing_list, f"https://{mailing_list.slug}.example.com/feed")
        feed.status = feed_status  # type: ignore[assignment]
        feed.error = error
        feed.failures = 21
        feed.failing_since = START.replace(day=2)
        notifications.notify_feed_failing(env, session, feed)

    return queue


def hold(*reasons: str) -> Queue:
    def queue(env: Environment, session: Session, mailing_list: MailingList) -> None:
        feed = add_feed(session, mailing_list, f"https://{mailing_list.slug}.example.com/feed")
        notifications.notify_entries_held(env, session, feed, reasons)

    return queue


def flood(count: int) -> Queue:
    return lambda env, session, blog: notifications.notify_flood(env, session, blog, count)


def pause(reason: str) -> Queue:
    return lambda env, session, blog: notifications.notify_campaign_paused(
        env, session, add_campaign(session, blog, reason)
    )


def rest(setting: str) -> Queue:
    return lambda env, session, blog: notifications.notify_sender_resting(
        env, session, blog, "mx.example", REPLY, until=START, setting=setting
    )


def answer(proposal: int | None) -> Queue:
    return lambda env, session, blog: notifications.notify_reply(env, session, blog, 77, proposal)


def end_webhook(host: str, why: str) -> Queue:
    return lambda env, session, blog: notifications.notify_webhook_paused(
        env, session, blog, 12, host=host, why=why, kept_for=timedelta(days=30)
    )


def watch(*checks: Check) -> Queue:
    return lambda env, session, blog: notifications.notify_troubles(env, session, blog, checks)


BACKUP = Check(
    "backup",
    WARN,
    Text("the last backup is %(days)s days old", days=8),
    "newsletter backup /path/to/backups/ --keep 14",
    Text("a broken disk would take every subscription and every proof of consent with it"),
)
CEILINGS = Check(
    "ceilings",
    WARN,
    Text("sign-ups were turned away: %(names)s was reached", names="signup.per_list = 3000"),
    Text("raise it under [signup], unless it was a flood"),
)

NOTICES: dict[str, Queue] = {
    "feed_failing": fail("active", f"the connection failed: {PASS}"),
    "feed_failing, gone": fail("gone", "its certificate cannot be trusted: it has expired"),
    "entries_held": hold(MOVED, str(MOVED), PROTECTED),
    "entries_held, one": hold(MOVED),
    "entries_held, protected": hold(PROTECTED, PROTECTED),
    "flood": flood(25),
    "flood, one": flood(1),
    "campaign_paused": pause(DEAD),
    "campaign_paused, refused": pause(REFUSED),
    "domain_resting": lambda env, session, blog: notifications.notify_domain_resting(
        env, session, add_campaign(session, blog), "strict.example", REPLY
    ),
    "sender_resting": rest(""),
    "sender_resting, setting": rest("smtp.max_per_hour"),
    "pace_learnt": lambda env, session, blog: notifications.notify_pace_learnt(
        env, session, blog, "mx.example", REPLY, 0.51
    ),
    "message_refused": lambda env, session, blog: notifications.notify_message_refused(
        env, session, add_campaign(session, blog), REPLY
    ),
    "reply": answer(None),
    "reply, proposal": answer(31),
    "webhook_paused": end_webhook("crm.example", "answered 410 Gone"),
    "webhook_paused, days": end_webhook("crm.example", "refuses the connection, for 3 days"),
    "troubles": watch(BACKUP, CEILINGS),
}
"""Each kind of notice by the end of its function's name; several where its words differ."""


def add_campaign(session: Session, mailing_list: MailingList, reason: str = "") -> Campaign:
    campaign = Campaign(
        list_id=mailing_list.id,
        kind="letter",
        status="sending",
        subject=SUBJECT,
        reason=reason,
        seed="0" * 32,
        created_at=START,
    )
    session.add(campaign)
    session.flush()
    return campaign


def mail(env: Environment, sink: Sink, name: str, language: str) -> EmailMessage:
    """Send a notice of a list in `language`, beside that of a list in another."""
    other = "en" if language != "en" else "de"
    with transaction() as session:
        add_list(session, "noise", language=other)
        for slug, tag in (("talks", other), ("blog", language)):
            blog = add_list(session, slug, language=tag, from_email=f"ana@{slug}.example.com")
            NOTICES[name](env, session, blog)
    sending.send_due(env)
    [message] = sink.to("ana@blog.example.com")
    return message


def split(message: EmailMessage, kind: str) -> set[str]:
    """Return the sentences of a mail in parts, without the links and what is nobody's words."""
    text = body(message, kind)
    if kind == "html":
        text = re.sub(r"<style.*?</style>|<[^>]*>|&\w+;", "\n", text, flags=re.S)
    text = re.sub(
        r"^ *newsletter .*$|newsletter list edit .*$|smtp\.\w+ = \S+", "", text, flags=re.M
    )
    text = re.sub(r"[\u2068\u2069]", "", f"{message['Subject']}\n{text}")
    text = re.sub(r"\n(?!\n)", " ", text)
    for words in (MASKED, SUBJECT + "”", SUBJECT + "“", SUBJECT, "Slow Letters"):
        text = text.replace(words, "")
    text = re.sub(r"\S+\.example\S*|Ana Coach|1 Main Street, 10115 Berlin", "", text)
    parts = (part.strip(" “”„\"'()") for part in re.split(r"[.:;()\n]", text))
    return {part for part in parts if re.search(r"[A-Za-z]{2}.* ", part)}


@pytest.mark.parametrize("name", NOTICES)
def test_every_notice_is_in_the_language_of_its_list(
    env: Environment, sink: Sink, name: str
) -> None:
    authors.add_author(env, "owner@example.com", role=AuthorRole.OWNER)
    message = mail(env, sink, name, "de")
    [original] = sink.to("ana@talks.example.com")
    for kind in ("plain", "html"):
        german = split(message, kind)
        assert len(german) >= 3
        assert german & split(original, kind) - AS_THEY_ARE == set()
    assert 'lang="de"' in body(message, "html")


def test_each_notice_has_its_test_here() -> None:
    """Every function that queues a notice is one of `notifications`, named in `NOTICES`."""
    named = {f"notify_{name.partition(',')[0]}" for name in NOTICES}
    queuing = {
        (file.stem, function.name)
        for file in (ROOT / "newsletter").rglob("*.py")
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "queue_notice"
    }
    assert queuing == {("notifications", name) for name in named}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_was_filled_in_is_in_every_language(
    env: Environment, sink: Sink, language: str
) -> None:
    text = body(mail(env, sink, "domain_resting", language))
    assert MASKED in " ".join(text.split()).replace("\u2069", "")
    assert "strict.example" in text
    assert "newsletter doctor" in text
    is_isolated = f"\u2068{MASKED.split()[0]}" in text
    assert is_isolated is (language == "ar"), "its numbers and its full stop stay where they were"


def test_plurals_are_those_of_the_language(env: Environment, sink: Sink) -> None:
    message = mail(env, sink, "feed_failing", "ro")
    assert "21 de ori" in " ".join(body(message).split())
    assert "2 noiembrie 2026" in body(message)


def test_a_list_in_a_language_without_texts_is_told_in_english(
    env: Environment, sink: Sink
) -> None:
    text = " ".join(body(mail(env, sink, "reply", "pt")).split())
    assert "Somebody replied to a mail of Slow Letters." in text


def test_what_others_wrote_is_no_text_of_ours(env: Environment, sink: Sink) -> None:
    """Only what is stored as a reason is traced back; a subject that reads like one is not."""
    text = body(mail(env, sink, "message_refused", "de"))
    assert f"„{SUBJECT}“" in text


OTHERS = [
    kind
    for kind, mail in MAILS.items()
    if mail.requires is Requirement.NOTHING and kind is not MailKind.NOTICE
]


@pytest.mark.parametrize("kind", OTHERS)
def test_every_other_mail_to_an_author_is_in_one_language(
    env: Environment, sink: Sink, kind: MailKind
) -> None:
    enqueue(env, kind)
    with transaction() as session:
        context = session.scalars(select(Delivery.context)).one()
        for language in ("de", "en"):
            changes = {
                "to": f"{language}@example.com",
                "language": language,
                "first": "1",
                "last": "7",
                "reasons": [],
            }
            outbox.enqueue(
                session,
                mail=kind,
                subscription_id=None,
                now=env.now,
                context={**(context or {}), **changes},
            )
    sending.send_due(env)
    parts = {}
    for language in ("de", "en"):
        [message] = sink.to(f"{language}@example.com")
        parts[language] = split(message, "html") | split(message, "plain")
    assert len(parts["de"]) >= 4
    assert parts["de"] & parts["en"] == set()
