"""Explain to subscribers why they get mail: origin, consent, mails sent, what comes next.

Mails are forwarded, so the link in a mail tells of that mail's own subscription, and no more than
its subscriber would tell a friend: the masked address, the month, the page of the form. The words
agreed to, times, mails, name and other lists need a link that was mailed on request, to the
subscriber alone, and is good for a day.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from newsletter import outbox
from newsletter.addresses import mask
from newsletter.db.session import reading, transaction
from newsletter.errors import LinkInvalid
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Campaign, ConsentEvent, Subscription
from newsletter.services import request_limits
from newsletter.services.audience.mailable import is_paused
from newsletter.services.digests.standing import find_standing
from newsletter.services.digests.timing import Departure
from newsletter.services.link_holders import open_subscriber, open_subscription
from newsletter.services.list_look import describe_look
from newsletter.services.runtime import Environment
from newsletter.services.signup import confirmations
from newsletter.services.subscribers import link_requests
from newsletter.services.subscribers.requested_link import RequestedLink
from newsletter.services.subscribers.story_view import (
    Beginning,
    ListStory,
    Story,
    StoryEvent,
    StoryMail,
    Upcoming,
)
from newsletter.services.suppressions import is_suppressed
from newsletter.vocabulary import ConsentKind, DeliveryStatus, EvidenceSource, SubscriptionStatus

SHOWN_AT_MOST = 100
"""The latest events and mails of each list that are shown; the data export has all of them."""
_BEGINNINGS = {
    ConsentKind.REQUESTED: Beginning.FORM,
    ConsentKind.ADDED: Beginning.ADDED,
    ConsentKind.IMPORTED: Beginning.IMPORTED,
}
_NOTED = {ConsentKind.ADDED, ConsentKind.IMPORTED}
"""Kinds of evidence whose note is the author's reason."""
_TOLD = (DeliveryStatus.SENT, DeliveryStatus.IN_DOUBT, DeliveryStatus.FAILED)


def get_story(env: Environment, token: str) -> Story:
    """Return the story of a link's subscription, or of all if the link was mailed on request.

    Raises `LinkError`.
    """
    with reading() as session:
        subscription, private = _open_link(env, session, token)
        return _describe(env, session, subscription, private=private)


def mail_story(env: Environment, token: str) -> Story:
    """Mail the subscriber a link to the story of all their subscriptions.

    Raises `LinkError`, `TooMany`.
    """
    with transaction() as session:
        subscription, private = _open_link(env, session, token)
        confirmations.lock_owner(session, subscription.handle)
        request_limits.count_change(env, session, subscription.id)
        link_requests.mail_link_to_holder(
            env, session, subscription, RequestedLink.STORY, private=private
        )
        return _describe(env, session, subscription, private=private)


def _open_link(env: Environment, session: Session, token: str) -> tuple[Subscription, bool]:
    """Return the subscription of a link, and whether it was mailed to the subscriber alone."""
    private = False
    try:
        subscription, _ = open_subscription(env, session, LinkPurpose.WHY, token)
    except LinkInvalid:
        _, subscription, _ = open_subscriber(env, session, LinkPurpose.STORY, token)
        private = True
    if is_suppressed(env, session, subscription.subscriber.email_key):
        raise LinkInvalid
    return subscription, private


def _describe(
    env: Environment, session: Session, subscription: Subscription, *, private: bool
) -> Story:
    subscriber = subscription.subscriber
    subscriptions = subscriber.subscriptions if private else [subscription]
    stories = [_describe_subscription(env, session, row) for row in subscriptions]
    if private:
        stories = [
            _add_ledger(session, row, story)
            for row, story in zip(subscriptions, stories, strict=True)
        ]
    return Story(
        masked=mask(subscriber.email),
        name=subscriber.name if private else "",
        language=subscriber.language,
        list_language=subscription.mailing_list.language,
        look=describe_look(subscription.mailing_list),
        private=private,
        lists=tuple(stories),
    )


def _describe_subscription(
    env: Environment, session: Session, subscription: Subscription
) -> ListStory:
    """Describe a subscription with what a forwarded mail's holder may see."""
    mailing_list = subscription.mailing_list
    active = subscription.status is SubscriptionStatus.ACTIVE
    paused = active and is_paused(subscription.paused_until, env.now)
    beginning, page = _find_beginning(session, subscription)
    if not subscription.confirmed_at and not _is_known_page(env, subscription, page):
        page = ""  # whoever typed somebody else's address may have made it up
    links = env.links
    return ListStory(
        slug=mailing_list.slug,
        title=mailing_list.title,
        language=mailing_list.language,
        timezone=mailing_list.timezone,
        status=subscription.status,
        beginning=beginning,
        page=page,
        since=_convert_to_local(subscription.confirmed_at, subscription),
        ended_at=_convert_to_local(subscription.unsubscribed_at, subscription)
        if not active
        else None,
        cadence=subscription.cadence,
        paused_until=subscription.paused_until if paused else None,
        upcoming=_look_ahead(env, session, subscription) if active and not paused else None,
        preferences_url=links.preferences(subscription.handle, env.now) if active else "",
        unsubscribe_url=links.unsubscribe(subscription.handle, env.now) if active else "",
    )


