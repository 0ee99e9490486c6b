"""SendGrid, Mailgun and Resend: providers that sign their reports.

Pure.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests (Svix)
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from newsletter.bounce_vocabulary import BounceClass
from newsletter.bounces.providers.signatures import verify_ecdsa, verify_hmac
from newsletter.bounces.providers.types import (
    NotReadable,
    NotVerified,
    ProviderEvent,
    get_text,
    judge,
    read_json,
    read_objects,
    require_fresh,
)
from newsletter.bounces.types import BounceResult, ReportEvidence

SIGNATURE_HEADER = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER = "x-twilio-email-event-webhook-timestamp"
"""Headers of SendGrid's signed event webhook, in lower case as all headers here."""

Headers = Mapping[str, str]


def verify_sendgrid(body: bytes, headers: Headers, key: str, now: datetime) -> None:
    """Verify a report of SendGrid by the public key that its settings show.

    Raises `NotVerified`.
    """
    timestamp = headers.get(TIMESTAMP_HEADER, "")
    verify_ecdsa(key, headers.get(SIGNATURE_HEADER, ""), timestamp.encode() + body)
    require_fresh(timestamp, now)


def read_sendgrid(body: bytes) -> Iterator[ProviderEvent]:
    """Read SendGrid's events; a bounce of type "blocked" is a temporary refusal."""
    for row in read_objects(read_json(body)):
        result = _read_sendgrid_event(row)
        event_id = get_text(row, "sg_event_id")
        if result is not None and event_id:
            message_id = get_text(row, "smtp-id").strip("<> ")
            yield ProviderEvent(event_id, result, ReportEvidence(message_ids=(message_id,)))


def _read_sendgrid_event(row: dict[str, Any]) -> BounceResult | None:
    email = get_text(row, "email")
    match get_text(row, "event"):
        case "bounce":
            blocked = get_text(row, "type") == "blocked"
            otherwise = BounceClass.SOFT if blocked else BounceClass.HARD
            return judge(email, get_text(row, "reason"), get_text(row, "status"), otherwise)
        case "spamreport":
            return BounceResult(email, BounceClass.COMPLAINT, "", "abuse")
    return None


def verify_mailgun(body: bytes, key: str, now: datetime) -> str:
    """Verify a report of Mailgun; return its token, which never comes twice.

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
    require_fresh(timestamp, now)
    return token


def read_mailgun(body: bytes, token: str) -> Iterator[ProviderEvent]:
    """Read Mailgun's event.

    The signature covers the token alone, so that names the event.
    """
    row = read_json(body)
    event = row.get("event-data") if isinstance(row, dict) else None
    if not isinstance(event, dict):
        raise NotReadable
    recipient = get_text(event, "recipient")
    message_id = get_text(event, "message", "headers", "message-id").strip("<> ")
    result: BounceResult | None = None
    match get_text(event, "event"):
        case "failed":
            words = get_text(event, "delivery-status", "message") or get_text(
                event, "delivery-status", "description"
            )
            code = get_text(event, "delivery-status", "code")
            status = get_text(event, "delivery-status", "enhanced-code")
            permanent = get_text(event, "severity") == "permanent"
            if not permanent:
                return  # Mailgun tries again, and says so when it gives up
            dead = get_text(event, "reason") in ("bounce", "suppress-bounce")
            otherwise = BounceClass.HARD if dead else BounceClass.SOFT
            result = judge(recipient, f"{code} {words}".strip(), status, otherwise)
        case "complained":
            result = BounceResult(recipient, BounceClass.COMPLAINT, "", "abuse")
    if result is not None:
        yield ProviderEvent(token, result, ReportEvidence(message_ids=(message_id,)))


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
                require_fresh(timestamp, now)
                return message_id
        except (NotVerified, binascii.Error, ValueError):
            continue
    raise NotVerified


def read_resend(body: bytes, event_id: str) -> Iterator[ProviderEvent]:
    """Read Resend's event."""
    row = read_json(body)
    data = row.get("data") if isinstance(row, dict) else None
    if not isinstance(data, dict):
        raise NotReadable
    recipients = data.get("to") or []
    recipient = str(recipients[0])[:320] if isinstance(recipients, list) and recipients else ""
    result: BounceResult | None = None
    match get_text(row, "type"):
        case "email.bounced":
            permanent = get_text(data, "bounce", "type") == "Permanent"
            otherwise = BounceClass.HARD if permanent else BounceClass.SOFT
            result = judge(recipient, get_text(data, "bounce", "message"), "", otherwise)
        case "email.complained":
            result = BounceResult(recipient, BounceClass.COMPLAINT, "", "abuse")
    if result is not None:
        yield ProviderEvent(event_id, result)
