"""Parse reports of Postmark, Brevo and Mailjet, which are not signed: the URL holds a secret.

Pure.

https://postmarkapp.com/developer/webhooks/bounce-webhook
https://developers.brevo.com/docs/transactional-webhooks
https://dev.mailjet.com/email/guides/webhooks/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from newsletter.bounce_vocabulary import BounceClass
from newsletter.bounces.meaning import join_lines
from newsletter.bounces.providers.types import (
    UNKNOWN_DOMAIN,
    ProviderEvent,
    complain,
    get_text,
    judge,
    read_json,
    read_objects,
)
from newsletter.bounces.read import read_message
from newsletter.bounces.types import BounceResult, ReportEvidence

POSTMARK_CLASSES = {
    "HardBounce": BounceClass.HARD,
    "BadEmailAddress": BounceClass.HARD,
    "ManuallyDeactivated": BounceClass.HARD,
    "SoftBounce": BounceClass.SOFT,
    "DnsError": BounceClass.SOFT,
    "DMARCPolicy": BounceClass.POLICY,
    "Blocked": BounceClass.POLICY,
    "SpamNotification": BounceClass.CONTENT,
    "VirusNotification": BounceClass.CONTENT,
    "SMTPApiError": BounceClass.SENDER,
    "SpamComplaint": BounceClass.COMPLAINT,
    "Unsubscribe": BounceClass.UNSUBSCRIBE,
}
"""Classes of bounces by Postmark's types; other types (transient, automatic answers, unknown) are
ignored."""

BREVO_CLASSES = {
    "hard_bounce": BounceClass.HARD,
    "invalid_email": BounceClass.HARD,
    "soft_bounce": BounceClass.SOFT,
    "blocked": BounceClass.SOFT,
    "error": BounceClass.SENDER,
}
"""Classes of Brevo's events for failures; a blocked address is one that Brevo no longer mails."""

MAILJET_CLASSES = {
    "user unknown": BounceClass.HARD,
    "mailbox inactive": BounceClass.HARD,
    "invalid domain": BounceClass.HARD,
    "no mail host": BounceClass.HARD,
    "typofix": BounceClass.HARD,
    "quota exceeded": BounceClass.SOFT,
    "greylisted": BounceClass.SOFT,
    "system issue": BounceClass.SOFT,
    "connection issue": BounceClass.SOFT,
    "preblocked": BounceClass.SOFT,
    "relay/access denied": BounceClass.POLICY,
    "blacklisted": BounceClass.POLICY,
    "policy issue": BounceClass.POLICY,
    "content blocked": BounceClass.CONTENT,
    "protocol issue": BounceClass.SENDER,
    "sender blocked": BounceClass.SENDER,
    "account is paused": BounceClass.SENDER,
    "bad or empty template": BounceClass.SENDER,
    "error in template language": BounceClass.SENDER,
    "spam reporter": BounceClass.COMPLAINT,
    "duplicate in campaign": BounceClass.IGNORE,
}
"""Classes of failures by Mailjet's names of errors."""

_MAILJET_DOMAINS = ("invalid domain", "no mail host", "typofix")
_QUOTED_AT_MOST = 64 * 1024


def read_postmark(body: bytes) -> Iterator[ProviderEvent]:
    """Return the events of a Postmark report, which includes the bounce itself if so configured."""
    for row in read_objects(read_json(body)):
        content = row.get("Content")
        quoted = content[:_QUOTED_AT_MOST] if isinstance(content, str) else ""
        result = _read_postmark_event(row)
        event_id = (
            get_text(row, "ID") or f"{get_text(row, 'MessageID')}/{get_text(row, 'ChangedAt')}"
        )
        if result is not None and event_id != "/":
            evidence = read_message(quoted.encode("utf-8", "replace")).evidence
            yield ProviderEvent(event_id, result, replace(evidence, sent_to=()))


def _read_postmark_event(row: dict[str, Any]) -> BounceResult | None:
    email = get_text(row, "Email")
    kind = get_text(row, "Type")
    match get_text(row, "RecordType"):
        case "SpamComplaint":
            return complain(email)
        case "SubscriptionChange" if (
            row.get("SuppressSending") is True
            and get_text(row, "SuppressionReason") == "ManualSuppression"
            and get_text(row, "Origin") == "Recipient"
        ):
            return BounceResult(get_text(row, "Recipient")[:320], BounceClass.UNSUBSCRIBE)
        case "Bounce" if kind in POSTMARK_CLASSES:
            return _judge_postmark(row, email, POSTMARK_CLASSES[kind])
    return None


def _judge_postmark(row: dict[str, Any], email: str, meant: BounceClass) -> BounceResult:
    """Classify a failure by the server's reply; Postmark's descriptions are not specific."""
    words = get_text(row, "Details")
    if meant in (BounceClass.COMPLAINT, BounceClass.UNSUBSCRIBE) or not words:
        return BounceResult(email[:320], meant, "", join_lines(get_text(row, "Description")))
    return judge(email, words, "", meant)


def read_brevo(body: bytes) -> Iterator[ProviderEvent]:
    """Return the event of a Brevo report.

    Its `id` identifies the webhook, so the event is identified by message, kind, time and address.
    """
    for row in read_objects(read_json(body)):
        event = get_text(row, "event")
        email = get_text(row, "email")
        message_id = get_text(row, "message-id").strip("<> ")
        at = get_text(row, "ts_event") or get_text(row, "ts")
        result = _judge_brevo(event, email, get_text(row, "reason"))
        if result is not None:
            event_id = f"{message_id}/{event}/{at}/{email}"
            yield ProviderEvent(event_id, result, ReportEvidence(message_ids=(message_id,)))


def _judge_brevo(event: str, email: str, reason: str) -> BounceResult | None:
    if event in ("spam", "complaint"):
        return complain(email)
    if event in ("unsubscribed", "unsubscribe"):
        return BounceResult(email[:320], BounceClass.UNSUBSCRIBE)
    if event == "blocked":
        return BounceResult(email[:320], BREVO_CLASSES[event], "", join_lines(reason))
    if event in BREVO_CLASSES:
        return judge(email, reason, "", BREVO_CLASSES[event])
    return None


def read_mailjet(body: bytes) -> Iterator[ProviderEvent]:
    """Return the events of a Mailjet report."""
    for row in read_objects(read_json(body)):
        event = get_text(row, "event")
        email = get_text(row, "email")
        event_id = f"{get_text(row, 'MessageID')}/{event}/{get_text(row, 'time')}/{email}"
        result = _read_mailjet_event(row, event, email)
        if result is not None:
            yield ProviderEvent(event_id, result)


def _read_mailjet_event(row: dict[str, Any], event: str, email: str) -> BounceResult | None:
    if event == "spam":
        return complain(email)
    if event == "unsub":
        return BounceResult(email[:320], BounceClass.UNSUBSCRIBE)
    if event not in ("bounce", "blocked"):
        return None
    error = get_text(row, "error")
    hard = row.get("hard_bounce") is True
    otherwise = MAILJET_CLASSES.get(error, BounceClass.HARD if hard else BounceClass.SOFT)
    if otherwise is BounceClass.IGNORE:
        return None
    if comment := get_text(row, "comment"):
        return judge(email, comment, "", otherwise)
    status = UNKNOWN_DOMAIN if error in _MAILJET_DOMAINS else ""
    return BounceResult(email[:320], otherwise, status, join_lines(error))
