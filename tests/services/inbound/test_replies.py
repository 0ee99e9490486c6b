"""A person's reply goes to the author as it was written, and a wish in it is proposed, not
obeyed.
"""

from __future__ import annotations

import re

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from newsletter.bounce_vocabulary import BounceClass, BounceEffect, BounceSource
from newsletter.bounces import read_message
from newsletter.bounces.kept import KEPT_AT_MOST
from newsletter.db.session import reading, transaction
from newsletter.errors import NotFound, Refused
from newsletter.mail.smtp.types import Outgoing
from newsletter.models import BounceEvent, ForwardedReply, MailingList, Subscriber, Subscription
from newsletter.services import bounce_events
from newsletter.services.inbound import forwarding, proposals
from newsletter.services.inbound.messages import apply_message
from newsletter.services.inbound.poll import poll_mailbox
from newsletter.services.operations import doctor, status
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import privacy
from newsletter.settings import Settings
from tests.fakes import Sink, parsed
from tests.services.inbound.dovecot import running_dovecot
from tests.services.inbound.returned import mail, suppressed
from tests.services.sending.test_run import refusal


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings that forward replies."""
    bounces = settings.bounces.model_copy(update={"forward_replies": True})
    return settings.model_copy(update={"bounces": bounces})


def reply(outgoing: Outgoing, body: str = "Thank you!", **options: str) -> bytes:
    """Return a person's answer to a message that was sent."""
    [message_id] = re.findall(rb"Message-ID: (<\S+>)", outgoing.data)
    options.setdefault("sender", "Eva <eva@home.example>")
    headers = f"In-Reply-To: {message_id.decode()}\n" + options.pop("headers", "")
    return mail(outgoing.sender, subject="Re: Hello", body=body, headers=headers, **options)


def waiting() -> list[str]:
    with reading() as session:
        return list(session.scalars(select(ForwardedReply.writer)))


def active() -> int:
    with reading() as session:
        return len(
            session.scalars(select(Subscription).where(Subscription.status == "active")).all()
        )


def test_a_reply_is_forwarded_whole_and_its_copy_goes(
    env: Environment, sink: Sink, sent: list[Outgoing]
) -> None:
    with transaction() as session:
        session.scalars(select(MailingList)).one().reply_to = "ana@home.example"
    data = reply(sent[0], "Thank you!\n.\n..and more\n")
    apply_message(env, data, BounceSource.LISTENER)
    assert waiting() == ["eva@home.example"]
    sending.send_due(env)
    [forward] = [outgoing for outgoing in sink.accepted if outgoing.recipient == "ana@home.example"]
    assert not re.search(rb"^\.", forward.data, re.M)
    assert forward.data.isascii()
    message = parsed(forward.data)
    assert message["From"] == "Ana Coach <ana@news.example.com>"
    assert message["Reply-To"] == "eva@home.example"
    assert "accept" not in forward.data.decode().partition("message/rfc822")[0]
    [attached] = message.iter_attachments()
    assert attached.get_content_type() == "message/rfc822"
    original = attached.get_payload(0)
    assert original["Subject"] == "Re: Hello"
    assert original.get_content().replace("\r\n", "\n").startswith("Thank you!\n.\n..and more\n")
    forwarding.delete_forwarded()
    assert waiting() == []
    apply_message(env, data, BounceSource.LISTENER)
    assert waiting() == [], "the same reply again"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (
            "Content-Type: text/plain; charset=latin-1\nContent-Transfer-Encoding: 8bit\n",
            "Grüße " * 300,
        ),
        ('Content-Type: multipart/mixed; boundary="b"\n', ".preamble\n--b\n\nhello\n--b--\n"),
        ("X-Odd: Grüße\n", "hello"),
        ("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n", "\x00\x01é"),
    ],
)
def test_whatever_a_reply_holds_the_forward_can_be_sent(
    env: Environment, sink: Sink, sent: list[Outgoing], headers: str, body: str
) -> None:
    apply_message(env, reply(sent[0], body, headers=headers), BounceSource.LISTENER)
    sending.send_due(env)
    data = sink.accepted[-1].data
    assert data.isascii()
    assert not re.search(rb"(?m)^\.|[^\r]\n|\r(?!\n)|[^\r\n]{999}", data)
    assert len(list(parsed(data).iter_attachments())) == 1


def test_a_reply_that_cannot_be_sent_is_kept(
    env: Environment, sink: Sink, sent: list[Outgoing]
) -> None:
    data = reply(sent[0])
    apply_message(env, data, BounceSource.LISTENER)
    forwarding.delete_forwarded()
    assert waiting(), "it waits for its mail"
    sink.script = lambda outgoing: refusal(outgoing, 550, "5.1.1", "Nobody here")
    sending.send_due(env)
    forwarding.delete_forwarded()
    assert waiting() == []
    [event] = bounce_events.list_bounces()
    assert bounce_events.read_content(event.id) == data


