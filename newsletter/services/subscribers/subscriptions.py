"""What a reader does with a signed link: confirm, leave, come back.

Nothing is mailed here: what is to be mailed is queued in the same transaction as the change that causes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import LinkInvalid, LinkSpent
from newsletter.models import ConsentEvent, Subscription
from newsletter.schedule import CADENCES
from newsletter.services import counters, suppressions
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.letters import series
from newsletter.services.mailboxes import Allowance, queue_mail
from newsletter.services.runtime import Environment
from newsletter.services.signup import double_opt_in, flood_control
from newsletter.vocabulary import Cadence, SubscriptionStatus

UNDO_FOR = timedelta(days=1)
BREAK = timedelta(days=30)
REASONS = ("often", "other", "never", "done")
"""Why somebody leaves: too many mails; not what she expected; never signed up; no longer needed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription as its owner sees it. `slower`: the cadences she could have instead; `others`: the titles of what
    else she subscribes to; `can_undo`: she has left within a day."""

    list_id: int
    slug: str
    title: str
    status: str
    cadence: str
    cadences: tuple[str, ...]
    language: str
    list_language: str
    slower: tuple[str, ...]
    others: tuple[str, ...]
    can_undo: bool


def look(env: Environment, purpose: str, token: str) -> Standing:
    """Whose link this is, for a page that only shows. Raises `LinkError`."""
    with reading() as session:
        return standing(_opened(env, session, purpose, token), env.now)


def confirm(env: Environment, token: str, evidence: Evidence) -> Standing:
    """Makes a subscription active; again is no error and changes nothing. Raises `LinkError`."""
    with transaction() as session:
        subscription = _opened(env, session, "confirm", token)
        if subscription.status == "pending":
            flood_control.count_confirmed(env, session)
            double_opt_in.accept_request(env, session, subscription, _number(env, token), evidence)
            subscription.cursor = subscription.joined_seq = subscription.mailing_list.entry_seq
            if not series.begin(session, subscription, env.now):
                queue_mail(env, session, subscription, "welcome", Allowance.OWN)
            double_opt_in.ask_for_others(env, session, subscription.subscriber)
        return standing(subscription, env.now)


def unsubscribe(env: Environment, token: str, evidence: Evidence) -> Standing:
    """Ends a subscription, at once and for good; again is no error. Raises `LinkError`."""
    with transaction() as session:
        subscription = _opened(env, session, "unsubscribe", token)
        leave(env, session, subscription, evidence)
        return standing(subscription, env.now)


def leave(env: Environment, session: Session, subscription: Subscription, evidence: Evidence) -> None:
    """Mark a subscription as ended and queue one goodbye; for those who never confirmed, silence. Its mailbox gets no
    more goodbyes than it may get mails by links a day, but for those that the author causes."""
    if subscription.status == "unsubscribed":
        return
    was_active, now = subscription.status == "active", env.now
    subscription.status, subscription.unsubscribed_at = SubscriptionStatus.UNSUBSCRIBED, now
    double_opt_in.drop_requests(session, subscription)
    note_consent(session, subscription.id, "unsubscribed", evidence, now)
    if not was_active:
        return
    if evidence.source == "author":
        outbox.enqueue(session, mail="goodbye", subscription_id=subscription.id, now=now)
    else:
        queue_mail(env, session, subscription, "goodbye", Allowance.LINK)


def undo(env: Environment, token: str, evidence: Evidence, *, cadence: str = "", break_: bool = False) -> Standing:
    """Takes an unsubscription back, for a day and for whoever was active before it; at a slower `cadence`, or after a
    `break_` of a month, where that is what was meant. Raises `LinkError`."""
    with transaction() as session:
        subscription = _opened(env, session, "unsubscribe", token)
        counters.count_change(env, session, subscription.id)
        if _can_undo(subscription, env.now):
            if suppressions.suppressed(env, session, subscription.subscriber.email_key):
                raise LinkInvalid
            resume(session, subscription, "resubscribed", evidence, env.now)
            if cadence in slower(subscription):
                subscription.cadence = Cadence(cadence)
            subscription.paused_until = env.now + BREAK if break_ else None
        return standing(subscription, env.now)


def _can_undo(subscription: Subscription, now: datetime) -> bool:
    """An unsubscribe link works for ever, and may lie in a forwarded mail: it brings nobody back after a day."""
    left = subscription.unsubscribed_at
    known = subscription.status == "unsubscribed" and subscription.confirmed_at is not None
    return known and left is not None and now - left <= UNDO_FOR


def slower(subscription: Subscription) -> tuple[Cadence, ...]:
    """Return the cadences of its list that are slower than a subscription's own."""
    later = CADENCES[CADENCES.index(subscription.cadence) + 1 :]
    return tuple(cadence for cadence in later if cadence in subscription.mailing_list.cadences)


