"""Mail subscribers links on request: preferences, files, data export, erasure.

The mail goes to the address on record, whoever asks, and every answer is the same: no page opens
what a mail must.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import Address, parse_address
from newsletter.db.session import transaction
from newsletter.errors import LinkExpired
from newsletter.link_purposes import LinkPurpose, LinkScope
from newsletter.models import (
    ConsentText,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionRequest,
)
from newsletter.services import request_limits, resources
from newsletter.services.consent import Evidence, make_wording
from newsletter.services.mailbox_limits import Allowance, LockedMailbox, lock_mailbox, record_mail
from newsletter.services.request_limits import ELSEWHERE, Visit
from newsletter.services.runtime import Environment
from newsletter.services.signup.double_opt_in import SignUpRequest, record_request
from newsletter.services.signup.equal_work import roll_back
from newsletter.services.subscribers.requested_link import RequestedLink
from newsletter.services.suppressions import is_suppressed
from newsletter.vocabulary import Cadence, EvidenceSource, SubscriptionStatus


class Target(NamedTuple):
    """The recipient of a requested link: the state of an address, or of a link's subscription.

    Of a stranger, only the address, and a list that could be theirs.
    """

    list_id: int
    sender: str
    title: str
    list_language: str
    consent_text: str
    default_cadence: Cadence
    email: str
    email_key: str
    language: str = ""
    status: SubscriptionStatus | None = None
    subscription_id: int | None = None
    cadence: Cadence | None = None
    answers: Mapping[str, Any] = MappingProxyType({})
    topics: str = ""
    round: int = 0


_list_columns = (
    MailingList.id,
    MailingList.from_email,
    MailingList.title,
    MailingList.language,
    MailingList.consent_text,
    MailingList.default_cadence,
)
_TARGET = (
    select(
        *_list_columns,
        Subscriber.email,
        Subscriber.email_key,
        Subscriber.language,
        Subscription.status,
        Subscription.id,
        Subscription.cadence,
        Subscription.answers,
        Subscription.topics,
        Subscription.round,
    )
    .join(Subscription, Subscription.list_id == MailingList.id)
    .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
    .order_by(
        (Subscription.status == SubscriptionStatus.ACTIVE).desc(),
        (Subscription.status == SubscriptionStatus.PENDING).desc(),
        Subscription.id,
    )
    .limit(1)
)
_BY_KEY = _TARGET.where(Subscriber.email_key == bindparam("key"))
_BY_HANDLE = _TARGET.where(Subscription.handle == bindparam("handle"))
_ANY_LIST = select(*_list_columns).order_by(MailingList.id).limit(1)
_requests = SubscriptionRequest
_LAST = (
    select(
        _requests.cadence,
        _requests.topics,
        _requests.name,
        _requests.language,
        _requests.answers,
        _requests.agreed,
        _requests.proven,
        func.coalesce(ConsentText.text, "").label("wording"),
    )
    .outerjoin(ConsentText, ConsentText.hash == _requests.wording_hash)
    .where(_requests.subscription_id == bindparam("which"), _requests.number == bindparam("number"))
)


def mail_link_to_address(
    env: Environment, email: object, evidence: Evidence, *, resource: str = ""
) -> None:
    """Mail an address a link to preferences or a `resource`, or its pending confirmation again.

    Strangers get no mail. Whoever asks, the statements of both cases run; those that do not apply
    are rolled back, so that the time says nothing. Raises `InvalidInput`, `NotFound` (no such
    resource), `TooMany`.
    """
    address = parse_address(email)
    _require_resource(resource)
    visit = Visit(ELSEWHERE, evidence.ip, address.key)
    request_limits.require_room(env, visit)
    with transaction() as session:
        request_limits.count_request(env, session, visit)
        target = _find_target(session, address)
        if target is None:  # there is no list
            return
        suppressed = is_suppressed(env, session, address.key)
        pending = target.status == SubscriptionStatus.PENDING and not suppressed
        record_request(
            env, session, _renew_request(session, target, evidence), suppressed=not pending
        )
        entitled = not suppressed and (
            target.status == SubscriptionStatus.ACTIVE
            or (target.status == SubscriptionStatus.UNSUBSCRIBED and not resource)
        )
        _queue(
            env,
            session,
            target,
            RequestedLink.RESOURCE if resource else RequestedLink.ACCOUNT,
            Allowance.LINK,
            resource,
            entitled=entitled,
        )


def _require_resource(name: str) -> None:
    """Raise `NotFound` if `resource` names no resource.

    The visitor's text goes no further than this.
    """
    if name:
        resources.require_resources([name])


def renew_link(env: Environment, purpose: LinkPurpose, token: str, evidence: Evidence) -> None:
    """Mail a new link to the subscriber of an expired one.

    Raises `LinkInvalid`, `NotFound` (a resource that was removed), `TooMany`.
    """
    try:
        payload = env.tokens.open(purpose, token, env.now)
    except LinkExpired as error:
        payload = error.payload
    handle, _, rest = payload.partition(".")
    resource = rest if purpose is LinkPurpose.RESOURCE else ""
    _require_resource(resource)
    links = {
        LinkPurpose.WHY: RequestedLink.STORY,
        LinkPurpose.STORY: RequestedLink.STORY,
        LinkPurpose.EXPORT: RequestedLink.EXPORT,
        LinkPurpose.ERASE: RequestedLink.ERASE,
        LinkPurpose.RESOURCE: RequestedLink.RESOURCE,
    }
    visit = Visit(ELSEWHERE, evidence.ip, email_key="")
    request_limits.require_room(env, visit)
    with transaction() as session:
        request_limits.count_request(env, session, visit)
        target = _find_target_by_handle(session, handle)
        if target is not None:
            # Links to their data were mailed to them alone; all others stand in mails that may
            # have been forwarded.
            allowance = Allowance.OWN if purpose.scope is LinkScope.SUBSCRIBER else Allowance.LINK
            _send(
                env,
                session,
                target,
                links.get(purpose, RequestedLink.ACCOUNT),
                allowance,
                evidence,
                resource,
            )


def mail_link_to_holder(
    env: Environment,
    session: Session,
    subscription: Subscription,
    kind: RequestedLink,
    *,
    private: bool,
) -> None:
    """Mail a link that was requested on a page behind a subscriber's link.

    `private` tells that the page was opened with a link that was mailed to the subscriber alone.
    """
    target = _find_target_by_handle(session, subscription.handle)
    allowance = Allowance.OWN if private else Allowance.LINK
    if target is not None:
        _send(env, session, target, kind, allowance, Evidence(EvidenceSource.LINK), "")


def _send(
    env: Environment,
    session: Session,
    target: Target,
    kind: RequestedLink,
    allowance: Allowance,
    evidence: Evidence,
    resource: str,
) -> None:
    if is_suppressed(env, session, target.email_key):
        return
    if target.status == SubscriptionStatus.PENDING:
        record_request(env, session, _renew_request(session, target, evidence))
        return
    entitled = kind is not RequestedLink.RESOURCE or target.status == SubscriptionStatus.ACTIVE
    _queue(env, session, target, kind, allowance, resource, entitled=entitled)


def _queue(
    env: Environment,
    session: Session,
    target: Target,
    kind: RequestedLink,
    allowance: Allowance,
    resource: str,
    *,
    entitled: bool,
) -> None:
    """Queue a mail with a link if its mailbox's limit allows; roll back if not `entitled`."""
    mailbox = lock_mailbox(env, session, target.email_key)
    context = {"resource": resource} if resource else None
    entitled = entitled and mailbox.allows(allowance, env.now)
    if entitled:
        _write(env, session, target, kind, allowance, mailbox, context)
    with roll_back(session):
        if not entitled:
            _write(env, session, target, kind, allowance, mailbox, context)


