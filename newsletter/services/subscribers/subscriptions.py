"""Confirm, end and resume a subscription with a signed link from a mail.

Nothing is mailed here: the mail that a change causes is queued in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import LinkInvalid, LinkSpent
from newsletter.i18n import Text
from newsletter.link_purposes import LinkPurpose
from newsletter.models import ConsentEvent, Subscription
from newsletter.schedule import CADENCES
from newsletter.services import counting, request_limits, subscription_state, suppressions
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.letters import series_progress
from newsletter.services.link_holders import find_retired, open_subscription
from newsletter.services.list_look import ListLook, describe_look
from newsletter.services.mailbox_limits import Allowance, queue_mail
from newsletter.services.runtime import Environment
from newsletter.services.signup import confirmation_gate, confirmations
from newsletter.vocabulary import Cadence, ConsentKind, EvidenceSource, MailKind, SubscriptionStatus

UNDO_FOR = timedelta(days=1)
"""Time in which an unsubscription can be undone; the link may be in a forwarded mail."""
PAUSE = timedelta(days=30)
"""Length of the pause that the unsubscribe page offers instead."""
REASON_WORDS = {
    "often": Text("Too many mails"),
    "other": Text("Not what I expected"),
    "done": Text("I no longer need it"),
    "never": Text("I never signed up"),
}
REASONS = tuple(REASON_WORDS)
"""Codes of reasons for leaving: too many mails; other content than expected; never signed up; no
longer needed.
"""


@dataclass(frozen=True, slots=True)
class LinkedSubscription:
    """A subscription as the holder of its link may see it.

    `slower` are the cadences it could have instead; `can_undo` tells that it ended within a day;
    `retired` that the link lies in a mailbox that its subscriber has left: then the page says
    nothing of the subscription's state, and `status` is None.
    """

    list_id: int
    slug: str
    title: str
    status: SubscriptionStatus | None
    cadence: Cadence | None
    cadences: tuple[Cadence, ...]
    language: str
    list_language: str
    slower: tuple[Cadence, ...]
    can_undo: bool
    look: ListLook
    retired: bool = False


def get_subscription(env: Environment, token: str) -> LinkedSubscription:
    """Return the subscription of an unsubscribe link.

    Raises `LinkError`.
    """
    with reading() as session:
        retired = find_retired(env, session, LinkPurpose.UNSUBSCRIBE, token)
        if retired:
            return _describe_retired(retired[0])
        return describe_subscription(_open_unsubscribe(env, session, token), env.now)


def get_request(env: Environment, token: str) -> LinkedSubscription:
    """Return the subscription of a confirmation link.

    Raises `LinkError`.
    """
    with reading() as session:
        subscription, number = _open_confirm(env, session, token)
        view = describe_subscription(subscription, env.now)
        request = confirmations.find_request(session, subscription.id, number)
        waits = request is not None and subscription.status is SubscriptionStatus.PENDING
        return replace(view, cadence=request.cadence) if request and waits else view


def confirm(env: Environment, token: str, evidence: Evidence) -> LinkedSubscription:
    """Confirm a subscription; idempotent.

    Raises `LinkError`.
    """
    with transaction() as session:
        subscription, number = _open_confirm(env, session, token)
        if subscription.status is SubscriptionStatus.PENDING:
            confirmation_gate.count_confirmed(env, session)
            confirmations.accept_request(env, session, subscription, number, evidence)
            if not series_progress.begin_series(session, subscription, env.now):
                queue_mail(env, session, subscription, MailKind.WELCOME, Allowance.OWN)
            confirmations.release_mailbox(env, session, subscription.subscriber)
        return describe_subscription(subscription, env.now)


def unsubscribe(env: Environment, token: str, evidence: Evidence) -> LinkedSubscription:
    """Unsubscribe immediately; idempotent.

    A link from a mail to an address that its subscriber has left ends the subscription too, and
    shows nothing. Raises `LinkError`.
    """
    with transaction() as session:
        retired = find_retired(env, session, LinkPurpose.UNSUBSCRIBE, token, lock=True)
        subscription = retired[0] if retired else _open_unsubscribe(env, session, token)
        leave(env, session, subscription, evidence)
        if retired:
            return _describe_retired(subscription)
        return describe_subscription(subscription, env.now)


def leave(
    env: Environment, session: Session, subscription: Subscription, evidence: Evidence
) -> None:
    """End a subscription at its subscriber's request, and queue a goodbye if it was active.

    Goodbyes caused by links count against the allowance of links of the mailbox; those that the
    author causes do not.
    """
    was_active = subscription_state.end_subscription(
        session, subscription, ConsentKind.UNSUBSCRIBED, evidence, env.now
    )
    if not was_active:
        return
    if evidence.source is EvidenceSource.AUTHOR:
        outbox.enqueue(session, mail=MailKind.GOODBYE, subscription_id=subscription.id, now=env.now)
    else:
        queue_mail(env, session, subscription, MailKind.GOODBYE, Allowance.LINK)


def undo_unsubscribe(
    env: Environment,
    token: str,
    evidence: Evidence,
    *,
    cadence: Cadence | None = None,
    pause: bool = False,
) -> LinkedSubscription:
    """Undo an unsubscription within a day, if the subscription was active before it.

    With a slower `cadence` the subscription gets that one, with `pause` it rests for a month.
    Raises `LinkError`.
    """
    with transaction() as session:
        subscription = _open_unsubscribe(env, session, token)
        request_limits.count_change(env, session, subscription.id)
        if _can_undo(subscription, env.now):
            if suppressions.is_suppressed(env, session, subscription.subscriber.email_key):
                raise LinkInvalid
            resume(session, subscription, ConsentKind.RESUBSCRIBED, evidence, env.now)
            if cadence is not None and cadence in list_slower_cadences(subscription):
                subscription_state.change_cadence(session, subscription, cadence, evidence, env.now)
            if pause:
                subscription.paused_until = env.now + PAUSE
                subscription_state.record_change(session, subscription, "pause", evidence, env.now)
        return describe_subscription(subscription, env.now)


def _can_undo(subscription: Subscription, now: datetime) -> bool:
    """Tell whether an unsubscription can be undone.

    The link works for ever and may lie in a forwarded mail: after a day it resumes nothing.
    """
    left_at = subscription.unsubscribed_at
    ended = subscription.status is SubscriptionStatus.UNSUBSCRIBED
    was_active = subscription.confirmed_at is not None
    return ended and was_active and left_at is not None and now - left_at <= UNDO_FOR


def list_slower_cadences(subscription: Subscription) -> tuple[Cadence, ...]:
    """List the cadences of a list that are slower than a subscription's own."""
    later = CADENCES[CADENCES.index(subscription.cadence) + 1 :]
    return tuple(cadence for cadence in later if cadence in subscription.mailing_list.cadences)


