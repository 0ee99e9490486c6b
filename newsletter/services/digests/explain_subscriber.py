"""Explain to the author, for one subscriber, the past and future of each entry."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import Edition, Entry, MailingList, Subscriber, Subscription
from newsletter.services.audience.mailable import is_paused
from newsletter.services.digests.entry_outlook import (
    Course,
    EntryOutlook,
    find_grace,
    find_obstacle,
    list_newest_entries,
)
from newsletter.services.digests.reviews import Review
from newsletter.services.digests.standing import find_standing
from newsletter.services.digests.wording import format_moment
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import is_suppressed
from newsletter.vocabulary import SubscriptionStatus


def explain_entries(env: Environment, slug: str | None, address: str) -> list[EntryOutlook]:
    """Explain the newest entries of a list for one subscriber.

    Raises `NotFound`.
    """
    key = parse_address(address).key
    with reading() as session:
        mailing_list = get_list(session, slug)
        query = (
            select(Subscription)
            .join(Subscriber)
            .where(Subscriber.email_key == key, Subscription.list_id == mailing_list.id)
        )
        subscription = session.scalar(query)
        if subscription is None:
            raise NotFound(f"this address does not subscribe to {mailing_list.slug}")
        explainer = _SubscriptionExplainer(env, session, mailing_list, subscription)
        return [explainer.explain(entry) for entry in list_newest_entries(session, mailing_list)]


class _SubscriptionExplainer:
    """Explains entries for one subscription, by its past editions and its next digest."""

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
        self.suppressed = is_suppressed(env, session, subscription.subscriber.email_key)
        self.mailed = _explain_editions(session, subscription.id)
        self.standing = find_standing(session, subscription, env.now)
        self.owed = {entry.id for entry in self.standing.owed}

    def explain(self, entry: Entry) -> EntryOutlook:
        """Describe the fate of an entry for this subscriber."""
        course, verdict = self._find_course(entry)
        return EntryOutlook(entry.id, entry.title, entry.fate, course, verdict)

    def _find_course(self, entry: Entry) -> tuple[Course, str]:
        if entry.id in self.mailed and entry.id not in self.owed:
            return Course.SENT, self.mailed[entry.id]
        if self.suppressed:
            return (
                Course.NEVER,
                "the address is suppressed: see `newsletter suppression ls`",
            )
        if self.subscription.status != SubscriptionStatus.ACTIVE:
            return Course.NEVER, f"the subscription is {self.subscription.status}"
        if obstacle := find_obstacle(entry):
            return obstacle
        if entry.id not in self.owed:
            return Course.NEVER, self._explain_settled(entry)
        return self._explain_owed(entry)

    def _explain_settled(self, entry: Entry) -> str:
        joined = self.subscription.confirmed_at
        if joined and entry.found_at <= joined:
            return "settled: from before they subscribed"
        return "settled: not among the topics they had chosen, or from before they came back"

    def _explain_owed(self, entry: Entry) -> tuple[Course, str]:
        pause = self.subscription.paused_until
        decision = self.standing.decision
        digest = self.standing.digest
        if entry.id not in decision.entries and not decision.waiting:
            return Course.NEVER, "not among the topics they chose"
        if pause is not None and is_paused(pause, self.env.now):
            return Course.WAITS, f"on a break until {pause:%Y-%m-%d}"
        if self.standing.review is not None:
            return self._explain_review(self.standing.review, entry)
        if digest is None:
            grace = find_grace(self.env, self.list, entry)
            return grace or (Course.GOES, "goes with the next instant digest")
        if decision.waiting:
            return Course.WAITS, self._describe_wait(decision.few)
        due = format_moment(digest.period.due_at, self.list.zone)
        when = f"now: it was due on {due}" if digest.overdue else f"on {due}"
        return Course.GOES, f"goes with the next {self.subscription.cadence} digest {when}"

    def _describe_wait(self, few: int) -> str:
        """Describe how many entries a digest has and needs, and how long it waits for more."""
        least = self.list.digest_min_entries
        latest = format_moment(self.standing.get_latest(self.list), self.list.zone)
        return f"for more: {few} of {least} entries; goes on {latest} at the latest"

    def _explain_review(self, review: Review, entry: Entry) -> tuple[Course, str]:
        """Describe the fate of an entry while the next digest is reviewed or held."""
        digest = f"the {review.cadence} digest"
        if entry.id in review.left_out:
            return Course.NEVER, f"left out of {digest}"
        if self.standing.goes_later:
            return Course.WAITS, f"for {digest} after the one that is reviewed"
        if review.stopped:
            return Course.WAITS, f"{digest} is held until it is released"
        when = format_moment(review.go_at, self.list.zone) if review.go_at else "soon"
        return Course.GOES, f"{digest} is reviewed, and goes {when}"


def _explain_editions(session: Session, subscription_id: int) -> dict[int, str]:
    """Map the entries of a subscription's past editions to the outcome of their delivery."""
    verdicts: dict[int, str] = {}
    for campaign_id, number, status, settled_at in outbox.list_editions(session, subscription_id):
        query = select(Edition.entries).where(
            Edition.campaign_id == campaign_id, Edition.cursor == number, Edition.language == ""
        )
        verdict = f"settled: campaign {campaign_id}, {status}"
        if settled_at:
            verdict += f" {settled_at:%Y-%m-%d}"
        verdicts.update(dict.fromkeys(session.scalar(query) or [], verdict))
    return verdicts