def resume(session: Session, subscription: Subscription, kind: str, evidence: Evidence, now: datetime) -> bool:
    """Makes a subscription active on its reader's word; she is owed what comes from now on. Begins the list's
    series for a new reader, or goes on with it. Returns whether its welcome letter was queued."""
    subscription.status, subscription.unsubscribed_at, subscription.paused_until = SubscriptionStatus.ACTIVE, None, None
    subscription.confirmed_at = subscription.confirmed_at or now
    subscription.cursor = subscription.joined_seq = subscription.mailing_list.entry_seq
    note_consent(session, subscription.id, kind, evidence, now)
    if kind == "confirmed" and subscription.series_at is None:
        return series.begin(session, subscription, now)
    subscription.series_due_at = now if subscription.series_at else None
    return False


def leave_all(env: Environment, token: str, evidence: Evidence) -> Standing:
    """Ends every subscription of the reader. Raises `LinkError`."""
    with transaction() as session:
        subscription = _opened(env, session, "unsubscribe", token)
        for each in subscription.subscriber.subscriptions:
            leave(env, session, each, evidence)
        return standing(subscription, env.now)


def give_reason(env: Environment, token: str, reason: str, evidence: Evidence) -> Standing:
    """Notes why she left, in one of the words of `REASONS`, once. Raises `LinkError`."""
    with transaction() as session:
        subscription = _opened(env, session, "unsubscribe", token)
        left = subscription.unsubscribed_at
        if reason in REASONS and subscription.status == "unsubscribed" and left is not None:
            said = exists().where(
                ConsentEvent.subscription_id == subscription.id, ConsentEvent.kind == "reason", ConsentEvent.at >= left
            )
            if not session.scalar(select(said)):
                note_consent(session, subscription.id, "reason", replace(evidence, note=reason), env.now)
        return standing(subscription, env.now)


def _opened(env: Environment, session: Session, purpose: str, token: str) -> Subscription:
    """The subscription a token names. A confirmation counts for the request it was mailed for, no later one (T04)."""
    payload = env.tokens.open(purpose, token, env.now)  # type: ignore[arg-type]
    handle, _, number = payload.partition(".")
    double_opt_in.lock_owner(session, handle)
    found: Subscription | None = session.scalar(
        select(Subscription).where(Subscription.handle == handle).with_for_update()
    )
    if found is None:
        raise LinkInvalid
    if purpose == "confirm" and (
        found.status == "unsubscribed" or not double_opt_in.is_current(session, found, number)
    ):
        raise LinkSpent(found.mailing_list.slug)
    return found


def _number(env: Environment, token: str) -> int:
    """Read the number of the request that a confirmation's token names."""
    return int(env.tokens.open("confirm", token, env.now).partition(".")[2])


def standing(subscription: Subscription, now: datetime) -> Standing:
    """A subscription as its owner sees it."""
    mailing_list = subscription.mailing_list
    return Standing(
        list_id=mailing_list.id,
        slug=mailing_list.slug,
        title=mailing_list.title,
        status=subscription.status,
        cadence=subscription.cadence,
        cadences=tuple(mailing_list.cadences),
        language=subscription.subscriber.language,
        list_language=mailing_list.language,
        slower=slower(subscription),
        others=tuple(
            each.mailing_list.title
            for each in subscription.subscriber.subscriptions
            if each.status == "active" and each.id != subscription.id
        ),
        can_undo=_can_undo(subscription, now),
    )
