"""Change a subscriber on the author's authority: everything that subscribers can change.

Nobody is made active here. A consent can be withdrawn, and added only with how the author knows of
it. Each change is noted in the record of consent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import transaction
from newsletter.errors import ChangedMeanwhile, Conflict, InvalidInput, NotFound, Refused
from newsletter.html.text import to_plain_line
from newsletter.i18n import LANGUAGES, Text, find_language
from newsletter.models import Subscriber, Subscription, Suppression
from newsletter.services import tags
from newsletter.services.consent import Evidence
from newsletter.services.lists import topics
from newsletter.services.runtime import Environment
from newsletter.services.signup import forms
from newsletter.services.signup.address_policy import accept_address
from newsletter.services.signup.form_answers import parse_answers
from newsletter.services.subscribers.address_change import renew_handles
from newsletter.services.subscribers.views import (
    SubscriberView,
    describe_with_tags,
    get_subscriber,
    lock_subscriber,
)
from newsletter.services.subscription_state import (
    change_cadence,
    delete_requests,
    record_change,
)
from newsletter.services.suppressions import hash_address, is_suppressed
from newsletter.vocabulary import Cadence, ConsentKind, EvidenceSource, FieldKind

PAUSE_AT_MOST = timedelta(days=366)
"""The longest pause, as on the page of preferences."""


@dataclass(frozen=True, slots=True)
class Correction:
    """The changes to a subscriber; None and empty fields change nothing.

    `slug` is the one list that `cadence`, `pause`, `topics` and `answers` are about, all of the
    subscriber's lists where it is None. `resume` ends a pause; no `topics` with `all_topics` means
    every one. `because` is how the author knows, kept as evidence.
    """

    name: str | None = None
    language: str | None = None
    address: str | None = None
    slug: str | None = None
    cadence: Cadence | None = None
    pause_until: datetime | None = None
    resume: bool = False
    topics: Sequence[str] = ()
    all_topics: bool = False
    answers: Mapping[str, str] = field(default_factory=dict)
    tag: Sequence[str] = ()
    untag: Sequence[str] = ()
    because: str = ""


def correct_subscriber(
    env: Environment,
    address: str,
    correction: Correction,
    *,
    expected: SubscriberView | None = None,
) -> SubscriberView:
    """Change a subscriber's attributes and subscriptions.

    Nobody is mailed, and nothing changes where anything is wrong.

    Raises `NotFound` (no such subscriber, list, or subscription), `InvalidInput` by part, `Refused`
    (an address that is taken or suppressed), `ChangedMeanwhile` (is not as `expected` any more).
    """
    try:
        with transaction() as session:
            subscriber = get_subscriber(session, address)
            before = lock_subscriber(session, subscriber)
            if expected not in (None, before):
                raise ChangedMeanwhile
            if correction.name is not None:
                subscriber.name = to_plain_line(correction.name, limit=200)
            if correction.language is not None:
                subscriber.language = _read_language(correction.language)
            tags.add_tags(session, subscriber.id, correction.tag)
            tags.remove_tags(session, subscriber.id, correction.untag)
            for subscription in _choose_subscriptions(subscriber, correction):
                _correct_subscription(env, session, subscription, correction)
            if correction.address is not None:
                _change_address(env, session, subscriber, correction.address, correction.because)
            session.flush()
            return describe_with_tags(session, subscriber)
    except Conflict as conflict:
        if conflict.constraint != "uq_subscribers_email_key":
            raise
        raise Refused(Text("another subscriber has this address")) from None


def _read_language(tag: str) -> str:
    language = find_language(tag)
    if tag.strip() and not language:
        raise InvalidInput(
            {"language": Text("is unknown; use one of %(names)s", names=", ".join(LANGUAGES))}
        )
    return language


def _choose_subscriptions(subscriber: Subscriber, correction: Correction) -> list[Subscription]:
    """Return the subscriptions that a correction applies to.

    Raises `NotFound` for a list without a subscription, `Refused` where several are possible.
    """
    subscriptions = [
        row for row in subscriber.subscriptions if correction.slug in (None, row.mailing_list.slug)
    ]
    if correction.slug and not subscriptions:
        raise NotFound(
            f"this address has no subscription to {correction.slug}",
            hint="see `newsletter subscriber ls`",
        )
    if len(subscriptions) > 1 and (
        correction.topics or correction.answers
    ):  # each list has its own
        slugs = " | ".join(row.mailing_list.slug for row in subscriptions)
        raise Refused(Text("which list?"), hint=Text("--list %(slugs)s", slugs=slugs))
    return subscriptions


def _correct_subscription(
    env: Environment, session: Session, subscription: Subscription, correction: Correction
) -> None:
    changes: list[str] = []
    if correction.cadence is not None and correction.cadence != subscription.cadence:
        changes.append(f"{subscription.cadence} → {correction.cadence}")
        author = Evidence(EvidenceSource.AUTHOR)
        change_cadence(session, subscription, correction.cadence, author, env.now)
    if correction.pause_until is not None:
        if not env.now < correction.pause_until <= env.now + PAUSE_AT_MOST:
            raise InvalidInput({"pause": Text("must be a day in the next twelve months")})
        subscription.paused_until = correction.pause_until
        changes.append(f"paused until {correction.pause_until:%Y-%m-%d}")
    elif correction.resume and subscription.paused_until is not None:
        subscription.paused_until = None
        changes.append("no pause any more")
    chosen_topics = () if correction.all_topics else correction.topics
    if (correction.all_topics or chosen_topics) and topics.choose_topics(
        session, subscription, chosen_topics
    ):
        changes.append(f"topics: {', '.join(chosen_topics) or 'all'}")
    changes += set_answers(session, subscription, correction.answers, correction.because)
    if changes:
        note = "; ".join([*changes, *([correction.because] if correction.because else [])])
        evidence = Evidence(EvidenceSource.AUTHOR, note=note)
        record_change(
            session, subscription, "corrected", evidence, env.now, kind=ConsentKind.CHANGED
        )


def set_answers(
    session: Session, subscription: Subscription, typed: Mapping[str, str], because: str
) -> list[str]:
    """Set answers to fields of the list, and describe each change in words.

    A consent can be withdrawn, and added only with how the author knows of it. Raises
    `InvalidInput` by field.
    """
    if not typed:
        return []
    slug = subscription.mailing_list.slug
    fields = {field.name: field for field in forms.read_fields(session, subscription.list_id)}
    if unknown := sorted(set(typed) - set(fields)):
        raise InvalidInput(
            {
                "answer": Text(
                    "%(slug)s has no field %(unknown)s; see `newsletter field ls`",
                    slug=slug,
                    unknown=unknown[0],
                )
            }
        )
    answers, problems = parse_answers([fields[name] for name in typed], typed)
    if problems:
        raise InvalidInput(problems)
    for name, value in answers.items():
        if fields[name].kind == FieldKind.CONSENT and value and not because:
            raise InvalidInput(
                {
                    name: Text(
                        'a consent is given by the subscriber; say how you know: --because "..."'
                    )
                }
            )
    removed = set(typed) - set(answers)
    merged = {name: value for name, value in subscription.answers.items() if name not in removed}
    subscription.answers = merged | answers
    return [f"{name}: {answers.get(name, '')}" for name in typed]


def _change_address(
    env: Environment, session: Session, subscriber: Subscriber, typed: str, because: str
) -> None:
    """Change a subscriber's address on the author's authority.

    A request that waits must be made anew: its mail lies in the old mailbox. Whoever complained at
    the old address is not written to at another one.
    """
    if not because.strip():
        raise InvalidInput(
            {"address": Text('needs how you know that it is theirs: --because "..."')}
        )
    address = accept_address(env, typed, field="address")
    reasons = select(Suppression.reason).where(
        Suppression.email_hash.in_(hash_address(env, subscriber.email_key))
    )
    if set(session.scalars(reasons)) - {"bounce"} or is_suppressed(env, session, address.key):
        raise Refused(
            Text("this address is suppressed"), hint=Text("see `newsletter suppression ls`")
        )
    before = subscriber.email
    subscriber.email = address.email
    subscriber.email_key = address.key
    subscriber.new_email = subscriber.new_email_key = None
    renew_handles(session, subscriber)
    session.flush()
    evidence = Evidence(EvidenceSource.AUTHOR, note=f"{before} → {address.email}; {because}")
    for subscription in subscriber.subscriptions:
        delete_requests(session, subscription)
        record_change(session, subscription, "address", evidence, env.now, kind=ConsentKind.MOVED)