def _write(
    env: Environment,
    session: Session,
    target: Target,
    kind: RequestedLink,
    allowance: Allowance,
    mailbox: LockedMailbox,
    context: dict[str, str] | None,
) -> None:
    id_ = outbox.enqueue(
        session,
        mail=kind.mail,
        subscription_id=target.subscription_id,
        now=env.now,
        context=context,
    )
    record_mail(session, mailbox.with_mail(allowance, id_, env.now), env.now)


def _find_target(session: Session, address: Address) -> Target | None:
    """Find the target of an address, with the same queries whether it is known or not."""
    connection = session.connection()
    known = connection.execute(_BY_KEY, {"key": address.key}).one_or_none()
    somewhere = connection.execute(_ANY_LIST).one_or_none()
    if known is not None:
        return Target(*known)
    return Target(*somewhere, address.email, address.key) if somewhere is not None else None


def _find_target_by_handle(session: Session, handle: str) -> Target | None:
    row = session.connection().execute(_BY_HANDLE, {"handle": handle}).one_or_none()
    return Target(*row) if row is not None else None


def _renew_request(session: Session, target: Target, evidence: Evidence) -> SignUpRequest:
    """Build the sign-up request whose confirmation is mailed again.

    It is the latest request, or made from the subscription where there is none.
    """
    last = session.connection().execute(
        _LAST, {"which": target.subscription_id or 0, "number": target.round}
    )
    row = last.one_or_none()
    wording = make_wording(
        consent_text=target.consent_text,
        title=target.title,
        language=target.language or target.list_language,
    )
    request = SignUpRequest(
        list_id=target.list_id,
        sender=target.sender,
        email=target.email,
        email_key=target.email_key,
        cadence=target.cadence or target.default_cadence,
        wording=wording,
        evidence=evidence,
        language=target.language,
        answers=dict(target.answers),
        topics=target.topics,
    )
    if row is None:
        return request
    values = {name: value for name, value in row._mapping.items() if name != "wording" or value}
    return replace(request, **values)
