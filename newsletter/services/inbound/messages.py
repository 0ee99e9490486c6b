"""Process a returned message from any channel: parse it, identify its owner, apply its reports."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from sqlalchemy.orm import Session

from newsletter.bounce_vocabulary import BounceClass, BounceEffect, BounceSource
from newsletter.bounces import BounceResult, Report, ReportEvidence, read_message
from newsletter.bounces.mime import BYTES_AT_MOST
from newsletter.db.session import reading
from newsletter.services.inbound.apply import Applied, Bounce, FindOwner, apply_bounces
from newsletter.services.inbound.identify import Owner, find_by_handle, find_owner
from newsletter.services.inbound.own_address import read_plus
from newsletter.services.runtime import Environment
from newsletter.tokens import open_unsubscribe_address

UNPROVED_RESULTS_AT_MOST = 20
"""Recipients of one unproved report that are recorded."""

MILDEST_FIRST = (
    BounceClass.IGNORE,
    BounceClass.AUTO_REPLY,
    BounceClass.REPLY,
    BounceClass.CONTENT,
    BounceClass.POLICY,
    BounceClass.SENDER,
    BounceClass.SOFT,
    BounceClass.HARD,
    BounceClass.UNSUBSCRIBE,
    BounceClass.COMPLAINT,
)
"""The order in which one result is chosen from a report about several other recipients.

A forwarder passes mail on to several mailboxes, and one of them may be alive.
"""

_NO_REPORTS = (BounceClass.REPLY, BounceClass.AUTO_REPLY, BounceClass.IGNORE)


@dataclass(frozen=True, slots=True)
class AppliedMessage:
    """The outcome of one returned message.

    `ours`: it is proved to be about a message of ours and may be deleted.
    """

    applied: tuple[Applied, ...] = ()

    @property
    def ours(self) -> bool:
        """Tell whether the message is proved to be about our mail, so that it may be deleted.

        It is understood, too, and no person's reply.
        """
        return any(
            event.proof.valid
            and event.effect is not BounceEffect.UNKNOWN
            and event.bounce_class is not BounceClass.REPLY
            for event in self.applied
        )

    @property
    def is_reply(self) -> bool:
        """Tell whether the message is a person's reply to our mail."""
        return any(
            event.proof.valid and event.bounce_class is BounceClass.REPLY for event in self.applied
        )


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A message as it was received.

    `envelope_to` are the envelope's recipients, where they are known; `place` names the mail in a
    mailbox.
    """

    data: bytes
    source: BounceSource
    envelope_to: Sequence[str] = ()
    place: tuple[str, str] = ("", "")


def apply_message(
    env: Environment,
    data: bytes,
    source: BounceSource,
    *,
    envelope_to: Sequence[str] = (),
    place: tuple[str, str] = ("", ""),
) -> AppliedMessage:
    """Apply a message; store what was not understood for the author to look at.

    Looks at the first 512 KB. Raises `DatabaseError`.
    """
    [applied] = apply_messages(env, [ReceivedMail(data, source, envelope_to, place)])
    return applied


def apply_messages(env: Environment, mails: Sequence[ReceivedMail]) -> list[AppliedMessage]:
    """Apply several messages in one transaction: all or none.

    Raises `DatabaseError`.
    """
    reports = [_list_reports(env, mail) for mail in mails]
    applied = iter(apply_bounces(env, [pair for pairs in reports for pair in pairs]))
    return [AppliedMessage(tuple(islice(applied, len(pairs)))) for pairs in reports]


def _list_reports(env: Environment, mail: ReceivedMail) -> list[tuple[Bounce, FindOwner]]:
    """Parse a message and list its reports, each with a function that finds the owner."""
    data = mail.data[:BYTES_AT_MOST]
    source = mail.source
    report = read_message(data)
    sent_to = (*mail.envelope_to, *report.evidence.sent_to)
    evidence = replace(report.evidence, sent_to=sent_to)
    identity = f"id {report.message_id}" if report.message_id else hashlib.sha256(data).hexdigest()
    if handle := _find_unsubscribe_handle(env, report, evidence):
        request = BounceResult("", BounceClass.UNSUBSCRIBE)
        return [(Bounce(source, identity, request), partial(_find_handle, handle))]
    if not report.results:
        not_read = BounceResult("", BounceClass.IGNORE)
        unknown = Bounce(source, identity, not_read, content=data)
        return [(unknown, partial(_find, env, evidence, ""))]
    bounces = [
        Bounce(
            source,
            identity,
            result,
            data if result.bounce_class is BounceClass.REPLY else None,
            asks_to_leave=report.asks_to_leave,
            place=mail.place,
        )
        for result in _choose(env, report, evidence)
    ]
    return [(bounce, partial(_find, env, evidence, bounce.result.recipient)) for bounce in bounces]


def _find_handle(handle: str, session: Session) -> Owner:
    return find_by_handle(session, handle)


def _find(env: Environment, evidence: ReportEvidence, recipient: str, session: Session) -> Owner:
    return find_owner(env, session, evidence, recipient)


def _find_unsubscribe_handle(env: Environment, report: Report, evidence: ReportEvidence) -> str:
    """Return the handle in the unsubscribe address that the mail went to, or ""."""
    if report.from_system:
        return ""
    keys = env.tokens.read_keys()
    return next(
        (
            handle
            for to in evidence.sent_to
            if (handle := open_unsubscribe_address(keys, read_plus(to)))
        ),
        "",
    )


def _choose(env: Environment, report: Report, evidence: ReportEvidence) -> list[BounceResult]:
    """Choose the results to record: of a proved report only the one about our message."""
    if len(report.results) == 1 and report.results[0].bounce_class not in _NO_REPORTS:
        return report.results  # proved or not, there is nothing to choose
    with reading() as session:
        owner = find_owner(env, session, evidence, "")
        if owner.proof.valid:
            own_key = owner.subscriber.email_key if owner.subscriber else ""
            return [choose_result(report.results, own_key)]
    reports = [result for result in report.results if result.bounce_class not in _NO_REPORTS]
    return reports[:UNPROVED_RESULTS_AT_MOST]


def choose_result(results: Sequence[BounceResult], email_key: str) -> BounceResult:
    """Choose the result about `email_key`, else the mildest.

    So one dead mailbox behind a forwarder suppresses nobody.
    """
    matching = [result for result in results if result.recipient.lower() == email_key]
    return min(matching or results, key=lambda result: MILDEST_FIRST.index(result.bounce_class))
