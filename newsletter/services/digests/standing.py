"""Find where one subscriber stands: which entries they are owed, and when the next mail goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import MailingList, Subscription
from newsletter.schedule import next_period
from newsletter.services.digests.plan import missed_clause, read_candidates
from newsletter.services.digests.selection import (
    Candidate,
    DigestDecision,
    SubscriberGroup,
    decide,
    select_owed,
    select_wanted,
)
from newsletter.services.digests.timing import NextDigest, find_next_digest, make_wait_rule


@dataclass(frozen=True, slots=True)
class Standing:
    """The entries that one subscription wants and is owed, and what is decided of them.

    `digest` is None for instant mails, which have no schedule.
    """

    digest: NextDigest | None
    candidates: tuple[Candidate, ...]
    owed: tuple[Candidate, ...]
    decision: DigestDecision

    def find_latest(self, mailing_list: MailingList) -> datetime:
        """Return when the digest goes that waits no longer, however few entries there are."""
        if self.digest is None:
            raise ValueError("instant mails wait for no digest")
        period = self.digest.period
        following = self.digest.following
        while make_wait_rule(mailing_list, following).waits(self.candidates):
            period = following
            following = next_period(period.cadence, mailing_list.schedule, period.due_at)
        return period.due_at


def find_standing(session: Session, subscription: Subscription, now: datetime) -> Standing:
    """Return where a subscription stands, as composing would find it at `now`."""
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
    return Standing(
        digest, tuple(chosen), tuple(select_owed(group, chosen)), decide(candidates, [group], rule)
    )


def _read_missed(session: Session, subscription: Subscription) -> str:
    missed = missed_clause(
        session,
        subscription.list_id,
        after=subscription.cursor,
        through=subscription.mailing_list.entry_seq,
    )
    return session.scalar(select(missed).where(Subscription.id == subscription.id)) or ""