def _find_beginning(session: Session, subscription: Subscription) -> tuple[Beginning, str]:
    """Return the origin of a subscription, and the page of the form.

    It is told by the last evidence of a beginning before the subscription was confirmed.
    """
    query = select(ConsentEvent).where(ConsentEvent.subscription_id == subscription.id)
    if subscription.confirmed_at:
        query = query.where(ConsentEvent.at <= subscription.confirmed_at)
    joined = (ConsentEvent.kind == ConsentKind.CONFIRMED) & (
        ConsentEvent.source == EvidenceSource.PREFERENCES
    )
    event = session.scalars(
        query.where(ConsentEvent.kind.in_(_BEGINNINGS) | joined)
        .order_by(ConsentEvent.id.desc())
        .limit(1)
    ).first()
    if event is None:
        return Beginning.UNKNOWN, ""
    beginning = _BEGINNINGS.get(event.kind, Beginning.JOINED)
    return beginning, event.page if beginning is Beginning.FORM else ""


def _is_known_page(env: Environment, subscription: Subscription, page: str) -> bool:
    """Tell whether a page belongs to this program or to the author's site."""
    hosts = {
        urlsplit(url).hostname
        for url in (env.settings.base_url, subscription.mailing_list.site_url)
        if url
    }
    return urlsplit(page).hostname in hosts


def _look_ahead(env: Environment, session: Session, subscription: Subscription) -> Upcoming:
    standing = find_standing(session, subscription, env.now)
    mailing_list = subscription.mailing_list
    departure = standing.departure
    if standing.goes_later:  # what is reviewed goes to others, this subscriber's mail after it
        following = standing.digest.following.due_at if standing.digest else None
        departure = Departure(following, overdue=False, stopped=False)
    review = standing.review
    is_fixed = review is not None and review.entries is not None
    waits = standing.digest is not None and not is_fixed and bool(standing.decision.waiting)
    latest = standing.get_latest(mailing_list) if waits else None
    left_out = review.left_out if review is not None else frozenset()
    return Upcoming(
        due_at=None if departure.stopped else _convert_to_local(departure.at, subscription),
        overdue=departure.overdue,
        held=departure.stopped,
        waiting=sum(entry.id not in left_out for entry in standing.owed),
        needed=mailing_list.digest_min_entries if waits else 0,
        latest_at=_convert_to_local(latest, subscription),
        letter_at=_convert_to_local(subscription.series_due_at, subscription),
    )


def _convert_to_local(moment: datetime | None, subscription: Subscription) -> datetime | None:
    return moment.astimezone(subscription.mailing_list.zone) if moment else None


def _add_ledger(session: Session, subscription: Subscription, story: ListStory) -> ListStory:
    """Add the data that only the subscriber may see: evidence and mails."""
    noted = (
        select(ConsentEvent)
        .options(joinedload(ConsentEvent.wording))
        .where(ConsentEvent.subscription_id == subscription.id)
        .order_by(ConsentEvent.id.desc())
        .limit(SHOWN_AT_MOST)
    )
    events = session.scalars(noted).all()
    rows = outbox.list_latest(session, subscription.id, limit=SHOWN_AT_MOST)
    campaigns = {row.campaign_id for row in rows if row.campaign_id}
    query = select(Campaign.id, Campaign.subject).where(Campaign.id.in_(campaigns))
    subjects = {row.id: row.subject for row in session.execute(query)}
    return replace(
        story,
        events=tuple(_describe_event(event, subscription) for event in events),
        mails=tuple(
            StoryMail(
                _convert_to_local(row.finished_at, subscription),
                row.mail,
                subjects.get(row.campaign_id or 0, ""),
                row.status,
            )
            for row in rows
            if row.status in _TOLD
        ),
        cut=SHOWN_AT_MOST in (len(events), len(rows)),
    )


def _describe_event(event: ConsentEvent, subscription: Subscription) -> StoryEvent:
    words = event.wording.text if event.wording else ""
    if not words and event.kind in _NOTED:
        words = event.note
    moment = event.at.astimezone(subscription.mailing_list.zone)
    return StoryEvent(moment, event.kind, event.source, event.page, words)
