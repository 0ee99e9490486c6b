"""Write and read the consent record: evidence of each change of a subscription.

Evidence is only ever added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import cast
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy import Table, bindparam, insert, select, text
from sqlalchemy.orm import Session, joinedload

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.prepared import Prepared
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.html.text import to_plain_line, to_plain_lines
from newsletter.i18n import Text, say
from newsletter.link_purposes import PATHS
from newsletter.mail.kinds import MAILS
from newsletter.models import ConsentEvent, ConsentText, Subscriber
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import is_suppressed
from newsletter.vocabulary import ConsentKind, DeliveryStatus, EvidenceSource

CUT_AT_ONCE = 500
SIGNATURE_LENGTH = 32
"""Characters of a signed link's last part."""
WORDING_AT_MOST = 5000

_evidence = cast(Table, ConsentEvent.__table__)
_wordings = cast(Table, ConsentText.__table__)
_NOTED = Prepared(insert(_evidence).returning(_evidence.c.id))
_NOTED_AS = Prepared(insert(_evidence))
_WORDING = Prepared(select(_wordings.c.text).where(_wordings.c.hash == bindparam("hash")))
_REMEMBERED = Prepared(
    text(
        "INSERT INTO consent_texts (hash, text, first_used_at) VALUES (:hash, :text, :now) "
        "ON CONFLICT (hash) DO NOTHING"
    ).bindparams(bindparam("now", type_=_wordings.c.first_used_at.type))
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The origin of a piece of evidence: source, page, IP address, time.

    `form` is which of our forms it was (page, form, script, iframe).
    """

    source: EvidenceSource
    page: str = ""
    ip: str = ""
    user_agent: str = ""
    note: str = ""
    form: str = ""


def make_wording(*, consent_text: str, title: str, language: str) -> str:
    """Return the consent text of a list's form in `language`, the list's own if it has one."""
    words = Text(
        "Yes, send me %(list)s by e-mail. I can unsubscribe at any time with one click.", list=title
    )
    return to_plain_lines(consent_text or say(words, language), limit=WORDING_AT_MOST)


def hash_wording(text: str) -> str:
    """Return the key of a wording: the SHA-256 of its content."""
    return hashlib.sha256(text.encode()).hexdigest()


def store_wording(session: Session, text: str, now: datetime) -> str:
    """Store a wording and return its version."""
    version = hash_wording(text)
    _REMEMBERED.run(session, {"hash": version, "text": text, "now": now})
    return version


def find_wording(session: Session, version: object, otherwise: str) -> str:
    """Return the wording of a version sent by a form, or `otherwise` if it is unknown.

    A form that was pasted long ago goes on showing a text that the author has changed since.
    """
    if version == hash_wording(otherwise):
        return otherwise
    if isinstance(version, str) and len(version) == 64 and version.isascii():
        known = _WORDING.run(session, {"hash": version})
        return str(known[0].text) if known else otherwise
    return otherwise


def strip_secrets(url: str) -> str:
    """Remove query values and tokens from a page's URL before it is recorded.

    User, query and fragment are removed: they hold tokens, addresses and search terms. Of a page of
    ours behind a signed link only its purpose stays.
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return urlunsplit(
        (parts.scheme, host, "/".join(_leave_out_tokens(parts.path.split("/"))), "", "")
    )


def _leave_out_tokens(segments: Sequence[str]) -> Iterator[str]:
    """Remove the token of a signed link, and any other part that looks like one."""
    for number, segment in enumerate(segments):
        if number and segments[number - 1] in PATHS and segment:
            yield "…"
            return
        signed = "." in segment and len(segment.rpartition(".")[2]) == SIGNATURE_LENGTH
        yield "…" if signed else segment


def note_consent(
    session: Session,
    subscription_id: int,
    kind: ConsentKind,
    evidence: Evidence,
    now: datetime,
    *,
    wording: str = "",
    message_id: str = "",
    reserved: int | None = None,
) -> int:
    """Append a piece of evidence to the record.

    Return its id, which is the `reserved` one if there is one.
    """
    event = {
        "subscription_id": subscription_id,
        "kind": kind,
        "at": now,
        "source": evidence.source,
        "form": to_plain_line(evidence.form, limit=40),
        "wording_hash": store_wording(session, to_plain_lines(wording, limit=WORDING_AT_MOST), now)
        if wording
        else None,
        "page": to_plain_line(strip_secrets(evidence.page), limit=500),
        "ip": evidence.ip[:45],
        "user_agent": to_plain_line(evidence.user_agent, limit=300),
        "message_id": message_id,
        "note": to_plain_line(evidence.note, limit=500),
    }
    if reserved is not None:
        _NOTED_AS.run(session, {**event, "id": reserved})
        return reserved
    [noted] = _NOTED.run(session, event)
    return int(noted.id)


@dataclass(frozen=True, slots=True)
class ProofEvent:
    """A piece of evidence in the proof of consent.

    `wording` is the text itself, `wording_version` the SHA-256 of it.
    """

    list: str
    kind: ConsentKind
    at: datetime
    source: EvidenceSource
    form: str
    page: str
    ip: str
    user_agent: str
    wording_version: str
    wording: str
    message_id: str
    note: str


@dataclass(frozen=True, slots=True)
class ProofMail:
    """A mail in the proof of consent, with the mail server's reply."""

    list: str
    mail: str
    status: DeliveryStatus
    at: datetime | None
    reply: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The proof of consent: all evidence about an address, and the mails that belong to it.

    `standing` maps each list to the subscription's status.
    """

    email: str
    suppressed: bool
    standing: dict[str, str] = field(default_factory=dict)
    answers: dict[str, dict[str, object]] = field(default_factory=dict)
    events: tuple[ProofEvent, ...] = ()
    mails: tuple[ProofMail, ...] = ()


def get_proof(env: Environment, address: str) -> Proof:
    """Return the proof of consent of an address, oldest evidence first.

    Raises `InvalidInput`, `NotFound`.
    """
    key = parse_address(address).key
    with reading() as session:
        subscriber = session.scalar(select(Subscriber).where(Subscriber.email_key == key))
        if subscriber is None:
            raise NotFound(
                "there is no subscriber with this address",
                hint="was it erased, or never confirmed?",
            )
        slugs = {row.id: row.mailing_list.slug for row in subscriber.subscriptions}
        return Proof(
            email=subscriber.email,
            suppressed=is_suppressed(env, session, key),
            standing={row.mailing_list.slug: row.status for row in subscriber.subscriptions},
            answers={
                row.mailing_list.slug: dict(row.answers)
                for row in subscriber.subscriptions
                if row.answers
            },
            events=_read_events(session, slugs),
            mails=_list_mails(session, slugs),
        )


def _read_events(session: Session, slugs: dict[int, str]) -> tuple[ProofEvent, ...]:
    query = (
        select(ConsentEvent)
        .options(joinedload(ConsentEvent.wording))
        .where(ConsentEvent.subscription_id.in_(slugs))
        .order_by(ConsentEvent.at, ConsentEvent.id)
    )
    return tuple(
        ProofEvent(
            list=slugs[row.subscription_id],
            kind=row.kind,
            at=row.at,
            source=row.source,
            form=row.form,
            page=row.page,
            ip=row.ip,
            user_agent=row.user_agent,
            wording_version=row.wording_hash or "",
            wording=row.wording.text if row.wording else "",
            message_id=row.message_id,
            note=row.note,
        )
        for row in session.scalars(query)
    )


def _list_mails(session: Session, slugs: dict[int, str]) -> tuple[ProofMail, ...]:
    """List the mails that belong to a proof of consent."""
    return tuple(
        ProofMail(slug, row.mail, row.status, row.finished_at, row.text or "")
        for subscription_id, slug in slugs.items()
        for row in outbox.list_history(session, subscription_id)
        if MAILS[row.mail].in_proof
    )


def cut_to_network(ip: str) -> str:
    """Return the network of an IP address: /24, or /64 for IPv6; ``unknown`` if it is invalid."""
    try:
        address = ip_address(ip.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return str(ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))
    except ValueError:
        return "unknown"


def shorten_old_addresses(session: Session, *, kept_for: timedelta, now: datetime) -> int:
    """Shorten the IP addresses of a batch of old evidence to networks; return the batch's size."""
    old = (
        select(ConsentEvent)
        .where(
            ConsentEvent.at < now - kept_for, ConsentEvent.ip != "", ~ConsentEvent.ip.contains("/")
        )
        .limit(CUT_AT_ONCE)
    )
    events = session.scalars(old).all()
    for event in events:
        event.ip = cut_to_network(event.ip).replace("unknown", "")
    session.flush()
    return len(events)
