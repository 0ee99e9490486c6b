"""Asking for permission again: who is asked, who stays, who is let go, and who is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.errors import LinkInvalid, LinkSpent, Refused
from newsletter.mail.smtp.types import Outcome, Outgoing, Reply
from newsletter.models import Campaign, MailingList, Subscription
from newsletter.services import consent
from newsletter.services.campaigns import campaigns
from newsletter.services.consent import Evidence
from newsletter.services.lists import archived_campaigns, lists
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin as subscribers
from newsletter.services.subscribers import reconfirmation, subscriptions
from newsletter.vocabulary import EvidenceSource
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader

LINK = Evidence(EvidenceSource.LINK, ip="192.0.2.1")


@pytest.fixture(autouse=True)
def blog(env: Environment) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        for name in ("stays", "silent", "left", "break"):
            add_reader(
                session,
                mailing_list,
                f"{name}@example.com",
                status="unsubscribed" if name == "left" else "active",
            )
        on_break = session.scalars(select(Subscription).order_by(Subscription.id.desc())).first()
        assert on_break is not None
        on_break.paused_until = env.now + timedelta(days=60)


def ask(env: Environment, sink: Sink, **options: object) -> int:
    campaign_id = reconfirmation.send(env, "blog", **options)  # type: ignore[arg-type]
    sending.send_due(env)
    return campaign_id


def token(sink: Sink, address: str, purpose: str = "stay") -> str:
    return body(sink.to(address)[0]).split(f"/{purpose}/")[1].split()[0]


def standing() -> dict[str, str]:
    db.session.rollback()
    return {
        row.subscriber.email.split("@")[0]: row.status
        for row in db.session.scalars(select(Subscription))
    }


def test_who_answers_stays_and_the_silent_are_let_go(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign_id = ask(env, sink, days=14, note="It has been three years.")
    assert sorted(str(message["To"]) for message in sink.messages) == [
        "silent@example.com",
        "stays@example.com",
    ]
    [mail] = sink.to("stays@example.com")
    assert "It has been three years." in body(mail)
    assert "It has been three years." in body(mail, "html")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    reconfirmation.reconfirm(env, token(sink, "stays@example.com"), LINK)
    reconfirmation.reconfirm(env, token(sink, "stays@example.com"), LINK)
    clock.forward(timedelta(days=13))
    cleanup.clean_up(env)
    assert standing()["silent"] == "active"
    clock.forward(timedelta(days=2))
    cleanup.clean_up(env)
    assert standing() == {
        "stays": "active",
        "silent": "unsubscribed",
        "left": "unsubscribed",
        "break": "active",
    }
    sending.send_due(env)
    assert len(sink.messages) == 2, "no goodbye: the mails end by themselves"
    result = reconfirmation.report_answers(campaign_id)
    assert (result.mailed, result.stayed, result.gone) == (2, 1, 1)
    assert result.settled_at is not None
    yes = consent.get_proof(env, "stays@example.com")
    no = consent.get_proof(env, "silent@example.com")
    assert [event.kind for event in yes.events] == ["reaffirmed"]
    assert f"<{yes.events[0].message_id}>" == mail["Message-ID"]
    assert yes.events[0].wording
    assert [event.kind for event in no.events] == ["lapsed"]
    with pytest.raises(LinkSpent):
        reconfirmation.reconfirm(env, token(sink, "silent@example.com"), LINK)


def test_another_lists_waiting_mail_keeps_no_campaign_open(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign_id = ask(env, sink, days=14)
    clock.forward(timedelta(days=15))
    with transaction() as session:
        add_reader(session, add_list(session, "other"), "other@example.com")
    waiting_id = reconfirmation.send(env, "other")
    cleanup.clean_up(env)
    assert reconfirmation.report_answers(campaign_id).settled_at is not None
    assert reconfirmation.report_answers(waiting_id).settled_at is None


def test_a_link_that_is_looked_at_answers_nothing(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    ask(env, sink)
    request, answered = reconfirmation.get_reconfirmation(env, token(sink, "silent@example.com"))
    assert (request.status, answered) == ("active", False)
    clock.forward(timedelta(days=31))
    cleanup.clean_up(env)
    assert standing()["silent"] == "unsubscribed"


def test_who_was_never_reached_stays_what_he_is(env: Environment, sink: Sink, clock: Clock) -> None:
    def script(outgoing: Outgoing) -> Outcome | None:
        if outgoing.recipient == "silent@example.com":
            return Outcome(outgoing.id, "refused", "RCPT", Reply(550, "5.7.1", "no"), "sink")
        return None

    sink.script = script
    ask(env, sink)
    clock.forward(timedelta(days=40))
    cleanup.clean_up(env)
    assert standing()["silent"] == "active"


def test_who_is_mailed_late_has_as_long(env: Environment, sink: Sink, clock: Clock) -> None:
    campaign_id = reconfirmation.send(env, "blog", days=10)
    campaigns.pause(env, campaign_id)
    clock.forward(timedelta(days=8))
    campaigns.resume(env, campaign_id)
    sending.send_due(env)
    clock.forward(timedelta(days=5))
    cleanup.clean_up(env)
    assert standing()["silent"] == "active"
    assert reconfirmation.report_answers(campaign_id).settled_at is None
    clock.forward(timedelta(days=6))
    cleanup.clean_up(env)
    assert standing()["silent"] == "unsubscribed"


def test_only_those_who_never_confirmed(env: Environment, sink: Sink) -> None:
    subscribers.add_subscriber(
        env, subscribers.Addition("added@example.com", slug="blog", because="on the phone")
    )
    with transaction() as session:
        row = session.scalars(select(Subscription).order_by(Subscription.id).limit(1)).one()
        consent.note_consent(session, row.id, "confirmed", LINK, env.now)
    ask(env, sink, unproven=True)
    assert sorted(str(message["To"]) for message in sink.messages) == [
        "added@example.com",
        "silent@example.com",
    ]


def test_a_request_to_stay_is_refused_twice_at_once_or_to_nobody(
    env: Environment, sink: Sink
) -> None:
    with pytest.raises(Refused, match="7 to 180"):
        reconfirmation.send(env, "blog", days=3)
    ask(env, sink)
    with pytest.raises(Refused, match="is asking these subscribers already"):
        reconfirmation.send(env, "blog")
    lists.add(env, "empty", {"from": "Ana <ana@example.com>"})
    with pytest.raises(Refused, match="nobody to ask"):
        reconfirmation.send(env, "empty")


def test_t02_a_link_opens_only_what_it_was_made_for(env: Environment, sink: Sink) -> None:
    ask(env, sink)
    stay = token(sink, "stays@example.com")
    leave = token(sink, "stays@example.com", "unsubscribe")
    with pytest.raises(LinkInvalid):
        reconfirmation.reconfirm(env, leave, LINK)
    with pytest.raises(LinkInvalid):
        subscriptions.unsubscribe(env, stay, LINK)
    handle = db.session.scalars(select(Subscription.handle)).first()
    for payload in (f"{handle}.999", f"{handle}.x", f"{handle}", "nobody.1"):
        with pytest.raises(LinkInvalid):
            reconfirmation.reconfirm(env, env.tokens.sign("stay", payload, env.now), LINK)


def test_it_is_in_no_archive(env: Environment, sink: Sink) -> None:
    ask(env, sink)
    assert not archived_campaigns.list_archived("blog")
    assert db.session.scalars(select(Campaign.kind)).all() == ["permission"]
    assert db.session.scalars(select(MailingList.slug)).all() == ["blog"]