def resume(
    session: Session,
    subscription: Subscription,
    kind: ConsentKind,
    evidence: Evidence,
    now: datetime,
) -> bool:
    """Activate a subscription at its subscriber's request, and begin or continue the series.

    Return whether the welcome letter of a series was queued.
    """
    subscription_state.activate(session, subscription, kind, evidence, now)
    if kind is ConsentKind.CONFIRMED and subscription.series_at is None:
        return series_progress.begin_series(session, subscription, now)
    subscription.series_due_at = now if subscription.series_at else None
    return False


def give_reason(
    env: Environment, token: str, reason: str, evidence: Evidence
) -> LinkedSubscription:
    """Record once the reason for leaving, one of the codes in `REASONS`.

    Raises `LinkError`.
    """
    with transaction() as session:
        subscription = _open_unsubscribe(env, session, token)
        left_at = subscription.unsubscribed_at
        ended = subscription.status is SubscriptionStatus.UNSUBSCRIBED
        if reason in REASONS and ended and left_at is not None:
            noted = exists().where(
                ConsentEvent.subscription_id == subscription.id,
                ConsentEvent.kind == ConsentKind.REASON,
                ConsentEvent.at >= left_at,
            )
            if not session.scalar(select(noted)):
                evidence = replace(evidence, note=reason)
                note_consent(session, subscription.id, ConsentKind.REASON, evidence, env.now)
                counting.count_reason(session, subscription, reason, env.now)
        return describe_subscription(subscription, env.now)


def _open_unsubscribe(env: Environment, session: Session, token: str) -> Subscription:
    """Open an unsubscribe link, and return its subscription."""
    return open_subscription(env, session, LinkPurpose.UNSUBSCRIBE, token, lock=True)[0]


def _open_confirm(env: Environment, session: Session, token: str) -> tuple[Subscription, int]:
    """Open a confirmation link; return its subscription and the number of its request (T04)."""
    subscription, number = open_subscription(env, session, LinkPurpose.CONFIRM, token, lock=True)
    ended = subscription.status is SubscriptionStatus.UNSUBSCRIBED
    if ended or not confirmations.is_current(session, subscription, number):
        raise LinkSpent(subscription.mailing_list.slug)
    return subscription, int(number)


def describe_subscription(subscription: Subscription, now: datetime) -> LinkedSubscription:
    """Describe a subscription for the holder of its link."""
    mailing_list = subscription.mailing_list
    return LinkedSubscription(
        list_id=mailing_list.id,
        slug=mailing_list.slug,
        title=mailing_list.title,
        status=subscription.status,
        cadence=subscription.cadence,
        cadences=tuple(mailing_list.cadences),
        language=subscription.subscriber.language,
        list_language=mailing_list.language,
        slower=list_slower_cadences(subscription),
        can_undo=_can_undo(subscription, now),
        look=describe_look(mailing_list),
    )


def _describe_retired(subscription: Subscription) -> LinkedSubscription:
    """Describe a subscription for a retired link, by its list alone."""
    mailing_list = subscription.mailing_list
    return LinkedSubscription(
        list_id=mailing_list.id,
        slug=mailing_list.slug,
        title=mailing_list.title,
        status=None,
        cadence=None,
        cadences=(),
        language="",
        list_language=mailing_list.language,
        slower=(),
        can_undo=False,
        look=describe_look(mailing_list),
        retired=True,
    )
