"""Verify and parse Amazon SES reports, signed by SNS, with certificates of Amazon's hosts only.

Pure.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from newsletter.bounce_vocabulary import BounceClass
from newsletter.bounces.meaning import join_lines
from newsletter.bounces.providers.signatures import verify_rsa
from newsletter.bounces.providers.types import (
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

HOST = re.compile(r"sns\.[a-z]{2}(?:-[a-z]{1,12}){1,3}-\d{1,2}\.amazonaws\.com(?:\.cn)?")
"""Pattern of the hosts of Amazon SNS; no other host is ever requested."""

_PEM = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem")
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_CONTENT = ("MessageTooLarge", "ContentRejected", "AttachmentRejected")
_MACHINES = ("not-spam", "auth-failure", "virus")
"""Feedback types that are not a recipient's complaint (RFC 5965 section 7.3)."""

FetchCertificate = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """A verified message of Amazon SNS.

    `confirm_url` is the URL that confirms a subscription when it is opened.
    """

    kind: str
    id: str
    message: str
    confirm_url: str = ""


def verify_sns(
    body: bytes, fetch_certificate: FetchCertificate, now: datetime, *, topic: str = ""
) -> SnsMessage:
    """Verify a message of Amazon SNS, only of one topic (its ARN) if that is known.

    Raises `NotVerified`, `NotReadable`, and what the fetch raises.
    """
    row = read_json(body)
    if not isinstance(row, dict):
        raise NotReadable
    kind = get_text(row, "Type")
    url = str(row.get("SigningCertURL", row.get("SigningCertUrl", "")))
    if not is_amazon_url(url) or not _PEM.fullmatch(urlsplit(url).path):
        raise NotVerified
    if topic and get_text(row, "TopicArn") != topic:
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
    """Tell whether a URL belongs to Amazon SNS, over https and without a user or port."""
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
    """Return the events of an Amazon SES notification; none for deliveries, opens, and others."""
    row = read_json(message.message.encode())
    if not isinstance(row, dict):
        raise NotReadable
    kind = get_text(row, "notificationType") or get_text(row, "eventType")
    mail = row.get("mail")
    evidence = ReportEvidence()
    if isinstance(mail, dict):  # SES has to be told to send the original headers
        evidence = replace(read_headers(mail.get("headers")), sent_to=(get_text(mail, "source"),))
    for number, result in enumerate(_read_results(row, kind)):
        yield ProviderEvent(f"{message.id}/{number}", result, evidence)


def read_mailed_notification(text: str) -> list[BounceResult]:
    """Return the events of a notification that Amazon SNS sent by mail, if any."""
    text = text.lstrip()
    if not text.startswith("{"):
        return []
    try:
        row, _ = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return []
    kind = get_text(row, "notificationType") or get_text(row, "eventType")
    try:
        return list(_read_results(row, kind))
    except NotReadable:
        return []


def _read_results(row: dict[str, Any], kind: str) -> Iterator[BounceResult]:
    details = row.get(kind.lower())
    if not isinstance(details, dict):
        return
    if kind == "Complaint" and get_text(details, "complaintFeedbackType") not in _MACHINES:
        for recipient in read_objects(details.get("complainedRecipients", [])):
            yield complain(get_text(recipient, "emailAddress"))
    elif kind == "Bounce":
        yield from _read_bounce(details)
    elif kind == "Reject":
        words = join_lines(get_text(details, "reason"))
        recipients = row["mail"].get("destination") if isinstance(row.get("mail"), dict) else None
        for address in recipients if isinstance(recipients, list) else []:
            if isinstance(address, str):
                yield BounceResult(address[:320], BounceClass.CONTENT, "", words)


def _read_bounce(details: dict[str, Any]) -> Iterator[BounceResult]:
    kind = get_text(details, "bounceType")
    subtype = get_text(details, "bounceSubType")
    for recipient in read_objects(details.get("bouncedRecipients", [])):
        words = get_text(recipient, "diagnosticCode")
        words = words.partition(";")[2].strip() if words.lower().startswith("smtp") else ""
        status = get_text(recipient, "status")
        otherwise = choose_class(kind, subtype, is_report=bool(words or status))
        yield judge(get_text(recipient, "emailAddress"), words, status, otherwise)


def choose_class(kind: str, subtype: str, *, is_report: bool = True) -> BounceClass:
    """Return the class of a bounce by the type that Amazon SES states.

    A transient bounce without a mail server's report is usually an automatic answer.
    """
    if subtype in _CONTENT:
        return BounceClass.CONTENT
    if kind == "Transient" and subtype == "General" and not is_report:
        return BounceClass.AUTO_REPLY
    return BounceClass.HARD if kind == "Permanent" else BounceClass.SOFT
