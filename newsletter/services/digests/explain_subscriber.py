"""Answers the author's "why?" for one reader: what has become of each entry, or will."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import Edition, Entry, MailingList, Subscriber, Subscription
from newsletter.schedule import Period as Moment
from newsletter.schedule import next_period
from newsletter.services.digests.explain_list import (
    LAST,
    Course,
    EntryOutlook,
    find_grace,
    find_obstacle,
)
from newsletter.services.digests.plan import read_candidates, returned_clause, wait_rule
from newsletter.services.digests.selection import (
    Candidate,
    SubscriberGroup,
    decide,
    select_owed,
    select_wanted,
)
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import is_suppressed


def explain_entries(env: Environment, slug: str | None, address: str) -> list[EntryOutlook]:
    """The last entries of a list, and what becomes of each for one reader.

    Raises `NotFound`.
    """
    key = parse_address(address).key
    with reading() as session:
        mailing_list = get_list(session, slug)
        own = (Subscriber.email_key == key, Subscription.list_id == mailing_list.id)
        subscription = session.scalar(select(Subscription).join(Subscriber).where(*own))
        if subscription is None:
            raise NotFound(f"this address does not subscribe to {mailing_list.slug}")
        reader = _Reader(env, session, mailing_list, subscription)
        query = (
            select(Entry)
            .where(Entry.list_id == mailing_list.id)
            .order_by(Entry.id.desc())
            .limit(LAST)
        )
        found = [(entry, *reader.course(entry)) for entry in session.scalars(query)]
        return [
            EntryOutlook(entry.id, entry.title, entry.fate, course, why)
            for entry, course, why in found
        ]


class _Reader:
    """One subscription, and what has been and would be composed for it."""

    def __init__(
        self,
        env: Environment,
        session: Session,
        mailing_list: MailingList,
        subscription: Subscription,
    ) -> None:
        self.env = env
        self.list = mailing_list
        self.subscription = subscription
        self.barred = is_suppressed(env, session, subscription.subscriber.email_key)
        self.mailed = _editions(session, subscription.id)
        cadence = subscription.cadence
        instant = cadence == "instant"
        self.moment = None if instant else next_period(cadence, mailing_list.schedule, env.now)
        following = (
            next_period(cadence, mailing_list.schedule, self.moment.due_at) if self.moment else None
        )
        there = read_candidates(
            session, mailing_list.id, after=subscription.cursor, through=mailing_list.entry_seq
        )
        missed = session.scalar(
            select(
                returned_clause(
                    session,
                    mailing_list.id,
                    after=subscription.cursor,
                    through=mailing_list.entry_seq,
                )
            ).where(Subscription.id == subscription.id)
        )
        group = SubscriberGroup(subscription.cursor, subscription.topics, 1, missed=missed or "")
        self.owed: dict[int, Candidate] = {entry.id: entry for entry in select_owed(group, there)}
        self.wanted = select_owed(group, select_wanted(subscription.topics, there))
        self.decision = decide(there, [group], wait_rule(mailing_list, following))

    def course(self, entry: Entry) -> tuple[Course, str]:
        """What becomes of an entry for this reader."""
        if entry.id in self.mailed and entry.id not in self.owed:
            return "sent", self.mailed[entry.id]
        if self.barred:
            return "never", "the address is suppressed: see `newsletter suppression ls`"
        if self.subscription.status != "active":
            return "never", f"the subscription is {self.subscription.status}"
        if settled := find_obstacle(entry):
            return settled
        if entry.id not in self.owed:
            return "never", self._why_settled(entry)
        return self._ahead(entry)

    def _why_settled(self, entry: Entry) -> str:
        joined = self.subscription.confirmed_at
        if joined and entry.found_at <= joined:
            return "settled: from before she subscribed"
        return "settled: not among the topics she had chosen, or from before she came back"

    def _ahead(self, entry: Entry) -> tuple[Course, str]:
        pause = self.subscription.paused_until
        if entry.id not in self.decision.entries and not self.decision.waiting:
            return "never", "not among the topics she chose"
        if pause and pause > self.env.now:
            return "waits", f"on a break until {pause:%Y-%m-%d}"
        if self.moment is None and (waits := find_grace(self.env, self.list, entry)):
            return waits
        if self.decision.waiting:
            few, wanted = self.decision.few, self.list.digest_min_entries
            return (
                "waits",
                f"for more: {few} of {wanted} entries; goes {self._at(self._latest())} at the latest",
            )
        when = f" {self._at(self.moment)}" if self.moment else ""
        return "goes", f"goes with the next {self.subscription.cadence} digest{when}"

    def _latest(self) -> Moment:
        """The digest that waits no longer, however few there are."""
        cadence = self.subscription.cadence
        moment = self.moment or next_period(cadence, self.list.schedule, self.env.now)
        while True:
            following = next_period(cadence, self.list.schedule, moment.due_at)
            if not wait_rule(self.list, following).waits(self.wanted):
                return moment
            moment = following

    def _at(self, moment: Moment) -> str:
        return f"on {moment.due_at.astimezone(self.list.zone):%a %d %b, %H:%M}"


def _editions(session: Session, subscription_id: int) -> dict[int, str]:
    """What was made for a subscription, by entry: with which campaign, and what became of it."""
    found: dict[int, str] = {}
    for campaign_id, number, status, at in outbox.list_editions(session, subscription_id):
        own = select(Edition.entries).where(
            Edition.campaign_id == campaign_id, Edition.cursor == number
        )
        own = own.where(Edition.language == "")
        words = f"settled: campaign {campaign_id}, {status}" + (f" {at:%Y-%m-%d}" if at else "")
        found.update(dict.fromkeys(session.scalar(own) or [], words))
    return found
