"""Describe the items of a subscriber's history: evidence, mails, returned mail."""

from __future__ import annotations

from enum import StrEnum

from newsletter.bounce_vocabulary import BounceClass, BounceEffect
from newsletter.i18n import Text
from newsletter.models import ConsentEvent
from newsletter.outbox import DeliveryRow
from newsletter.services.bounce_events import BounceView
from newsletter.vocabulary import (
    ConsentKind,
    DeliveryStatus,
    EvidenceSource,
    MailKind,
    SuppressionReason,
)

WORDS: dict[StrEnum, Text] = {
    ConsentKind.REQUESTED: Text("requested"),
    ConsentKind.AGREED: Text("agreed"),
    ConsentKind.ASKED: Text("asked"),
    ConsentKind.CONFIRMED: Text("confirmed"),
    ConsentKind.REAFFIRMED: Text("reaffirmed"),
    ConsentKind.LAPSED: Text("lapsed"),
    ConsentKind.UNSUBSCRIBED: Text("unsubscribed"),
    ConsentKind.RESUBSCRIBED: Text("resubscribed"),
    ConsentKind.CHANGED: Text("changed"),
    ConsentKind.MOVED: Text("moved"),
    ConsentKind.ADDED: Text("added"),
    ConsentKind.IMPORTED: Text("imported"),
    ConsentKind.REASON: Text("reason"),
    ConsentKind.RELEASED: Text("released"),
    EvidenceSource.FORM: Text("form"),
    EvidenceSource.JSON: Text("json"),
    EvidenceSource.LINK: Text("link"),
    EvidenceSource.ONE_CLICK: Text("one-click"),
    EvidenceSource.PREFERENCES: Text("preferences"),
    EvidenceSource.MAIL: Text("mail"),
    EvidenceSource.AUTHOR: Text("author"),
    EvidenceSource.IMPORT: Text("import"),
    EvidenceSource.CONFIRMATION: Text("confirmation"),
    EvidenceSource.PERMISSION: Text("permission"),
    EvidenceSource.RESTORE: Text("restore"),
    MailKind.CONFIRM: Text("confirm"),
    MailKind.ALREADY: Text("already"),
    MailKind.WELCOME: Text("welcome"),
    MailKind.GOODBYE: Text("goodbye"),
    MailKind.STORY: Text("story"),
    MailKind.EXPORT: Text("export"),
    MailKind.ERASE: Text("erase"),
    MailKind.RESOURCE: Text("resource"),
    MailKind.ADDRESS: Text("address"),
    MailKind.NOTICE: Text("notice"),
    MailKind.DIGEST: Text("digest"),
    MailKind.LETTER: Text("letter"),
    MailKind.SERIES: Text("series"),
    MailKind.REVIEW: Text("review"),
    DeliveryStatus.QUEUED: Text("queued"),
    DeliveryStatus.SENT: Text("sent"),
    DeliveryStatus.FAILED: Text("failed"),
    DeliveryStatus.CANCELLED: Text("cancelled"),
    DeliveryStatus.IN_DOUBT: Text("in_doubt"),
    SuppressionReason.COMPLAINT: Text("complaint"),
    SuppressionReason.BOUNCE: Text("bounce"),
    SuppressionReason.MANUAL: Text("manual"),
    SuppressionReason.ERASED: Text("erased"),
    BounceClass.HARD: Text("hard"),
    BounceClass.SOFT: Text("soft"),
    BounceClass.POLICY: Text("policy"),
    BounceClass.CONTENT: Text("content"),
    BounceClass.SENDER: Text("sender"),
    BounceClass.UNSUBSCRIBE: Text("unsubscribe"),
    BounceClass.REPLY: Text("reply"),
    BounceClass.AUTO_REPLY: Text("auto-reply"),
    BounceClass.IGNORE: Text("ignore"),
    BounceEffect.SUPPRESSED: Text("suppressed"),
    BounceEffect.PROPOSED: Text("proposed"),
    BounceEffect.COUNTED: Text("counted"),
    BounceEffect.NOTED: Text("noted"),
    BounceEffect.ADVISORY: Text("advisory"),
    BounceEffect.UNKNOWN: Text("unknown"),
}
"""Translatable names of the members of closed sets in histories.

Members of two sets that are called the same stand here once.
"""


def describe_evidence(event: ConsentEvent) -> Text:
    """Describe a piece of evidence: event, list and source."""
    wording = event.wording.text if event.wording else ""
    note = next(
        (
            f" ({text})"
            for text in (event.note, wording)
            if text and event.kind != ConsentKind.CONFIRMED
        ),
        "",
    )
    where: str = Text(" on %(page)s", page=event.page) if event.page else ""
    return Text(
        "%(kind)s by %(source)s%(where)s%(note)s",
        kind=ConsentKind(event.kind),
        source=EvidenceSource(event.source),
        where=where,
        note=note,
    )


def describe_mail(row: DeliveryRow, subject: str) -> Text:
    """Describe a mail and its delivery status."""
    name = f" {row.campaign_id} “{subject}”" if row.campaign_id else ""
    reply = ""
    if row.text and row.status != DeliveryStatus.SENT:
        reply = f": {row.code or ''} {row.text}".replace(":  ", ": ")
    tries: str = Text(" after %(tries)d tries", tries=row.attempts) if row.attempts > 1 else ""
    return Text(
        "%(mail)s%(name)s %(status)s%(tries)s%(reply)s",
        mail=MailKind(row.mail),
        name=name,
        status=DeliveryStatus(row.status),
        tries=tries,
        reply=reply,
    )


def describe_returned(event: BounceView) -> Text:
    """Describe returned mail: its meaning and effect."""
    details = " ".join(part for part in (event.status, event.reason) if part)
    return Text(
        "returned mail: %(meaning)s (%(source)s): %(effect)s%(details)s",
        meaning=BounceClass(event.bounce_class),
        source=event.source,
        effect=BounceEffect(event.effect),
        details=f": {details}" if details else "",
    )
