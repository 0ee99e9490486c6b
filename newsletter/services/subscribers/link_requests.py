"""Mails a reader the link she asks for: to her preferences, to a confirmation, to a file, to her data, to be erased.

The mail goes to the address we know, whoever asks, and every answer is the same: no page opens what a mail must.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.session import transaction
from newsletter.errors import LinkExpired, TooMany
from newsletter.models import MailingList, Subscriber, Subscription
from newsletter.services import counters
from newsletter.services.consent import Evidence, default_wording
from newsletter.services.runtime import Environment
from newsletter.services.signup.double_opt_in import Request, ask, taken_back
from newsletter.services.suppressions import suppressed
from newsletter.tokens import Purpose

A_DAY = 86_400
PER_DAY = 3
"""So many links of one kind a day for one reader; then silence."""

REPLACED: tuple[Purpose, ...] = ("confirm", "preferences", "export", "erase", "resources")
"""Links that are mailed anew, in one tap, once they have expired."""

Kind = Literal["link", "export", "erase", "resource"]


def by_address(env: Environment, email: object, evidence: Evidence, *, resource: str = "") -> None:
    """Mails a link to the preferences (or to `resource`), or to confirm where that was not done yet; nothing to
    strangers. Raises `InvalidInput`, `TooMany`.

    Whoever asks, both are done; what is not hers is done for nobody, and taken back, so that the time says nothing.
    """
    address = parse_address(email)
    _count(env, evidence)
    kind: Kind = "resource" if resource else "link"
    with transaction() as session:
        found = session.scalar(
            select(Subscription)
            .join(Subscriber)
            .where(Subscriber.email_key == address.key)
            .order_by((Subscription.status == "active").desc(), (Subscription.status == "pending").desc())
            .limit(1)
        )
        somebody = found or session.scalar(select(Subscription).limit(1))
        if somebody is None:  # nobody reads anything here
            return
        mailing_list, spoken = somebody.mailing_list, somebody.subscriber.language
        barred = suppressed(env, session, address.key)
        status = "" if found is None or barred else found.status
        if found is not None and status == "pending":
            _ask_again(env, session, found, evidence)
        else:
            ask(env, session, _request(mailing_list, address.email, address.key, spoken, evidence), barred=True)
        hers = status == "active" or (status == "unsubscribed" and not resource)
        with nullcontext() if hers else taken_back(session):
            _queue(env, session, found, kind, resource)


def by_token(env: Environment, purpose: Purpose, token: str, evidence: Evidence) -> None:
    """Mails what replaces a link that has expired: the same again to the same reader. Raises `LinkInvalid`,
    `TooMany`."""
    try:
        payload = env.tokens.open(purpose, token, env.now)
    except LinkExpired as error:
        payload = error.payload
    _count(env, evidence)
    handle, _, rest = payload.partition(".")
    kinds: dict[str, Kind] = {"export": "export", "erase": "erase", "resources": "resource"}
    with transaction() as session:
        found = session.scalar(select(Subscription).where(Subscription.handle == handle))
        if found is not None:
            resource = rest if purpose == "resources" else ""
            _send(env, session, found, kinds.get(purpose, "link"), evidence, resource=resource)


def for_reader(env: Environment, session: Session, subscription: Subscription, kind: Kind) -> None:
    """Mails a link that was asked for on a page of the reader's own."""
    _send(env, session, subscription, kind, Evidence("link"))


def _count(env: Environment, evidence: Evidence) -> None:
    with transaction() as session:
        wait = counters.sign_up(env, session, list_id=counters.ELSEWHERE, ip=evidence.ip)
    if wait is not None:
        raise TooMany("too many requests at once; please try again later", retry_after=wait)


def _send(
    env: Environment,
    session: Session,
    subscription: Subscription,
    kind: Kind,
    evidence: Evidence,
    *,
    resource: str = "",
) -> None:
    if suppressed(env, session, subscription.subscriber.email_key):
        return
    if subscription.status == "pending":
        _ask_again(env, session, subscription, evidence)
        return
    if kind == "resource" and subscription.status != "active":
        return
    _queue(env, session, subscription, kind, resource)


def _queue(env: Environment, session: Session, subscription: Subscription | None, kind: Kind, resource: str) -> None:
    """Queues a mail with a link, unless there were enough of them today; for nobody, where there is none."""
    whose, where = (subscription.subscriber_id, subscription.id) if subscription else (0, None)
    now = int(env.now.timestamp())
    enough = counters.count(session, f"{kind}/{whose}", now=now, seconds=A_DAY) > PER_DAY
    context = {"resource": resource} if resource else None
    with taken_back(session) if enough else nullcontext():
        outbox.enqueue(session, mail=kind, subscription_id=where, now=env.now, context=context)


def _ask_again(env: Environment, session: Session, subscription: Subscription, evidence: Evidence) -> None:
    subscriber, mailing_list = subscription.subscriber, subscription.mailing_list
    request = _request(mailing_list, subscriber.email, subscriber.email_key, subscriber.language, evidence)
    cadence, answers, topics = subscription.cadence, subscription.answers, subscription.topics
    ask(env, session, replace(request, cadence=cadence, answers=answers, topics=topics))


def _request(mailing_list: MailingList, email: str, key: str, language: str, evidence: Evidence) -> Request:
    wording = default_wording(
        consent_text=mailing_list.consent_text,
        title=mailing_list.title,
        language=language or mailing_list.language,
    )
    return Request(
        list_id=mailing_list.id, sender=mailing_list.from_email, email=email, email_key=key,
        cadence=mailing_list.default_cadence, wording=wording, evidence=evidence,
    )  # fmt: skip
