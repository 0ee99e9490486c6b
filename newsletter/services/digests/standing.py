"""Find the standing of one subscription: the entries it is owed and its next mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import MailingList, Subscription
from newsletter.schedule import find_next_period
from newsletter.services.digests.plan import missed_clause, read_candidates
from newsletter.services.digests.reviews import Review, find_open
from newsletter.services.digests.selection import (
    Candidate,
    DigestDecision,
    SubscriberGroup,
    decide,
    select_owed,
    select_wanted,
)
from newsletter.services.digests.timing import (
    Departure,
    NextDigest,
    find_departure,
    find_next_digest,
    make_wait_rule,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The entries that a subscription wants and is owed, and its next digest's decision.

    `digest` is None for instant mails, which have no schedule. `review` is what the list's author
    says about the next digest, if anything; `departure` heeds it, `owed` and `decision` do not.
    """

    digest: NextDigest | None
    review: Review | None
    departure: Departure
    candidates: tuple[Candidate, ...]
    owed: tuple[Candidate, ...]
    decision: DigestDecision

    @property
    def goes_later(self) -> bool:
        """Tell whether owed entries are missing from the reviewed digest and wait for the next."""
        review = self.review
        if review is None or review.entries is None:
            return False
        known = {*review.entries, *review.left_out}
        return any(entry.id not in known for entry in self.owed)

    def get_latest(self, mailing_list: MailingList) -> datetime:
        """Return the latest time of the digest, however few entries there are."""
        if self.digest is None:
            raise ValueError("instant mails wait for no digest")
        period = self.digest.period
        following = self.digest.following
        while make_wait_rule(mailing_list, following).waits(self.candidates):
            period = following
            following = find_next_period(period.cadence, mailing_list.schedule, period.due_at)
        return period.due_at


def find_standing(session: Session, subscription: Subscription, now: datetime) -> Standing:
    """Return the standing of a subscription, as composing would find it at `now`."""
    mailing_list = subscription.mailing_list
    digest = find_next_digest(session, mailing_list, subscription.cadence, now)
    candidates = read_candidates(
        session, mailing_list.id, after=subscription.cursor, through=mailing_list.entry_seq
    )
    group = SubscriberGroup(
        subscription.cursor, subscription.topics, 1, missed=_read_missed(session, subscription)
    )
    chosen = select_wanted(subscription.topics, candidates)
    rule = make_wait_rule(mailing_list, digest.following if digest else None)
    review = find_open(session, mailing_list.id, subscription.cadence)
    return Standing(
        digest,
        review,
        find_departure(digest, review, now),
        tuple(chosen),
        tuple(select_owed(group, chosen)),
        decide(candidates, [group], rule),
    )


def _read_missed(session: Session, subscription: Subscription) -> str:
    missed = missed_clause(
        session,
        subscription.list_id,
        after=subscription.cursor,
        through=subscription.mailing_list.entry_seq,
    )
    return session.scalar(select(missed).where(Subscription.id == subscription.id)) or ""
