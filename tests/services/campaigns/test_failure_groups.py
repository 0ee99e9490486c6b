"""Failures of a campaign are grouped by status, code and domain, in the campaign's report."""

from __future__ import annotations

from newsletter import outbox
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import reading, transaction
from newsletter.mail.smtp.reply_parser import Reply
from newsletter.mail.smtp.types import Outcome, Outgoing
from newsletter.models import Campaign
from newsletter.outbox.types import FailureGroup
from newsletter.services.letters import send as letters
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import DeliveryStatus
from tests.fakes import Sink
from tests.people import add_list, add_reader

UNKNOWN = {"a@one.example", "b@one.example", "c@two.example", "z@one.example"}


def refuse_unknown(outgoing: Outgoing) -> Outcome | None:
    if outgoing.recipient not in UNKNOWN:
        return None
    reply = Reply(550, "5.1.1", "no such user")
    return Outcome(outgoing.id, "refused", "RCPT", reply, "sink")


def test_the_larger_domain_comes_first_and_another_letter_is_not_counted(
    env: Environment, sink: Sink
) -> None:
    with transaction() as session:
        blog = add_list(session)
        for email in ("a@one.example", "b@one.example", "c@two.example", "ok@one.example"):
            add_reader(session, blog, email)
        add_reader(session, add_list(session, "other"), "z@one.example")
    sink.script = refuse_unknown
    letter = parse_letter("---\nsubject: Words\n---\n\nA letter.\n")
    campaign_id, _ = [letters.send_letter(env, letter, slug) for slug in ("blog", "other")]
    sending.send_due(env)
    with reading() as session:
        groups = outbox.group_failures(session, session.get_one(Campaign, campaign_id), limit=5)
    failed = DeliveryStatus.FAILED
    assert groups == (
        FailureGroup(failed, 550, "one.example", 2, groups[0].example),
        FailureGroup(failed, 550, "two.example", 1, groups[1].example),
    )
    assert all("no such user" in group.example for group in groups)
