"""Amazon SES, through SNS: signed messages, whose certificate comes from Amazon's own hosts only.

Pure.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from newsletter.bounce_vocabulary import BounceClass
from newsletter.bounces.providers.signatures import verify_rsa
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

HOST = re.compile(r"sns\.[a-z]{2}(?:-[a-z]{1,12}){1,3}-\d{1,2}\.amazonaws\.com(?:\.cn)?")
"""Hosts of SNS; nothing is ever asked of another."""

_PEM = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem")
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_CONTENT = ("MessageTooLarge", "ContentRejected", "AttachmentRejected")

FetchCertificate = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """A verified message of SNS.

    `confirm_url` is to be opened to confirm a subscription.
    """

    kind: str
    id: str
    message: str
    confirm_url: str = ""


def verify_sns(body: bytes, fetch_certificate: FetchCertificate, now: datetime) -> SnsMessage:
    """Verify a message of SNS.

    Raises `NotVerified`, `NotReadable`, and what the fetch raises.
    """
    row = read_json(body)
    if not isinstance(row, dict):
        raise NotReadable
    kind = get_text(row, "Type")
    url = str(row.get("SigningCertURL", row.get("SigningCertUrl", "")))
    if not is_amazon_url(url) or not _PEM.fullmatch(urlsplit(url).path):
        raise NotVerified
    _require_fresh_timestamp(get_text(row, "Timestamp"), now)
    names = _NOTIFICATION if kind == "Notification" else _CONFIRMATION
    text = "".join(f"{name}\n{row[name]}\n" for name in names if isinstance(row.get(name), str))
    try:
        signature = base64.b64decode(get_text(row, "Signature"), validate=True)
    except (binascii.Error, ValueError):
        raise NotVerified from None
    version = get_text(row, "SignatureVersion")
    verify_rsa(fetch_certificate(url), signature, text.encode(), old_hash=version == "1")
    confirm_url = str(row.get("SubscribeURL", "")) if kind == "SubscriptionConfirmation" else ""
    if confirm_url and not is_amazon_url(confirm_url):
        raise NotVerified
    return SnsMessage(kind, get_text(row, "MessageId"), str(row.get("Message", "")), confirm_url)


def is_amazon_url(url: str) -> bool:
    """Tell whether a URL is one of SNS itself, over https and without a user or a port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and HOST.fullmatch(parts.netloc) is not None


def _require_fresh_timestamp(text: str, now: datetime) -> None:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        require_fresh(str(moment.timestamp()), now)
    except (ValueError, OverflowError):
        raise NotVerified from None


def read_ses(message: SnsMessage) -> Iterator[ProviderEvent]:
    """Read the events of a notification; none for deliveries, opens, and others."""
    row = read_json(message.message.encode())
    if not isinstance(row, dict):
        raise NotReadable
    kind = get_text(row, "notificationType") or get_text(row, "eventType")
    evidence = _read_evidence(row.get("mail"))
    for number, result in enumerate(_read_results(row, kind)):
        yield ProviderEvent(f"{message.id}/{number}", result, evidence)


def _read_results(row: dict[str, Any], kind: str) -> Iterator[BounceResult]:
    if kind == "Complaint":
        complaint = row.get("complaint")
        details = complaint if isinstance(complaint, dict) else {}
        if get_text(details, "complaintFeedbackType") == "not-spam":
            return
        for recipient in read_objects(details.get("complainedRecipients", [])):
            address = get_text(recipient, "emailAddress")
            yield BounceResult(address, BounceClass.COMPLAINT, "", "abuse")
    elif kind == "Bounce":
        bounce = row.get("bounce")
        details = bounce if isinstance(bounce, dict) else {}
        otherwise = choose_class(
            get_text(details, "bounceType"), get_text(details, "bounceSubType")
        )
        for recipient in read_objects(details.get("bouncedRecipients", [])):
            words = get_text(recipient, "diagnosticCode").partition(";")[2].strip()
            status = get_text(recipient, "status")
            yield judge(get_text(recipient, "emailAddress"), words, status, otherwise)


def choose_class(kind: str, subtype: str) -> BounceClass:
    """Say what SES means by a bounce's type."""
    if subtype in _CONTENT:
        return BounceClass.CONTENT
    return BounceClass.HARD if kind == "Permanent" else BounceClass.SOFT


def _read_evidence(mail: Any) -> ReportEvidence:
    """Collect the envelope's sender and, where SES was told to send them, the original headers."""
    if not isinstance(mail, dict):
        return ReportEvidence()
    headers = list(read_objects(mail.get("headers") or []))
    return ReportEvidence(
        sent_to=(get_text(mail, "source"),),
        message_ids=tuple(_list_header(headers, "message-id")),
        unsubscribe=tuple(_list_header(headers, "list-unsubscribe")),
    )


def _list_header(headers: list[dict[str, Any]], name: str) -> Iterator[str]:
    for header in headers[:200]:
        if get_text(header, "name").lower() == name:
            yield (
                get_text(header, "value").strip("<> ")
                if name == "message-id"
                else get_text(header, "value")
            )
