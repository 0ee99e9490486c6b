"""Explain a list's next digests (time, recipients, entries), and the fate of its entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.i18n import Text
from newsletter.models import DigestPeriod, Entry, MailingList, Subscription
from newsletter.services.digests import reviews
from newsletter.services.digests.due import list_cadences
from newsletter.services.digests.entry_outlook import (
    Course,
    EntryOutlook,
    explain_campaigns,
    find_obstacle,
    format_clock,
    list_newest_entries,
)
from newsletter.services.digests.list_problems import list_problems
from newsletter.services.digests.outlook import Outlook
from newsletter.services.digests.plan import make_plan
from newsletter.services.digests.reviews import Review
from newsletter.services.digests.selection import DigestDecision
from newsletter.services.digests.timing import NextDigest, find_departure, find_next_digest
from newsletter.services.digests.wording import (
    count_subscribers,
    format_moment,
    join_words,
    say_corrections,
    say_new,
    say_nothing_new,
)
from newsletter.services.lookup import get_list
from newsletter.services.polling.entry_state import owed_clause
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence, SubscriptionStatus

COUNTED_AT_MOST = 10_000
"""Subscribers of a cadence that a page counts at most, to bound its response time."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A list's next digests; `problems` (no feed, a failing feed) block all of them."""

    list: str
    timezone: str
    outlooks: tuple[Outlook, ...]
    entries: tuple[EntryOutlook, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _CadencePlan:
    """The decision about the next digest of one cadence (`digest` is None for instant mails).

    `unripe` is the decision if no corrections were waited for, `review` what the author says;
    `cut`: not all subscribers were looked at.
    """

    cadence: Cadence
    digest: NextDigest | None
    decision: DigestDecision
    subscribers: int
    unripe: DigestDecision
    review: Review | None
    cut: bool


def explain(env: Environment, slug: str | None = None) -> Explanation:
    """Explain the next digest of each cadence of a list, and the fate of its newest entries.

    Raises `NotFound`, `Refused`.
    """
    with reading() as session:
        mailing_list = get_list(session, slug)
        explainer = _Explainer(env, session, mailing_list, list_cadences(session, mailing_list))
        return Explanation(
            mailing_list.slug,
            mailing_list.timezone,
            tuple(explainer.explain_cadence(plan) for plan in explainer.plans),
            tuple(map(explainer.explain_entry, list_newest_entries(session, mailing_list))),
            list_problems(session, mailing_list),
        )


def explain_cadences(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    cadences: Sequence[Cadence],
    *,
    lists: int = 1,
) -> tuple[Outlook, ...]:
    """Explain the next digests of some cadences for a page, which counts `COUNTED_AT_MOST`.

    `lists`: so many lists share what the page may count.
    """
    share = COUNTED_AT_MOST // lists
    explainer = _Explainer(env, session, mailing_list, cadences, count_at_most=share)
    return tuple(map(explainer.explain_cadence, explainer.plans))


def explain_newest(env: Environment, slug: str) -> dict[int, str]:
    """Map the ids of a list's newest entries to their outlooks."""
    return {entry.id: entry.verdict for entry in explain(env, slug).entries}


class _Explainer:
    """The plans of every cadence of a list, and what they mean for its entries."""

    def __init__(
        self,
        env: Environment,
        session: Session,
        mailing_list: MailingList,
        cadences: Sequence[Cadence],
        *,
        count_at_most: int | None = None,
    ) -> None:
        self.count_at_most = count_at_most
        self.env = env
        self.session = session
        self.list = mailing_list
        self.plans = [self._plan(cadence) for cadence in cadences]

    def _plan(self, cadence: Cadence) -> _CadencePlan:
        digest = find_next_digest(self.session, self.list, cadence, self.env.now)
        following = digest.following if digest else None
        review = reviews.find_open(self.session, self.list.id, cadence)
        plan = make_plan(
            self.env,
            self.session,
            self.list,
            cadence,
            following=following,
            hasty=False,
            review=review,
            count_at_most=self.count_at_most,
        )
        unripe = DigestDecision()
        cut = plan.cut
        is_fixed = review is not None and review.entries is not None
        if plan.through < self.list.entry_seq and not is_fixed:
            hasty = make_plan(
                self.env, self.session, self.list, cadence, count_at_most=self.count_at_most
            )
            unripe = hasty.decision
            cut = cut or hasty.cut
        query = select(func.count()).where(
            Subscription.list_id == self.list.id,
            Subscription.status == SubscriptionStatus.ACTIVE,
            Subscription.cadence == cadence,
        )
        count = self.session.scalar(query) or 0
        return _CadencePlan(cadence, digest, plan.decision, count, unripe, review, cut)

    def explain_cadence(self, plan: _CadencePlan) -> Outlook:
        """Describe the next digest of a cadence, or explain why none goes out."""
        departure = find_departure(plan.digest, plan.review, self.env.now)
        return Outlook(
            plan.cadence,
            departure.at,
            departure.overdue,
            plan.subscribers,
            max(len(plan.decision.entries), plan.decision.few),
            self._explain_review(plan),
            self._describe_last(plan.cadence),
            plan.review,
            plan.cut,
        )

    def _describe_last(self, cadence: Cadence) -> str:
        """Say when the last digest of a cadence was composed, and why."""
        query = (
            select(DigestPeriod)
            .where(DigestPeriod.list_id == self.list.id, DigestPeriod.cadence == cadence)
            .order_by(DigestPeriod.id.desc())
            .limit(1)
        )
        last = self.session.scalars(query).first()
        if last is None:
            return "none yet"
        return f"{format_moment(last.composed_at, self.list.zone)}: {last.why}"

    def _explain_review(self, plan: _CadencePlan) -> Text:
        """Describe the digest that goes out, and its review."""
        verdict = self._explain_decision(plan)
        if plan.review is None:
            return verdict
        if plan.review.held:
            return Text("held until it is released: %(verdict)s", verdict=verdict)
        if plan.review.stopped:
            return Text("reviewed, waits until it is released: %(verdict)s", verdict=verdict)
        return Text("reviewed: %(verdict)s", verdict=verdict)

    def _explain_decision(self, plan: _CadencePlan) -> Text:
        if not plan.subscribers:
            return Text("nothing goes out: nobody has this cadence")
        decision = plan.decision
        if decision.shares:
            return _count_new(decision, plan)
        if decision.waiting:
            least = self.list.digest_min_entries
            return Text("waits: %(few)d of %(least)d entries", few=decision.few, least=least)
        if plan.unripe.shares:
            verdict = _count_new(plan.unripe, plan)
            return say_corrections(self._find_corrections_end(self.list.entry_seq), verdict)
        return say_nothing_new(plan.subscribers)

    def _find_corrections_end(self, through: int) -> str:
        """Return the end of the grace period of the entries up to a number, or "".

        Instant mails keep the order of numbers, so that the last of them decides.
        """
        query = select(func.max(Entry.matures_at)).where(
            Entry.list_id == self.list.id,
            Entry.matures_at > self.env.now,
            Entry.seq <= through,
            owed_clause(),
        )
        moment = self.session.scalar(query)
        return format_clock(self.list, moment) if moment else ""

    def explain_entry(self, entry: Entry) -> EntryOutlook:
        """Describe the fate of an entry, and the campaigns that carried it."""
        course, verdict = self._find_course(entry)
        mailed = explain_campaigns(self.session, entry)
        if mailed and course is Course.NEVER:
            course = Course.SENT
            verdict = mailed
        elif mailed:
            verdict = f"{mailed}; {verdict}"
        return EntryOutlook(entry.id, entry.title, entry.fate, course, verdict)

    def _find_course(self, entry: Entry) -> tuple[Course, str]:
        if obstacle := find_obstacle(entry):
            return obstacle
        counts = {
            plan.cadence: plan.decision.count_recipients(entry.id)
            for plan in self.plans
            if plan.decision.count_recipients(entry.id)
        }
        clauses = []
        if counts:
            parts = join_words([f"{count:,} {cadence}" for cadence, count in counts.items()])
            noun = "subscriber" if sum(counts.values()) == 1 else "subscribers"
            clauses.append(f"goes to {parts} {noun}")
        later = 0
        if Cadence.INSTANT not in counts:
            later = sum(plan.unripe.count_recipients(entry.id) for plan in self.plans)
        if not counts and (left_out := self._find_left_out(entry)):
            clauses.append(left_out)
        if later:
            clock = self._find_corrections_end(entry.seq or 0)
            until = f" until {clock}" if clock else ""
            clauses.append(f"waits for corrections{until}: {count_subscribers(later, 'instant')}")
        if clauses:
            return self._name_course(counts, entry), "; ".join(clauses)
        if any(plan.decision.waiting for plan in self.plans):
            least = self.list.digest_min_entries
            return Course.WAITS, f"waits for more: a digest has at least {least} entries"
        return Course.NEVER, self._explain_nobody()

    def _name_course(self, counts: dict[Cadence, int], entry: Entry) -> Course:
        """Return the course of an entry; an entry in a held digest waits."""
        stopped = {plan.cadence for plan in self.plans if plan.review and plan.review.stopped}
        if counts.keys() - stopped:
            return Course.GOES
        left_out = any(entry.id in plan.review.left_out for plan in self.plans if plan.review)
        return Course.NEVER if left_out and not counts else Course.WAITS

    def _find_left_out(self, entry: Entry) -> str:
        """Name the reviewed digests that leave an entry out, or that precede it."""
        fixed = [plan for plan in self.plans if plan.review and plan.review.entries is not None]
        names = [plan.cadence for plan in fixed if plan.review and entry.id in plan.review.left_out]
        if names:
            return f"left out of the {join_words(names)} digest"
        later = [
            plan.cadence
            for plan in fixed
            if plan.review and plan.subscribers and (entry.seq or 0) > plan.review.through
        ]
        if later:
            return f"waits for the {join_words(later)} digest after the one that is reviewed"
        return ""

    def _explain_nobody(self) -> str:
        """Explain why an entry that is ready goes to nobody."""
        if not any(plan.subscribers for plan in self.plans):
            return "nobody is owed it: the list has no active subscriber"
        return "nobody is owed it: all subscribers joined later, or chose other topics"


def _count_new(decision: DigestDecision, plan: _CadencePlan) -> Text:
    return say_new(len(decision.entries), decision.subscribers, plan.subscribers, cut=plan.cut)