def test_what_is_not_forwarded(env: Environment, sink: Sink, sent: list[Outgoing]) -> None:
    strangers = mail("bounces@news.example.com", subject="Re: x", headers="In-Reply-To: <a@b>\n")
    vacation = reply(sent[0], headers="Auto-Submitted: auto-replied\n")
    too_large = reply(sent[0], "x" * 600_000)
    for data in (strangers, vacation, too_large):
        apply_message(env, data, BounceSource.LISTENER)
    with transaction() as session:
        session.scalars(select(MailingList)).one().reply_to = "bounces+x@news.example.com"
    to_a_loop = reply(sent[1])
    apply_message(env, to_a_loop, BounceSource.LISTENER)
    apply_message(env, reply(sent[2]), BounceSource.MAILBOX)
    assert waiting() == []
    with reading() as session:
        query = select(BounceEvent).where(BounceEvent.bounce_class == BounceClass.REPLY)
        contents = [row.content for row in session.scalars(query.order_by(BounceEvent.id))]
    assert contents == [too_large[:KEPT_AT_MOST], to_a_loop, None], "what lies nowhere else is kept"


def test_doctor_refuses_a_loop(env: Environment) -> None:
    from tests.people import add_list

    with transaction() as session:
        add_list(session, reply_to="", from_email="bounces@news.example.com")
    verdicts = {check.id: check.verdict for check in doctor.examine(env)}
    assert verdicts["reply_to"] == "bad"


def test_nobody_can_flood_the_author(env: Environment, sent: list[Outgoing]) -> None:
    for number in range(forwarding.REPLIES_A_DAY + 5):
        apply_message(env, reply(sent[0], f"again {number}"), BounceSource.LISTENER)
    apply_message(env, reply(sent[1]), BounceSource.LISTENER)
    assert len(waiting()) == forwarding.REPLIES_A_DAY + 1


def test_an_erased_subscribers_reply_is_gone(
    env: Environment, sink: Sink, sent: list[Outgoing]
) -> None:
    apply_message(env, reply(sent[0], "a secret"), BounceSource.LISTENER)
    apply_message(env, reply(sent[1], "another"), BounceSource.LISTENER)
    with reading() as session:
        subscriber = session.scalars(
            select(Subscriber).where(Subscriber.email == sent[0].recipient)
        ).one()
    privacy.erase_address(env, subscriber.email)
    sending.send_due(env)
    forwards = [outgoing.data for outgoing in sink.accepted if b"replied" in outgoing.data]
    assert [b"message/rfc822" in data for data in forwards] == [False, True]
    assert not any(b"secret" in data for data in forwards)


def test_a_wish_is_proposed_and_accepted_with_one_command(
    env: Environment, sink: Sink, sent: list[Outgoing]
) -> None:
    apply_message(env, reply(sent[0], "Please unsubscribe me."), BounceSource.LISTENER)
    apply_message(env, reply(sent[1], "Lovely."), BounceSource.LISTENER)
    assert active() == 4
    assert status.read_status(env).proposals == 1
    [proposal] = bounce_events.list_bounces(effects=(BounceEffect.PROPOSED,))
    assert proposal.email == sent[0].recipient
    sending.send_due(env)
    [forward] = [out.data for out in sink.accepted if b"bounce accept" in out.data]
    assert f"newsletter bounce accept {proposal.id}".encode() in forward
    assert proposals.accept_proposal(env, proposal.id) == sent[0].recipient
    assert active() == 3
    assert suppressed() == {}
    with pytest.raises(Refused):
        proposals.accept_proposal(env, proposal.id)
    with pytest.raises(NotFound):
        proposals.accept_proposal(env, 999)
    other = next(row for row in bounce_events.list_bounces() if row.id != proposal.id)
    with pytest.raises(Refused):
        proposals.accept_proposal(env, other.id)


@pytest.mark.parametrize(
    ("body", "asks"),
    [
        ("please unsubscribe me", True),
        ("Take me off this list!", True),
        ("Bitte melde mich ab.", True),
        ("Ich möchte keine Mails mehr.", True),
        ("Merci de me désabonner", True),
        ("quiero darme de baja", True),
        ("Vă rog să mă dezabonați", True),
        ("أريد إلغاء الاشتراك", True),
        ("Thank you, I love it", False),
        ("Thanks!\n\n> To unsubscribe, click here", False),
        ("Danke!\n\nAm 3. Mai 2026 schrieb Ana Coach:\nAbmelden: https://x", False),
        ("Yes.\n\nFrom: Ana\nSent: Monday\n\nUnsubscribe", False),
        ("Hello", False),
    ],
)
def test_a_reply_that_asks_to_leave_is_told_from_others(body: str, asks: bool) -> None:
    data = mail("b@x.org", subject="Re: Hello", headers="In-Reply-To: <a@b>\n", body=body)
    assert read_message(data).asks_to_leave is asks


@pytest.mark.dovecot
@pytest.mark.xdist_group("dovecot")
@pytest.mark.parametrize("kind", ["imap", "pop3"])
def test_in_a_mailbox_the_reply_is_deleted_once_it_was_sent(
    env: Environment, sink: Sink, sent: list[Outgoing], kind: str
) -> None:
    from dataclasses import replace

    with running_dovecot() as dovecot:
        bounces = env.settings.bounces.model_copy(update={"mailbox": SecretStr(dovecot.url(kind))})
        env = replace(env, settings=env.settings.model_copy(update={"bounces": bounces}))
        foreign = mail("bounces@news.example.com", subject="Re: x", headers="In-Reply-To: <x@y>\n")
        dovecot.deliver(foreign)
        dovecot.deliver(reply(sent[0]))
        assert poll_mailbox(env).replies == 1
        poll_mailbox(env)
        assert len(dovecot.mails()) == 2, "not before it was sent"
        sending.send_due(env)
        assert poll_mailbox(env).deleted == 1
        assert dovecot.mails() == [foreign]
        assert waiting() == []
