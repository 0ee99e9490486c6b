"""Verify and parse reports of SendGrid, Mailgun and Resend, which sign them.

Pure.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests (Svix)
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from newsletter.bounce_vocabulary import BounceClass
from newsletter.bounces.addresses import find_address
from newsletter.bounces.meaning import join_lines
from newsletter.bounces.providers.ses import choose_class
from newsletter.bounces.providers.signatures import verify_ecdsa, verify_hmac
from newsletter.bounces.providers.types import (
    UNKNOWN_DOMAIN,
    NotReadable,
    NotVerified,
    ProviderEvent,
    complain,
    get_text,
    judge,
    read_headers,
    read_json,
    read_objects,
    require_fresh,
)
from newsletter.bounces.types import BounceResult, ReportEvidence

SIGNATURE_HEADER = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER = "x-twilio-email-event-webhook-timestamp"
"""Header with the time of SendGrid's signed event webhook, in lower case as all headers here."""

SENDGRID_CLASSES = {
    "Invalid Address": BounceClass.HARD,
    "Technical": BounceClass.SOFT,
    "Content": BounceClass.CONTENT,
    "Reputation": BounceClass.POLICY,
    "Frequency or Volume Too High": BounceClass.POLICY,
    "Mailbox Unavailable": BounceClass.SOFT,
}
"""Classes of bounces by SendGrid's own classification."""

SENDGRID_DROPS = {
    "bounced address": BounceClass.HARD,
    "invalid": BounceClass.HARD,
    "spam reporting address": BounceClass.COMPLAINT,
    "unsubscribed address": BounceClass.UNSUBSCRIBE,
    "spam content": BounceClass.CONTENT,
}
"""Classes of SendGrid's reasons for not sending a message at all; others are about the account."""

MAILGUN_REASONS = {
    "suppress-bounce": BounceClass.HARD,
    "suppress-complaint": BounceClass.COMPLAINT,
    "suppress-unsubscribe": BounceClass.UNSUBSCRIBE,
}
"""Classes of Mailgun's reasons for not sending a message: earlier events of the address."""

MAILGUN_NO_MX = "498"
"""Mailgun's code for a domain that accepts no mail."""

Headers = Mapping[str, str]


def verify_sendgrid(body: bytes, headers: Headers, key: str, now: datetime) -> None:
    """Verify a report of SendGrid by the public key that its settings page shows.

    Raises `NotVerified`.
    """
    timestamp = headers.get(TIMESTAMP_HEADER, "")
    verify_ecdsa(key, headers.get(SIGNATURE_HEADER, ""), timestamp.encode() + body)
    _require_fresh_digits(timestamp, now)


def _require_fresh_digits(seconds: str, now: datetime) -> None:
    """Refuse a report whose signed time is not recent, or not written in digits alone.

    Providers sign the time joined with the text after it: `1764806400e0` would mean the same time,
    and take two characters from that text. Raises `NotVerified`.
    """
    if not (seconds.isascii() and seconds.isdigit()):
        raise NotVerified
    require_fresh(seconds, now)


def read_sendgrid(body: bytes) -> Iterator[ProviderEvent]:
    """Return the events of a SendGrid report; a bounce "blocked" is a temporary refusal."""
    for row in read_objects(read_json(body)):
        result = _read_sendgrid_event(row)
        event_id = get_text(row, "sg_event_id")
        if result is not None and event_id:
            message_id = get_text(row, "smtp-id").strip("<> ")
            yield ProviderEvent(event_id, result, ReportEvidence(message_ids=(message_id,)))


def _read_sendgrid_event(row: dict[str, Any]) -> BounceResult | None:
    email = get_text(row, "email")
    reason = get_text(row, "reason")
    match get_text(row, "event"):
        case "bounce":
            blocked = get_text(row, "type") == "blocked"
            classified = get_text(row, "bounce_classification")
            otherwise = BounceClass.SOFT if blocked else BounceClass.HARD
            otherwise = SENDGRID_CLASSES.get(classified, otherwise)
            if classified == "Technical":  # these words are SendGrid's own
                return BounceResult(email, otherwise, get_text(row, "status"), join_lines(reason))
            return judge(email, reason, get_text(row, "status"), otherwise)
        case "dropped":
            words = reason.lower().partition(" (")[0]
            bounce_class = SENDGRID_DROPS.get(words, BounceClass.SENDER)
            return BounceResult(email, bounce_class, "", join_lines(reason))
        case "spamreport":
            return complain(email)
        case "unsubscribe" | "group_unsubscribe":
            return BounceResult(email, BounceClass.UNSUBSCRIBE)
    return None


@dataclass(frozen=True, slots=True)
class MailgunToken:
    """The token of a Mailgun report, which is unique, and when it was signed."""

    value: str
    signed_at: int


