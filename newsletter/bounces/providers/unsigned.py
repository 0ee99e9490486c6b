"""Postmark, Brevo and Mailjet: providers that sign nothing; the secret in the URL is their scheme.

Pure.

https://postmarkapp.com/developer/webhooks/bounce-webhook
https://developers.brevo.com/docs/transactional-webhooks
https://dev.mailjet.com/email/guides/webhooks/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from newsletter.bounce_vocabulary import BounceClass
from newsletter.bounces.providers.types import (
    ProviderEvent,
    get_text,
    judge,
    read_json,
    read_objects,
)
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
}
"""Postmark's types of bounces; what is not here (transient, automatic answers, unknown) means
nothing.
"""

BREVO_CLASSES = {
    "hard_bounce": BounceClass.HARD,
    "invalid_email": BounceClass.HARD,
    "soft_bounce": BounceClass.SOFT,
    "blocked": BounceClass.POLICY,
}
"""Brevo's events that are failures."""


def read_postmark(body: bytes) -> Iterator[ProviderEvent]:
    """Read Postmark's event."""
    for row in read_objects(read_json(body)):
        email = get_text(row, "Email")
        kind = get_text(row, "Type")
        event_id = get_text(row, "ID")
        result: BounceResult | None = None
        if get_text(row, "RecordType") == "SpamComplaint" or kind == "SpamComplaint":
            result = BounceResult(email, BounceClass.COMPLAINT, "", "abuse")
        elif get_text(row, "RecordType") == "Bounce" and kind in POSTMARK_CLASSES:
            words = get_text(row, "Details") or get_text(row, "Description")
            result = judge(email, words, "", POSTMARK_CLASSES[kind])
        if result is not None and event_id:
            yield ProviderEvent(event_id, result)


def read_brevo(body: bytes) -> Iterator[ProviderEvent]:
    """Read Brevo's event.

    Its `id` names the webhook, so message, event and time name the event.
    """
    for row in read_objects(read_json(body)):
        event = get_text(row, "event")
        email = get_text(row, "email")
        message_id = get_text(row, "message-id").strip("<> ")
        event_id = (
            f"{message_id}/{event}/{get_text(row, 'ts_event') or get_text(row, 'ts')}/{email}"
        )
        result: BounceResult | None = None
        if event in ("spam", "complaint"):
            result = BounceResult(email, BounceClass.COMPLAINT, "", "abuse")
        elif event in BREVO_CLASSES:
            result = judge(email, get_text(row, "reason"), "", BREVO_CLASSES[event])
        if result is not None:
            yield ProviderEvent(event_id, result, ReportEvidence(message_ids=(message_id,)))


def read_mailjet(body: bytes) -> Iterator[ProviderEvent]:
    """Read Mailjet's events."""
    for row in read_objects(read_json(body)):
        event = get_text(row, "event")
        email = get_text(row, "email")
        event_id = f"{get_text(row, 'MessageID')}/{event}/{get_text(row, 'time')}/{email}"
        result = _read_mailjet_event(row, event, email)
        if result is not None:
            yield ProviderEvent(event_id, result)


def _read_mailjet_event(row: dict[str, Any], event: str, email: str) -> BounceResult | None:
    if event == "spam":
        return BounceResult(email, BounceClass.COMPLAINT, "", "abuse")
    if event == "blocked":
        return judge(email, get_text(row, "error"), "", BounceClass.POLICY)
    if event != "bounce":
        return None
    hard = row.get("hard_bounce") is True
    words = get_text(row, "comment") or get_text(row, "error")
    return judge(email, words, "", BounceClass.HARD if hard else BounceClass.SOFT)
