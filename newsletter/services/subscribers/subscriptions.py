"""What a reader does with a signed link: confirm, leave, come back.

Nothing is mailed here: what is to be mailed is queued in the same transaction as the change that
causes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import LinkInvalid, LinkSpent
from newsletter.link_purposes import LinkPurpose
from newsletter.models import ConsentEvent, Subscription
from newsletter.schedule import CADENCES
from newsletter.services import counters, suppressions
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.letters import series
from newsletter.services.link_holders import find_retired, find_subscription
from newsletter.services.mailboxes import Allowance, queue_mail
from newsletter.services.runtime import Environment
from newsletter.services.signup import double_opt_in, flood_control
from newsletter.vocabulary import Cadence, MailKind, SubscriptionStatus

UNDO_FOR = timedelta(days=1)
BREAK = timedelta(days=30)
REASONS = ("often", "other", "never", "done")
"""Why somebody leaves: too many mails; not what she expected; never signed up; no longer needed."""


@dataclass(frozen=True, slots=True)
class LinkedSubscription:
    """A subscription as the holder of a link to it may see it.

    `slower` are the cadences it could have instead; `can_undo`: it was ended within a day.
    `retired`: the link lies in a mailbox that its subscriber has left, and the page says nothing of
    how the subscription stands.
    """

    list_id: int
    slug: str
    title: str
    status: str
    cadence: str
    cadences: tuple[str, ...]
    language: str
    list_language: str
    slower: tuple[str, ...]
    can_undo: bool
    retired: bool = False


def get_subscription(env: Environment, token: str) -> LinkedSubscription:
    """Return what a link to unsubscribe is about.

    Raises `LinkError`.
    """
    with reading() as session:
        left_behind = find_retired(env, session, LinkPurpose.UNSUBSCRIBE, token)
        if left_behind:
            return _retired_standing(left_behind[0])
        return describe_subscription(_opened(env, session, token), env.now)


def get_request(env: Environment, token: str) -> LinkedSubscription:
    """Return what a link asks to confirm.

    Raises `LinkError`.
    """
    with reading() as session:
        return describe_subscription(_requested(env, session, token)[0], env.now)


def confirm(env: Environment, token: str, evidence: Evidence) -> LinkedSubscription:
    """Make a subscription active; again is no error and changes nothing.

    Raises `LinkError`.
    """
    with transaction() as session:
        subscription, number = _requested(env, session, token)
        if subscription.status == "pending":
            flood_control.count_confirmed(env, session)
            double_opt_in.accept_request(env, session, subscription, number, evidence)
            subscription.cursor = subscription.joined_seq = subscription.mailing_list.entry_seq
            if not series.begin_series(session, subscription, env.now):
                queue_mail(env, session, subscription, MailKind.WELCOME, Allowance.OWN)
            double_opt_in.release_mailbox(env, session, subscription.subscriber)
        return describe_subscription(subscription, env.now)


def unsubscribe(env: Environment, token: str, evidence: Evidence) -> LinkedSubscription:
    """End a subscription, at once and for good; again is no error.

    Raises `LinkError`.

    A link from a mail to an address that its subscriber has left ends the subscription as well, and
    shows nothing.
    """
    with transaction() as session:
        left_behind = find_retired(env, session, LinkPurpose.UNSUBSCRIBE, token, lock=True)
        subscription = left_behind[0] if left_behind else _opened(env, session, token)
        leave(env, session, subscription, evidence)
        return (
            _retired_standing(subscription)
            if left_behind
            else describe_subscription(subscription, env.now)
        )


def leave(
    env: Environment, session: Session, subscription: Subscription, evidence: Evidence
) -> None:
    """Mark a subscription as ended and queue one goodbye; for those who never confirmed, silence.

    Its mailbox gets no more goodbyes than it may get mails by links a day, but for those that the
    author causes.
    """
    if subscription.status == "unsubscribed":
        return
    was_active, now = subscription.status == "active", env.now
    subscription.status, subscription.unsubscribed_at = SubscriptionStatus.UNSUBSCRIBED, now
    double_opt_in.drop_requests(session, subscription)
    note_consent(session, subscription.id, "unsubscribed", evidence, now)
    if not was_active:
        return
    if evidence.source == "author":
        outbox.enqueue(session, mail=MailKind.GOODBYE, subscription_id=subscription.id, now=now)
    else:
        queue_mail(env, session, subscription, MailKind.GOODBYE, Allowance.LINK)


def undo_unsubscribe(
    env: Environment, token: str, evidence: Evidence, *, cadence: str = "", break_: bool = False
) -> LinkedSubscription:
    """Take an unsubscription back, for a day and for whoever was active before it; at a slower
    `cadence`, or after a `break_` of a month, where that is what was meant. Raises `LinkError`.
    """
    with transaction() as session:
        subscription = _opened(env, session, token)
        counters.count_change(env, session, subscription.id)
        if _can_undo(subscription, env.now):
            if suppressions.is_suppressed(env, session, subscription.subscriber.email_key):
                raise LinkInvalid
            resume(session, subscription, "resubscribed", evidence, env.now)
            if cadence in slower_cadences(subscription):
                subscription.cadence = Cadence(cadence)
            subscription.paused_until = env.now + BREAK if break_ else None
        return describe_subscription(subscription, env.now)


def _can_undo(subscription: Subscription, now: datetime) -> bool:
    """An unsubscribe link works for ever, and may lie in a forwarded mail: it brings nobody back
    after a day.
    """
    left = subscription.unsubscribed_at
    known = subscription.status == "unsubscribed" and subscription.confirmed_at is not None
    return known and left is not None and now - left <= UNDO_FOR


def slower_cadences(subscription: Subscription) -> tuple[Cadence, ...]:
    """Return the cadences of its list that are slower than a subscription's own."""
    later = CADENCES[CADENCES.index(subscription.cadence) + 1 :]
    return tuple(cadence for cadence in later if cadence in subscription.mailing_list.cadences)