def verify_mailgun(body: bytes, key: str, now: datetime) -> MailgunToken:
    """Verify a report of Mailgun; return its token.

    Raises `NotVerified`.
    """
    row = read_json(body)
    signature = row.get("signature") if isinstance(row, dict) else None
    if not isinstance(signature, dict):
        raise NotVerified
    timestamp = get_text(signature, "timestamp")
    token = get_text(signature, "token")
    try:
        mac = bytes.fromhex(get_text(signature, "signature"))
    except ValueError:
        raise NotVerified from None
    verify_hmac(key.encode(), f"{timestamp}{token}".encode(), mac)
    _require_fresh_digits(timestamp, now)
    return MailgunToken(token, int(timestamp))


def read_mailgun(body: bytes, token: str) -> Iterator[ProviderEvent]:
    """Return the event of a Mailgun report.

    The signature covers only the token, so the token identifies the event.
    """
    row = read_json(body)
    event = row.get("event-data") if isinstance(row, dict) else None
    if not isinstance(event, dict):
        raise NotReadable
    message_id = get_text(event, "message", "headers", "message-id").strip("<> ")
    result = _read_mailgun_event(event, get_text(event, "recipient"))
    if result is not None:
        yield ProviderEvent(token, result, ReportEvidence(message_ids=(message_id,)), once=True)


def _read_mailgun_event(event: dict[str, Any], recipient: str) -> BounceResult | None:
    match get_text(event, "event"):
        case "failed" if get_text(event, "severity") == "permanent":
            return _read_mailgun_failure(event, recipient)
        case "complained":
            return complain(recipient)
        case "unsubscribed":
            return BounceResult(recipient, BounceClass.UNSUBSCRIBE)
    return None  # a temporary failure, too: Mailgun tries again, and says so when it gives up


def _read_mailgun_failure(event: dict[str, Any], recipient: str) -> BounceResult:
    reason = get_text(event, "reason")
    code = get_text(event, "delivery-status", "code")
    words = get_text(event, "delivery-status", "message")
    words = words or get_text(event, "delivery-status", "description")
    if reason in MAILGUN_REASONS:
        return BounceResult(recipient, MAILGUN_REASONS[reason], "", join_lines(words))
    if code == MAILGUN_NO_MX:
        return BounceResult(recipient, BounceClass.HARD, UNKNOWN_DOMAIN, join_lines(words))
    soft = reason != "bounce" or get_text(event, "delivery-status", "bounce-type") == "soft"
    status = get_text(event, "delivery-status", "enhanced-code")
    otherwise = BounceClass.SOFT if soft else BounceClass.HARD
    return judge(recipient, f"{code} {words}".strip(), status, otherwise)


def verify_resend(body: bytes, headers: Headers, key: str, now: datetime) -> str:
    """Verify a report of Resend (Svix); return its id.

    Raises `NotVerified`.
    """
    message_id = headers.get("svix-id", "")
    timestamp = headers.get("svix-timestamp", "")
    try:
        secret = base64.b64decode(key.removeprefix("whsec_"))
    except (binascii.Error, ValueError):
        raise NotVerified from None
    text = f"{message_id}.{timestamp}.".encode() + body
    for part in headers.get("svix-signature", "").split()[:10]:
        version, _, signature = part.partition(",")
        try:
            if version == "v1":
                verify_hmac(secret, text, base64.b64decode(signature, validate=True))
                _require_fresh_digits(timestamp, now)
                return message_id
        except (NotVerified, binascii.Error, ValueError):
            continue
    raise NotVerified


def read_resend(body: bytes, event_id: str) -> Iterator[ProviderEvent]:
    """Return the event of a Resend report."""
    row = read_json(body)
    data = row.get("data") if isinstance(row, dict) else None
    if not isinstance(data, dict):
        raise NotReadable
    recipients = data.get("to") or []
    first = recipients[0] if isinstance(recipients, list) and recipients else ""
    recipient = find_address(first) if isinstance(first, str) else ""
    result = _read_resend_event(get_text(row, "type"), data, recipient)
    if result is not None:
        yield ProviderEvent(event_id, result, read_headers(data.get("headers")))


def _read_resend_event(kind: str, data: dict[str, Any], recipient: str) -> BounceResult | None:
    """Classify an event of Resend, which passes on words and types of Amazon SES."""
    match kind:
        case "email.bounced":
            codes = data["bounce"].get("diagnosticCode") if _has_table(data, "bounce") else None
            words = " ".join(str(code) for code in codes[:5]) if isinstance(codes, list) else ""
            words = words.partition(";")[2].strip()
            type_ = get_text(data, "bounce", "type")
            subtype = get_text(data, "bounce", "subType")
            otherwise = choose_class(type_, subtype, is_report=bool(words))
            judged = judge(recipient, words, "", otherwise)
            return (
                judged
                if words
                else replace(judged, reason=join_lines(get_text(data, "bounce", "message")))
            )
        case "email.suppressed":
            return BounceResult(recipient, BounceClass.HARD, "", "suppressed by Resend")
        case "email.complained":
            return complain(recipient)
        case "email.failed":
            return BounceResult(
                recipient, BounceClass.SENDER, "", join_lines(get_text(data, "failed", "reason"))
            )
    return None


def _has_table(row: dict[str, Any], name: str) -> bool:
    return isinstance(row.get(name), dict)
