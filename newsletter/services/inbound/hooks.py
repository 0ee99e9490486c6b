"""Receive providers' webhooks: verify secret and signature, and apply each reported event."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from sqlalchemy.orm import Session

from newsletter.bounce_vocabulary import BounceClass, BounceProof, BounceSource
from newsletter.bounces.providers import ses, signing, unsigned
from newsletter.bounces.providers.types import NotReadable, NotVerified, ProviderEvent
from newsletter.errors import FeedError, NotFound
from newsletter.services import counters
from newsletter.services.inbound.apply import (
    Bounce,
    FindOwner,
    apply_bounce,
    apply_bounces,
)
from newsletter.services.inbound.identify import (
    NOBODY,
    Owner,
    count_active,
    find_by_address,
    find_owner,
)
from newsletter.services.runtime import Environment

CERTIFICATES_AT_MOST = 8
"""Certificates of SNS cached by one process; there is one for each region."""

SIGNED = ("sendgrid", "resend")
"""Providers that sign the whole report, so that their URL needs no secret."""

KEYED = (*SIGNED, "mailgun")
"""Providers whose reports are accepted only with a configured key."""

_certificates: dict[str, bytes] = {}


def receive(
    env: Environment, provider: str, secret: str, body: bytes, headers: Mapping[str, str]
) -> int:
    """Apply a provider's report.

    Returns how many events it held.

    Raises `NotFound` for a wrong secret and for a provider that is not set up, `NotVerified` and
    `NotReadable` for the report, `DatabaseError`.
    """
    source = _get_source(env, provider, secret)
    if source is BounceSource.MAILGUN:
        return _receive_mailgun(env, body)
    return _apply(env, source, _read(env, source, body, headers))


def _receive_mailgun(env: Environment, body: bytes) -> int:
    """Apply a report of Mailgun, whose signature covers only a token, and mark the token as used.

    Whoever has seen a signature could put other words behind it, so it counts once, also if what it
    came with first is of no interest here.
    """
    key = env.settings.bounces.hooks.mailgun.key
    token = signing.verify_mailgun(body, key.get_secret_value() if key else "", env.now)
    events = signing.read_mailgun(body, token.value)
    name = f"hook/mailgun/{hashlib.sha256(token.value.encode()).hexdigest()[:40]}"

    def spend(session: Session) -> bool:
        """Mark the token as used; return False if it was used before."""
        hour = counters.HOUR
        return counters.increment(session, name, now=token.signed_at, seconds=hour) == 1

    bounces = [_name_bounce(env, BounceSource.MAILGUN, event) for event in events]
    return len(apply_bounces(env, bounces, claim=spend))


def _apply(env: Environment, source: BounceSource, events: Iterable[ProviderEvent]) -> int:
    read = list(events)
    for event in read:
        apply_bounce(env, *_name_bounce(env, source, event))
    return len(read)


def _name_bounce(
    env: Environment, source: BounceSource, event: ProviderEvent
) -> tuple[Bounce, FindOwner]:
    bounce = Bounce(source, f"{source.value} {event.id}", event.result, once=event.once)
    return bounce, partial(_find_owner, env, event)


def _get_source(env: Environment, provider: str, secret: str) -> BounceSource:
    hook = env.settings.bounces.hooks.find(provider)
    expected = hook.secret.get_secret_value() if hook.secret else ""
    signed = provider in SIGNED and hook.key is not None
    right = bool(expected) and hmac.compare_digest(expected.encode(), secret.encode())
    if not right and (expected or not signed):
        raise NotFound("there is no such page")
    if provider in KEYED and hook.key is None:
        raise NotVerified
    return BounceSource(provider)


def _read(
    env: Environment, source: BounceSource, body: bytes, headers: Mapping[str, str]
) -> Iterable[ProviderEvent]:
    hook = env.settings.bounces.hooks.find(source.value)
    key = hook.key.get_secret_value() if hook.key else ""
    match source:
        case BounceSource.SES:
            return _read_ses(env, body, key)
        case BounceSource.SENDGRID:
            signing.verify_sendgrid(body, headers, key, env.now)
            return signing.read_sendgrid(body)
        case BounceSource.RESEND:
            event_id = signing.verify_resend(body, headers, key, env.now)
            return signing.read_resend(body, event_id)
        case BounceSource.POSTMARK:
            return unsigned.read_postmark(body)
        case BounceSource.BREVO:
            return unsigned.read_brevo(body)
        case BounceSource.MAILJET:
            return unsigned.read_mailjet(body)
        case (
            BounceSource.SMTP
            | BounceSource.PIPE
            | BounceSource.MAILBOX
            | BounceSource.LISTENER
            | BounceSource.MAILGUN  # read above
        ):
            raise NotReadable


def _read_ses(env: Environment, body: bytes, topic: str) -> Iterator[ProviderEvent]:
    message = ses.verify_sns(body, partial(_fetch_certificate, env), env.now, topic=topic)
    if message.confirm_url:
        _fetch_from_amazon(env, message.confirm_url)
    elif message.kind == "Notification":
        yield from ses.read_ses(message)


def _fetch_certificate(env: Environment, url: str) -> bytes:
    if url not in _certificates:
        if len(_certificates) >= CERTIFICATES_AT_MOST:
            _certificates.clear()
        _certificates[url] = _fetch_from_amazon(env, url)
    return _certificates[url]


def _fetch_from_amazon(env: Environment, url: str) -> bytes:
    """Fetch from a host of SNS without following redirects to other hosts."""
    try:
        answer = env.fetch(url)
    except FeedError:
        raise NotVerified from None
    if not ses.is_amazon_url(answer.url):
        raise NotVerified
    return answer.body


def _find_owner(env: Environment, event: ProviderEvent, session: Session) -> Owner:
    """Find the owner of a verified event, by our references in it, else by its address.

    An address proves nothing where the provider's signature does not cover it.
    """
    owner = find_owner(env, session, event.evidence, "")
    if owner.proof.valid:
        return owner if owner.proof.secret else replace(owner, proof=BounceProof.HOOK)
    if event.once:
        return find_by_address(session, event.result.recipient)
    leaves = event.result.bounce_class is BounceClass.UNSUBSCRIBE
    if leaves and count_active(session, event.result.recipient) != 1:
        return NOBODY  # nothing tells which subscription somebody ended at the provider
    return find_by_address(session, event.result.recipient, BounceProof.HOOK)
