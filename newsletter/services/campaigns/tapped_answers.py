"""Count answers to a letter's one-tap questions; the last of each subscriber counts.

Whose an answer was is known for as long as its link works, and for good where the author asked for
names. Then it is a part of the total, which holds nothing personal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import LinkInvalid
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Campaign, Subscriber, Subscription, TappedAnswer, TappedTotal
from newsletter.services.link_holders import open_subscription
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import is_suppressed
from newsletter.tokens import LEEWAY
from newsletter.vocabulary import SubscriptionStatus

KEPT_FOR = timedelta(days=7)
"""Time for which an answer is stored together with its subscriber."""
FOLDED_AT_ONCE = 500
"""Answers that are added to the totals in one transaction."""
NAMES_AT_MOST = 200
"""The most answers that are listed with names, the latest first."""

_ADD_TO_TOTAL = sql_text(
    "INSERT INTO tapped_totals (campaign_id, question, choice, count) "
    "VALUES (:campaign, :question, :choice, :count) "
    "ON CONFLICT (campaign_id, question, choice) "
    "DO UPDATE SET count = tapped_totals.count + excluded.count"
)
"""An upsert, so that two workers do not both create a total."""


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question on the page of one answer; it holds no data of the subscriber.

    `title` is the list's. The languages decide in which language the page is.
    """

    title: str
    text: str
    choice: str
    named: bool
    language: str
    list_language: str


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """A question of a campaign with the number of answers for each choice."""

    text: str
    choices: tuple[tuple[str, int], ...]

    @property
    def count(self) -> int:
        """Return the number of answers."""
        return sum(count for _, count in self.choices)


@dataclass(frozen=True, slots=True)
class NamedAnswer:
    """An answer with its giver, where the author asked for names."""

    question: str
    choice: str
    name: str
    email: str


def get_question(env: Environment, token: str) -> AskedQuestion:
    """Return the question of a link, without counting an answer.

    Raises `LinkError`.
    """
    with reading() as session:
        return _open(env, session, token)[0]


def give_answer(env: Environment, token: str) -> AskedQuestion:
    """Store the answer of a link, in place of an earlier answer to the same question.

    Raises `LinkError`.
    """
    with transaction() as session:
        view, answer = _open(env, session, token, lock=True)
        known = session.scalar(
            select(TappedAnswer).where(
                TappedAnswer.subscription_id == answer.subscription_id,
                TappedAnswer.campaign_id == answer.campaign_id,
                TappedAnswer.question == answer.question,
            )
        )
        if known is None:
            session.add(answer)
        else:
            known.choice = answer.choice
            known.at = answer.at
            known.forget_at = answer.forget_at
        return view


def _open(
    env: Environment, session: Session, token: str, *, lock: bool = False
) -> tuple[AskedQuestion, TappedAnswer]:
    """Return the question and the answer of a link, without storing the answer."""
    subscription, rest = open_subscription(env, session, LinkPurpose.ANSWER, token, lock=lock)
    handle, *numbers = rest.split(".")
    campaign = session.scalar(select(Campaign).where(Campaign.handle == handle))
    if (
        campaign is None
        or campaign.started_at is None
        or campaign.list_id != subscription.list_id
        or subscription.status != SubscriptionStatus.ACTIVE
        or is_suppressed(env, session, subscription.subscriber.email_key)
    ):
        raise LinkInvalid
    try:
        if not all(map(str.isdecimal, numbers)):
            raise LinkInvalid
        question, choice = map(int, numbers)
        text, words = _find_words(campaign, question, choice)
    except (ValueError, IndexError):
        raise LinkInvalid from None
    # Links made at one moment may be used until a little later (`LEEWAY`): an answer is known as
    # long as any of them, so that nobody counts twice.
    forget_at = None if campaign.answers_named else env.now + KEPT_FOR + LEEWAY
    answer = TappedAnswer(
        campaign_id=campaign.id,
        subscription_id=subscription.id,
        question=question,
        choice=choice,
        at=env.now,
        forget_at=forget_at,
    )
    mailing_list = subscription.mailing_list
    return AskedQuestion(
        mailing_list.title,
        text,
        words,
        campaign.answers_named,
        subscription.subscriber.language,
        mailing_list.language,
    ), answer


def read_results(campaign_id: int) -> tuple[QuestionResult, ...]:
    """Return the questions of a campaign with their counts of answers."""
    with reading() as session:
        campaign = session.get(Campaign, campaign_id)
        return read_results_by_campaign(session, [campaign])[campaign_id] if campaign else ()


def read_results_by_campaign(
    session: Session, campaigns: Sequence[Campaign]
) -> dict[int, tuple[QuestionResult, ...]]:
    """Return the questions and counts of several campaigns, by campaign id."""
    counts = _count(session, [row.id for row in campaigns if row.questions])
    return {
        row.id: tuple(
            QuestionResult(
                stored["text"],
                tuple(
                    (words, counts[row.id, number, choice])
                    for choice, words in enumerate(stored["choices"])
                ),
            )
            for number, stored in enumerate(row.questions or ())
        )
        for row in campaigns
    }