def resume(
    session: Session, subscription: Subscription, kind: str, evidence: Evidence, now: datetime
) -> bool:
    """Make a subscription active on its reader's word; she is owed what comes from now on.

    Begins the list's series for a new reader, or goes on with it. Returns whether its welcome
    letter was queued.
    """
    subscription.status, subscription.unsubscribed_at, subscription.paused_until = (
        SubscriptionStatus.ACTIVE,
        None,
        None,
    )
    subscription.confirmed_at = subscription.confirmed_at or now
    subscription.cursor = subscription.joined_seq = subscription.mailing_list.entry_seq
    note_consent(session, subscription.id, kind, evidence, now)
    if kind == "confirmed" and subscription.series_at is None:
        return series.begin_series(session, subscription, now)
    subscription.series_due_at = now if subscription.series_at else None
    return False


def give_reason(
    env: Environment, token: str, reason: str, evidence: Evidence
) -> LinkedSubscription:
    """Note why she left, in one of the words of `REASONS`, once.

    Raises `LinkError`.
    """
    with transaction() as session:
        subscription = _opened(env, session, token)
        left = subscription.unsubscribed_at
        if reason in REASONS and subscription.status == "unsubscribed" and left is not None:
            said = exists().where(
                ConsentEvent.subscription_id == subscription.id,
                ConsentEvent.kind == "reason",
                ConsentEvent.at >= left,
            )
            if not session.scalar(select(said)):
                note_consent(
                    session, subscription.id, "reason", replace(evidence, note=reason), env.now
                )
        return describe_subscription(subscription, env.now)


def _opened(env: Environment, session: Session, token: str) -> Subscription:
    """Find the subscription of a link to unsubscribe."""
    return find_subscription(env, session, LinkPurpose.UNSUBSCRIBE, token, lock=True)[0]


def _requested(env: Environment, session: Session, token: str) -> tuple[Subscription, int]:
    """Find the subscription of a confirmation, and the number of the request it was mailed for
    (T04).
    """
    subscription, number = find_subscription(env, session, LinkPurpose.CONFIRM, token, lock=True)
    if subscription.status == "unsubscribed" or not double_opt_in.is_current(
        session, subscription, number
    ):
        raise LinkSpent(subscription.mailing_list.slug)
    return subscription, int(number)


def describe_subscription(subscription: Subscription, now: datetime) -> LinkedSubscription:
    """Describe a subscription to the holder of a link to it."""
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
        slower=slower_cadences(subscription),
        can_undo=_can_undo(subscription, now),
    )


def _retired_standing(subscription: Subscription) -> LinkedSubscription:
    """Describe a subscription to an old mailbox: only the list, which each of its mails named."""
    mailing_list = subscription.mailing_list
    return LinkedSubscription(
        list_id=mailing_list.id,
        slug=mailing_list.slug,
        title=mailing_list.title,
        status="",
        cadence="",
        cadences=(),
        language="",
        list_language=mailing_list.language,
        slower=(),
        can_undo=False,
        retired=True,
    )
