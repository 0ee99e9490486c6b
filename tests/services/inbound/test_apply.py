"""Returned mail: whose it is, what follows, once; and what nobody can forge."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter import outbox
from newsletter.bounce_vocabulary import BounceSource
from newsletter.db.session import db, transaction
from newsletter.mail.smtp.types import Outgoing
from newsletter.models import (
    BounceEvent,
    Campaign,
    Delivery,
    DomainBackoff,
    Subscriber,
    Subscription,
    Suppression,
)
from newsletter.services import bounce_events as event_log
from newsletter.services import suppressions
from newsletter.services.campaigns import campaigns, explain_delivery
from newsletter.services.inbound import release
from newsletter.services.inbound.apply import UNPROVED_AT_MOST
from newsletter.services.inbound.messages import apply_message
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import history, privacy
from newsletter.tokens import make_unsubscribe_address
from newsletter.vocabulary import EvidenceSource
from tests.fakes import Clock, Sink
from tests.people import add_list
from tests.services.inbound.returned import (
    BLOCKED,
    FULL,
    NO_DOMAIN,
    USER_UNKNOWN,
    bounce_events,
    complaint,
    dsn,
    headers_of,
    mail,
    suppressed,
)
from tests.services.sending.test_run import make_campaign, refusal, status

PIPE = BounceSource.PIPE
NOT_UNDERSTOOD = (
    b"Return-Path: <>\nFrom: MAILER-DAEMON@x.example\n"
    b"Subject: Undelivered Mail Returned to Sender\n\n"
    b"Something could not be delivered.\n"
)
FOREIGN = "From: a@b.example\nSubject: another mail\nMessage-ID: <x@b.example>\n"


def subscription_statuses() -> dict[str, str]:
    db.session.rollback()
    rows = db.session.execute(select(Subscriber.email, Subscription.status).join(Subscription))
    return {email: status.value for email, status in rows}


# --- Whose is it? ---


def test_each_proof_alone_is_enough(env: Environment, sent: list[Outgoing]) -> None:
    first, second, third, fourth = sent
    reference = second.envelope_id
    assert apply_message(
        env, dsn(first, to=first.sender, original=FOREIGN, recipient="other@x.example"), PIPE
    ).ours
    assert apply_message(env, dsn(second, original=FOREIGN, envelope_id=reference), PIPE).ours
    only_feedback_id = headers_of(third, without="list-|message-id")
    assert apply_message(env, dsn(third, original=only_feedback_id), PIPE).ours
    handle = db.session.scalars(
        select(Subscription.handle).join(Subscriber).where(Subscriber.email == fourth.recipient)
    ).one()
    key = env.settings.signing_keys[0]
    to = make_unsubscribe_address(key, "bounces@news.example.com", handle)
    only_address = f"{FOREIGN}List-Unsubscribe: <https://x.example/>, <mailto:{to}>\n"
    assert apply_message(env, dsn(fourth, original=only_address), PIPE).ours
    assert [event[:2] for event in bounce_events()] == [
        ("hard", "verp"),
        ("hard", "envid"),
        ("hard", "token"),
        ("hard", "token"),
    ]
    assert suppressed() == dict.fromkeys([outgoing.recipient for outgoing in sent], "bounce")


def test_an_upper_case_return_path_still_proves(env: Environment, sent: list[Outgoing]) -> None:
    apply_message(env, dsn(sent[0], to=sent[0].sender.upper(), original=FOREIGN), PIPE)
    assert list(suppressed()) == [sent[0].recipient]


def test_b05_a_bare_address_is_advisory(env: Environment, sent: list[Outgoing]) -> None:
    """Knowing who subscribes is enough to write a bounce or a complaint, and not enough to do
    anything.
    """
    for data in (
        dsn(sent[0], original=FOREIGN),
        complaint(sent[0], original=FOREIGN, recipient=sent[0].recipient),
        mail("bounces@news.example.com", subject="unsubscribe", sender=sent[0].recipient),
    ):
        assert not apply_message(env, data, PIPE).ours
    assert suppressed() == {}
    assert set(subscription_statuses().values()) == {"active"}
    assert {event[1:3] for event in bounce_events()} == {("address", "advisory")}


def test_b05_forged_proofs_are_none(env: Environment, sent: list[Outgoing]) -> None:
    local, _, domain = sent[0].sender.partition("@")
    base, _, reference = local.partition("+")
    for number in range(len(reference)):
        letter = "a" if reference[number] != "a" else "b"
        forged = f"{reference[:number]}{letter}{reference[number + 1 :]}"
        data = dsn(sent[0], to=f"{base}+{forged}@{domain}", original=FOREIGN, envelope_id=forged)
        assert not apply_message(env, data, PIPE).ours
    token = env.links.unsubscribe("x" * 12, env.now)
    crossed = env.links.preferences(
        db.session.scalars(select(Subscription.handle)).first() or "", env.now
    )
    for url in (token[:-1] + "A", crossed.replace("/preferences/", "/unsubscribe/")):
        apply_message(env, complaint(sent[0], original=f"List-Unsubscribe: <{url}>\n"), PIPE)
    assert suppressed() == {}


def test_b05_what_a_forwarded_mail_shows_proves_no_report(
    env: Environment, sent: list[Outgoing]
) -> None:
    """Its links end one subscription at most, and a forged report must not do more than they.

    Mail programs put the Message-ID of what they forward or answer into In-Reply-To and References.
    """
    link = re.search(r"https://\S+/unsubscribe/[\w.-]+", sent[0].data.decode())
    assert link is not None
    original = f"{FOREIGN}List-Unsubscribe: <{link[0]}>\n"
    apply_message(env, dsn(sent[0], original=original), PIPE)
    apply_message(env, complaint(sent[0], original=original), PIPE)
    assert suppressed() == {}
    assert set(subscription_statuses().values()) == {"active"}
    assert {event[1] for event in bounce_events()} <= {"address", "none"}
    header = re.search(r"Message-ID: <(([a-z2-7]+)@\S+)>", sent[0].data.decode())
    assert header is not None
    to = f"bounces+{header[2]}@news.example.com"
    original = f"{FOREIGN}List-Unsubscribe: <mailto:{to}>\nCFBL-Feedback-ID: {header[1]}\n"
    apply_message(env, dsn(sent[0], to=to, original=original, envelope_id=header[2]), PIPE)
    assert suppressed() == {}
    assert set(subscription_statuses().values()) == {"active"}


@pytest.mark.parametrize("report", [dsn, complaint])
def test_b05_a_message_id_ends_the_one_subscription_that_a_link_beside_it_ends(
    env: Environment, sent: list[Outgoing], report: Callable[..., bytes]
) -> None:
    """It is known to whoever got the mail forwarded; so is the link that ends this subscription."""
    with transaction() as session:
        [about] = session.scalars(
            select(Subscription).join(Subscriber).where(Subscriber.email == sent[0].recipient)
        )
        session.add(
            Subscription(
                handle="elsewhere123",
                list_id=add_list(session, "second").id,
                subscriber_id=about.subscriber_id,
                status="active",
                cadence=about.cadence,
                created_at=about.created_at,
            )
        )
        ended = about.handle
    original = headers_of(sent[0], without="list-|cfbl")
    assert apply_message(env, report(sent[0], original=original), PIPE).ours
    assert suppressed() == {}
    db.session.rollback()
    rows = db.session.execute(select(Subscription.handle, Subscription.status))
    assert [handle for handle, status in rows if status == "unsubscribed"] == [ended]
    [(_, proof, effect, _)] = bounce_events()
    assert (proof, effect) == ("message-id", "unsubscribed")


def test_the_bounce_of_a_forwarder_counts_for_the_address_we_mailed(
    env: Environment, sent: list[Outgoing]
) -> None:
    apply_message(env, dsn(sent[1], to=sent[1].sender, recipient="other@elsewhere.example"), PIPE)
    assert list(suppressed()) == [sent[1].recipient]


def test_one_dead_mailbox_behind_a_forwarder_is_not_the_subscriber(
    env: Environment, sent: list[Outgoing]
) -> None:
    data = dsn(sent[0], to=sent[0].sender, recipient="one@x.example").replace(
        b"Diagnostic-Code: smtp; 550 5.1.1 User unknown\n",
        b"Diagnostic-Code: smtp; 550 5.1.1 User unknown\n\nFinal-Recipient: rfc822; two@x.example\n"
        b"Action: failed\nStatus: 4.2.2\nDiagnostic-Code: smtp; 452 4.2.2 Mailbox full\n",
    )
    apply_message(env, data, PIPE)
    assert suppressed() == {}
    assert bounce_events() == [("soft", "verp", "counted", sent[0].recipient)]


def test_a_bounce_from_before_a_change_of_address_leaves_the_new_one_alone(
    env: Environment, sent: list[Outgoing], clock: Clock
) -> None:
    from newsletter.services.consent import Evidence, note_consent

    clock.forward(timedelta(hours=1))
    with transaction() as session:
        row = session.scalars(
            select(Subscription).join(Subscriber).where(Subscriber.email == sent[0].recipient)
        ).one()
        row.subscriber.email = row.subscriber.email_key = "new@example.com"
        note_consent(session, row.id, "moved", Evidence(EvidenceSource.LINK), env.now)
    apply_message(env, dsn(sent[0], to=sent[0].sender), PIPE)
    apply_message(env, complaint(sent[0]), PIPE)
    assert suppressed() == {}
    assert {event[2] for event in bounce_events()} == {"noted"}


# --- What follows? ---


def test_a_hard_bounce_suppresses_and_the_next_campaign_skips(
    env: Environment, sent: list[Outgoing], sink: Sink
) -> None:
    apply_message(env, dsn(sent[2], to=sent[2].sender), PIPE)
    campaign_id = db.session.scalars(select(Campaign.id)).one()
    why = explain_delivery.explain_delivery(env, campaign_id, sent[2].recipient)
    assert why.has_received is False
    assert "came back on" in why.verdict
    assert "User unknown" in why.verdict
    result = history.get_history(env, sent[2].recipient)
    assert any("returned mail: hard (pipe): suppressed" in event.what for event in result.events)
    assert result.suppressed.startswith("bounce")
    view = campaigns.to_json(campaigns.get_campaign(campaign_id))
    assert (view["bounced"], view["complained"], view["replied"]) == (1, 0, 0)
    assert not history.get_history(env, sent[0].recipient).suppressed


def test_what_waits_for_a_dead_address_is_cancelled(env: Environment, sent: list[Outgoing]) -> None:
    with transaction() as session:
        rows = session.scalars(select(Subscription).order_by(Subscription.id)).all()
        for row in rows:
            outbox.enqueue(session, mail="goodbye", subscription_id=row.id, now=env.now)
    apply_message(env, dsn(sent[0], to=sent[0].sender), PIPE)
    db.session.rollback()
    statuses = db.session.execute(
        select(Delivery.status, Delivery.text).where(Delivery.mail == "goodbye")
    )
    assert sorted((row[0].value, row[1] or "") for row in statuses) == [
        ("cancelled", "suppressed: bounce"),
        ("queued", ""),
        ("queued", ""),
        ("queued", ""),
    ]


def test_an_unknown_domain_is_suppressed_on_the_second_day(
    env: Environment, sent: list[Outgoing], clock: Clock
) -> None:
    apply_message(env, dsn(sent[0], NO_DOMAIN, to=sent[0].sender), PIPE)
    apply_message(env, dsn(sent[0], NO_DOMAIN, to=sent[0].sender), PIPE)
    assert suppressed() == {}
    clock.forward(timedelta(days=1))
    apply_message(env, dsn(sent[0], NO_DOMAIN, to=sent[0].sender), PIPE)
    assert list(suppressed()) == [sent[0].recipient]


@pytest.mark.parametrize(("weeks_of_success", "expected"), [((), 5), ((3,), 0)])
def test_five_soft_bounces_over_a_fortnight_suppress_unless_one_got_through(
    env: Environment, clock: Clock, sink: Sink, weeks_of_success: tuple[int, ...], expected: int
) -> None:
    make_campaign(2)
    sending.send_due(env)
    first = sorted(sink.accepted)[0]
    subscription = db.session.scalars(select(Subscription).order_by(Subscription.id)).first()
    assert subscription is not None
    id_ = subscription.id
    for week in range(1, 6):
        with transaction() as session:
            outbox.enqueue(session, mail="welcome", subscription_id=id_, now=env.now)
        sink.accepted.clear()
        sending.send_due(env)
        [outgoing] = sink.accepted
        clock.forward(timedelta(hours=6))
        if week not in weeks_of_success:
            apply_message(env, dsn(outgoing, FULL, to=outgoing.sender), PIPE)
        assert bool(suppressed()) is (expected == week)
        clock.forward(timedelta(days=7))
    assert suppressed() == ({first.recipient: "bounce"} if expected else {})


@pytest.mark.parametrize("redacted", [True, False])
def test_a_complaint_counts_for_every_list_at_once(
    env: Environment, sent: list[Outgoing], redacted: bool
) -> None:
    apply_message(env, complaint(sent[0], recipient="" if redacted else sent[0].recipient), PIPE)
    assert suppressed() == {sent[0].recipient: "complaint"}
    apply_message(env, complaint(sent[1], kind="not-spam"), PIPE)
    apply_message(env, complaint(sent[2], kind="auth-failure"), PIPE)
    assert len(suppressed()) == 1


def test_a_complaint_is_more_than_a_bounce(env: Environment, sent: list[Outgoing]) -> None:
    apply_message(env, dsn(sent[0], to=sent[0].sender), PIPE)
    apply_message(env, complaint(sent[0]), PIPE)
    assert suppressed() == {sent[0].recipient: "complaint"}


def test_a_policy_is_never_the_subscribers_fault_and_the_domain_rests(
    env: Environment, sent: list[Outgoing]
) -> None:
    for outgoing in sent[:2]:
        apply_message(env, dsn(outgoing, BLOCKED, to=outgoing.sender), PIPE)
    assert db.session.scalars(select(DomainBackoff)).all() == []
    apply_message(env, dsn(sent[2], BLOCKED, to=sent[2].sender), PIPE)
    assert suppressed() == {}
    db.session.rollback()
    assert [row.domain for row in db.session.scalars(select(DomainBackoff))] == ["example.com"]
    notices = db.session.scalars(select(Delivery).where(Delivery.mail == "notice")).all()
    assert len(notices) == 1


def test_the_author_is_told_once_that_a_message_is_refused(
    env: Environment, sent: list[Outgoing]
) -> None:
    for outgoing in sent:
        apply_message(
            env,
            dsn(outgoing, ("5.6.0", "554 5.6.0 Message content rejected"), to=outgoing.sender),
            PIPE,
        )
    assert suppressed() == {}
    db.session.rollback()
    assert len(db.session.scalars(select(Delivery).where(Delivery.mail == "notice")).all()) == 1


def test_a_run_whose_first_messages_come_back_pauses(env: Environment, sink: Sink) -> None:
    campaign_id = make_campaign(300)
    sending.send_due(env, stop=lambda: len(sink.accepted) >= 60)
    db.session.rollback()
    assert status(campaign_id) == "sending"
    for outgoing in sink.accepted[:11]:
        apply_message(env, dsn(outgoing, to=outgoing.sender), PIPE)
    assert status(campaign_id) == "sending"
    for outgoing in sink.accepted[11:30]:
        apply_message(env, dsn(outgoing, to=outgoing.sender), PIPE)
    assert status(campaign_id) == "paused"
    assert "addresses are dead" in campaigns.get_campaign(campaign_id).reason


# --- Refusals while sending ---


def test_an_address_refused_while_sending_is_suppressed(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    make_campaign(6)
    replies = {
        "reader0@example.com": (550, "5.1.1", "No such user"),
        "reader1@example.com": (550, "5.7.1", "Blocked by spamhaus"),
        "reader2@example.com": (550, "5.1.2", "Domain not found"),
        "reader3@example.com": (552, "5.2.2", "Mailbox full"),
        "reader4@example.com": (450, "4.2.1", "Try again later"),
    }
    sink.script = lambda o: refusal(o, *replies[o.recipient]) if o.recipient in replies else None
    sending.send_due(env)
    assert suppressed() == {"reader0@example.com": "bounce"}
    assert {event[3]: event[:3] for event in bounce_events()}["reader2@example.com"] == (
        "hard",
        "smtp",
        "counted",
    )
    campaign = db.session.scalars(select(Campaign)).one()
    failed = outbox.list_deliveries(db.session(), campaign, statuses=["failed"])
    assert "reader0@example.com" in {row.email for row in failed}, (
        "its outcome is written down all the same"
    )


def test_a_refusal_of_a_new_address_is_not_the_subscribers(env: Environment, sink: Sink) -> None:
    make_campaign(1)
    with transaction() as session:
        row = session.scalars(select(Subscription)).one()
        context = {"to": "new@example.com", "mark": "0"}
        outbox.enqueue(session, mail="moved", subscription_id=row.id, now=env.now, context=context)
    sink.script = lambda o: (
        refusal(o, 550, "5.1.1", "No such user") if o.recipient == "new@example.com" else None
    )
    sending.send_due(env)
    assert suppressed() == {}
    [view] = event_log.list_bounces()
    assert (view.recipient, view.email) == ("new@example.com", "reader0@example.com")
    db.session.rollback()
    assert "new@" not in str([row.reason for row in db.session.scalars(select(BounceEvent))])


# --- Once, and what is kept ---


def test_b07_the_same_report_counts_once(env: Environment, sent: list[Outgoing]) -> None:
    data = dsn(sent[0], FULL, to=sent[0].sender)
    first = apply_message(env, data, PIPE)
    again = apply_message(env, b"Received: from elsewhere\n" + data, BounceSource.MAILBOX)
    assert [event.repeated for event in first.applied + again.applied] == [False, True]
    assert len(bounce_events()) == 1
    assert again.ours


def test_a_forged_report_does_not_take_the_name_of_a_real_one(
    env: Environment, sent: list[Outgoing]
) -> None:
    apply_message(env, dsn(sent[0], original=FOREIGN, message_id="same@mx.example.org"), PIPE)
    apply_message(env, dsn(sent[0], to=sent[0].sender, message_id="same@mx.example.org"), PIPE)
    assert list(suppressed()) == [sent[0].recipient]


def test_what_is_not_understood_is_kept_for_a_person(
    env: Environment, sent: list[Outgoing]
) -> None:
    assert not apply_message(env, NOT_UNDERSTOOD, PIPE).ours
    [row] = event_log.list_bounces(effects=event_log.UNKNOWN)
    assert row.effect == "unknown"
    assert event_log.read_content(row.id).decode().splitlines() == [
        "Return-Path: <>",
        "From: M…@x.example",
        "Subject: Undelivered Mail Returned to Sender",
        "",
        "Something could not be delivered.",
    ]
    assert suppressed() == {}


def test_unproved_events_do_not_fill_the_disk(
    env: Environment, sent: list[Outgoing], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert UNPROVED_AT_MOST <= 10_000
    monkeypatch.setattr("newsletter.services.inbound.apply.UNPROVED_AT_MOST", 5)
    apply_message(env, dsn(sent[0], FULL, to=sent[0].sender), PIPE)
    for number in range(12):
        words = ("5.1.1", f"550 5.1.1 Unknown, number {number}")
        apply_message(env, dsn(sent[0], words, original=FOREIGN, recipient="a@x.example"), PIPE)
    db.session.rollback()
    proved, *others = db.session.scalars(select(BounceEvent).order_by(BounceEvent.id))
    assert proved.subscriber_id is not None
    assert [row.reason.split()[-1] for row in others] == [f"{number}" for number in range(7, 12)]


def test_b08_hostile_text_is_stored_as_text(env: Environment, sent: list[Outgoing]) -> None:
    nasty = "550 5.1.1 <script>alert(1)</script> '); DROP TABLE x; --" + "y" * 5000
    apply_message(env, dsn(sent[0], ("5.1.1", nasty), to=sent[0].sender), PIPE)
    apply_message(
        env,
        dsn(
            sent[1],
            ("5.1.1", "550 a\0b \udcff".encode("utf-8", "replace").decode()),
            to=sent[1].sender,
        ),
        PIPE,
    )
    db.session.rollback()
    rows = db.session.scalars(select(BounceEvent).order_by(BounceEvent.id)).all()
    assert len(rows[0].reason) <= 300
    assert "\0" not in rows[1].reason
    assert len(suppressed()) == 2


def test_erasure_leaves_a_hash_and_numbers(
    env: Environment, sent: list[Outgoing], clock: Clock
) -> None:
    apply_message(env, complaint(sent[0], recipient=sent[0].recipient), PIPE)
    privacy.erase_address(env, sent[0].recipient)
    db.session.rollback()
    [row] = db.session.scalars(select(BounceEvent))
    assert (row.subscriber_id, row.reason) == (None, "")
    assert [row.email_key for row in db.session.scalars(select(Suppression))] == [None]
    with transaction() as session:
        assert suppressions.is_suppressed(env, session, sent[0].recipient)
    campaign_id = db.session.scalars(select(Campaign.id)).one()
    assert campaigns.get_campaign(campaign_id).returned.complained == 1


def test_what_reports_say_is_forgotten_after_a_month(
    env: Environment, sent: list[Outgoing], clock: Clock
) -> None:
    apply_message(env, dsn(sent[0], to=sent[0].sender), PIPE)
    apply_message(env, dsn(sent[1], original=FOREIGN), PIPE)
    to = f"To: {sent[1].sender}\n".encode()
    apply_message(env, to + NOT_UNDERSTOOD, PIPE)
    clock.forward(timedelta(days=31))
    apply_message(env, dsn(sent[2], original=FOREIGN), PIPE)
    apply_message(env, to + NOT_UNDERSTOOD + b"Today.\n", PIPE)
    cleanup.clean_up(env)
    db.session.rollback()
    rows = db.session.scalars(select(BounceEvent).order_by(BounceEvent.id)).all()
    contents = [(row.proof.value, row.content is not None) for row in rows]
    assert contents == [("verp", False), ("verp", False), ("address", False), ("verp", True)]
    assert list(suppressed()) == [sent[0].recipient]


# --- Setting free ---


def test_an_address_set_free_is_confirmed_anew(
    env: Environment, sent: list[Outgoing], sink: Sink
) -> None:
    apply_message(env, dsn(sent[0], to=sent[0].sender), PIPE)
    assert release.release(env, sent[0].recipient, because="the server was wrong") == 1
    assert suppressed() == {}
    assert subscription_statuses()[sent[0].recipient] == "pending"
    assert subscription_statuses()[sent[1].recipient] == "active"
    sink.accepted.clear()
    sending.send_due(env)
    [confirmation] = sink.to(sent[0].recipient)
    assert "/confirm/" in confirmation.as_string()
    result = history.get_history(env, sent[0].recipient)
    assert any("released by author (the server was wrong)" in event.what for event in result.events)


def test_a_manual_suppression_is_only_lifted(env: Environment, sent: list[Outgoing]) -> None:
    suppressions.suppress(env, sent[0].recipient)
    assert release.release(env, sent[0].recipient) == 0
    assert subscription_statuses()[sent[0].recipient] == "active"


# --- Unsubscribing by mail, and replies ---


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("", ""),
        ("Abmelden", "Von meinem iPhone gesendet"),
        ("解除", "退订"),
        ("Re: hi", "keep me!"),
    ],
)
def test_a_mail_to_an_unsubscribe_address_ends_that_subscription(
    env: Environment, sent: list[Outgoing], subject: str, body: str
) -> None:
    row = db.session.scalars(
        select(Subscription).join(Subscriber).where(Subscriber.email == sent[1].recipient)
    ).one()
    to = make_unsubscribe_address(
        env.settings.signing_keys[0], "bounces@news.example.com", row.handle
    )
    assert len(to.partition("@")[0]) <= 64
    assert apply_message(
        env, mail(to.upper(), subject=subject, body=body, sender="alias@other.example"), PIPE
    ).ours
    assert apply_message(env, mail(to), PIPE, envelope_to=(to,)).ours
    statuses = subscription_statuses()
    assert [statuses[outgoing.recipient] for outgoing in sent] == [
        "active",
        "unsubscribed",
        "active",
        "active",
    ]


WAYS_TO_WRITE = {
    "a name in other letters": "From: =?utf-8?B?w4FubmE=?= <a@b.example>\n"
    "To: =?utf-8?Q?Abmelden_=E2=80=93?=\n"
    " =?utf-8?Q?_Blog?= <{to}>\n",
    "folded": "From: a@b.example\nTo:\n <{to}>\n",
    "quoted, with others": 'From: a@b.example\nTo: "{to}" <{to}>, someone@else.example\n',
    "in a group": "From: a@b.example\nTo: undisclosed-recipients:;\nCc: {to}\n",
    "only delivered there": "Delivered-To: {to}\nFrom: a@b.example\nTo: undisclosed-recipients:;\n",
    "an answer from a phone": "From: a@b.example\nTo: {to}\n"
    "In-Reply-To: <x@y.example>\nSubject: Re: \n"
    "X-Mailer: iPhone Mail (20H115)\n",
    "an automatic one": "From: a@b.example\nTo: {to}\n"
    "Auto-Submitted: auto-generated\nPrecedence: bulk\n",
    "with a list's headers": "From: a@b.example\nTo: {to}\nList-Unsubscribe: <https://x.example/>\n"
    "List-Id: <x.example>\n",
    "marked as spam": "From: a@b.example\nTo: {to}\nX-Spam-Flag: YES\n",
    "from an administrator": "From: Mail Administrator <postmaster@b.example>\n"
    "To: {to}\nSubject: please unsubscribe\n",
    "html alone": "From: a@b.example\nTo: {to}\nContent-Type: text/html\n",
    "escaped as in a link": "From: a@b.example\nTo: <{escaped}>\n",
    "forwarded": "From: a@b.example\nTo: {to}\nSubject: WG: Fwd: Drei neue Beitr\u00e4ge\n",
}


def test_however_a_mail_program_writes_it_the_subscription_ends(
    env: Environment, sent: list[Outgoing]
) -> None:
    this = select(Subscription).join(Subscriber).where(Subscriber.email == sent[1].recipient)
    handle = db.session.scalars(this).one().handle
    to = make_unsubscribe_address(env.settings.signing_keys[0], "bounces@news.example.com", handle)
    for way, head in WAYS_TO_WRITE.items():
        text = head.format(to=to, escaped=to.replace("+", "%2B")) + "\nSent from my iPhone\n"
        assert apply_message(env, text.encode(), PIPE).ours, way
        ended = [email for email, status in subscription_statuses().items() if status != "active"]
        assert ended == [sent[1].recipient], way
        with transaction() as session:
            session.scalars(this).one().status = "active"


def test_a_forged_unsubscribe_address_does_nothing(env: Environment, sent: list[Outgoing]) -> None:
    handle = db.session.scalars(select(Subscription.handle).order_by(Subscription.id)).first() or ""
    good = make_unsubscribe_address(
        env.settings.signing_keys[0], "bounces@news.example.com", handle
    )
    forged = make_unsubscribe_address(secrets.token_hex(16), "bounces@news.example.com", handle)
    local, _, domain = good.partition("@")
    for to in (
        forged,
        f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}",
        f"{local}a@{domain}",
        sent[0].sender,
    ):
        apply_message(env, mail(to, sender=sent[0].recipient), PIPE)
    assert set(subscription_statuses().values()) == {"active"}


def test_a_reply_is_counted_and_is_not_ours_to_delete(
    env: Environment, sent: list[Outgoing]
) -> None:
    message_id = sent[0].data.decode().partition("Message-ID: ")[2].partition("\r\n")[0]
    data = mail(
        "bounces@news.example.com", subject="Re: Hello", headers=f"In-Reply-To: {message_id}\n"
    )
    applied = apply_message(env, data, PIPE)
    assert applied.is_reply
    assert not applied.ours
    campaign_id = db.session.scalars(select(Campaign.id)).one()
    assert campaigns.get_campaign(campaign_id).returned.replied == 1
    assert suppressed() == {}


def test_foreign_mail_leaves_no_trace(env: Environment, sent: list[Outgoing]) -> None:
    for data in (mail("bounces@news.example.com"), b"", b"\xff\xfe\0", b"From: x\n" * 10_000):
        assert not apply_message(env, data, PIPE).ours
    assert bounce_events() == []


def test_our_own_message_in_a_loop_means_nothing(env: Environment, sent: list[Outgoing]) -> None:
    apply_message(env, sent[0].data, PIPE, envelope_to=(sent[0].sender,))
    assert suppressed() == {}
    assert set(subscription_statuses().values()) == {"active"}


def test_a_delay_means_nothing(env: Environment, sent: list[Outgoing]) -> None:
    apply_message(
        env,
        dsn(sent[0], ("4.4.1", "connection timed out"), to=sent[0].sender, action="delayed"),
        PIPE,
    )
    assert bounce_events() == [("ignore", "verp", "noted", sent[0].recipient)]
    assert USER_UNKNOWN[0] == "5.1.1"