def count_answers(campaign_ids: Collection[int]) -> dict[int, int]:
    """Count the answers of several campaigns; campaigns without a question are left out."""
    with reading() as session:
        query = select(Campaign).where(Campaign.id.in_(campaign_ids))
        results = read_results_by_campaign(session, session.scalars(query).all())
        return {
            campaign_id: sum(question.count for question in questions)
            for campaign_id, questions in results.items()
            if questions
        }


def _count(session: Session, campaign_ids: Sequence[int]) -> Counter[tuple[int, int, int]]:
    """Count answers by campaign, question and choice, folded ones included."""
    if not campaign_ids:
        return Counter()
    names = (TappedAnswer.campaign_id, TappedAnswer.question, TappedAnswer.choice)
    now_known = (
        select(*names, func.count())
        .where(TappedAnswer.campaign_id.in_(campaign_ids))
        .group_by(*names)
    )
    folded = select(
        TappedTotal.campaign_id, TappedTotal.question, TappedTotal.choice, TappedTotal.count
    ).where(TappedTotal.campaign_id.in_(campaign_ids))
    counts: Counter[tuple[int, int, int]] = Counter()
    # One statement, so that no answer is folded between two of them.
    for campaign_id, question, choice, count in session.execute(now_known.union_all(folded)):
        counts[campaign_id, question, choice] += count
    return counts


def list_named(campaign_id: int, *, limited: bool = False) -> list[NamedAnswer]:
    """List the latest answers with their subscribers, for questions that ask for names.

    With `limited` no address is spelt as it may have been typed on another list.
    """
    with reading() as session:
        campaign = session.get(Campaign, campaign_id)
        if campaign is None or not campaign.answers_named or not campaign.questions:
            return []
        return [
            NamedAnswer(*_find_words(campaign, row.question, row.choice), row.name, row.email)
            for row in session.execute(_named_answers_query(campaign_id, limited=limited))
        ]


def _named_answers_query(campaign_id: int, *, limited: bool) -> Select[int, int, str, str]:
    email = Subscriber.email_key if limited else Subscriber.email
    latest = (
        select(TappedAnswer.id)
        .where(TappedAnswer.campaign_id == campaign_id)
        .order_by(TappedAnswer.id.desc())
        .limit(NAMES_AT_MOST)
    )
    return (
        select(TappedAnswer.question, TappedAnswer.choice, Subscriber.name, email.label("email"))
        .join(Subscription, Subscription.id == TappedAnswer.subscription_id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(TappedAnswer.id.in_(latest))
        .order_by(TappedAnswer.id.desc())
    )


def _find_words(campaign: Campaign, question: int, choice: int) -> tuple[str, str]:
    stored = (campaign.questions or [])[question]
    return stored["text"], stored["choices"][choice]


def export_answers(session: Session, subscription_id: int) -> list[dict[str, Any]]:
    """Return the stored answers of a subscription as JSON."""
    query = (
        select(TappedAnswer, Campaign)
        .join(Campaign, Campaign.id == TappedAnswer.campaign_id)
        .where(TappedAnswer.subscription_id == subscription_id)
        .order_by(TappedAnswer.id)
    )
    exported = []
    for answer, campaign in session.execute(query):
        question, choice = _find_words(campaign, answer.question, answer.choice)
        at = answer.at.isoformat()
        exported.append(
            {"subject": campaign.subject, "question": question, "answer": choice, "at": at}
        )
    return exported


def fold_old_answers(env: Environment, *, stop: Callable[[], bool] = lambda: False) -> None:
    """Fold the answers older than `KEPT_FOR` into the totals, without their subscribers.

    A page at a time, each in its own transaction: whatever ends this loses and doubles nothing.
    """
    while not stop():
        with transaction() as session:
            due = TappedAnswer.forget_at <= env.now
            page = select(TappedAnswer.id).where(due).limit(FOLDED_AT_ONCE)
            if _fold(session, TappedAnswer.id.in_(page), due) < FOLDED_AT_ONCE:
                return


def fold_answers_of(session: Session, subscription_ids: Sequence[int]) -> None:
    """Fold the answers of subscriptions that are being erased into the totals."""
    _fold(session, TappedAnswer.subscription_id.in_(subscription_ids))


def _fold(session: Session, *which: ColumnElement[bool]) -> int:
    """Delete these answers, add them to the totals, and return their number."""
    folded = session.execute(
        delete(TappedAnswer)
        .where(*which)
        .returning(TappedAnswer.campaign_id, TappedAnswer.question, TappedAnswer.choice)
        .execution_options(synchronize_session=False)
    )
    counts = Counter((row.campaign_id, row.question, row.choice) for row in folded)
    for (campaign_id, question, choice), count in sorted(counts.items()):
        session.execute(
            _ADD_TO_TOTAL,
            {"campaign": campaign_id, "question": question, "choice": choice, "count": count},
        )
    return sum(counts.values())
