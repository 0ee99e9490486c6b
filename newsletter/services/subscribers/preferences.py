"""Read and change a subscriber's preferences through a signed link.

Mails are forwarded, so a link in a mail is about that mail's own subscription: its cadence, topics,
pause and end. Name, language, address, other lists, export and erasure need a link to the account:
mailed on request, to the subscriber alone, and good for a day. Export and erasure are mailed as
links of their own once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.addresses import mask
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, LinkInvalid
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text, find_language
from newsletter.link_purposes import LinkPurpose, LinkScope
from newsletter.models import MailingList, Subscriber, Subscription
from newsletter.names import clean_name
from newsletter.services import request_limits
from newsletter.services.consent import Evidence
from newsletter.services.link_holders import open_subscriber, open_subscription
from newsletter.services.lists import topics
from newsletter.services.mailbox_limits import Allowance, queue_mail
from newsletter.services.request_limits import ELSEWHERE, Visit
from newsletter.services.runtime import Environment
from newsletter.services.signup import confirmations
from newsletter.services.subscribers import address_change, link_requests
from newsletter.services.subscribers.own_answers import change_answers, list_answers
from newsletter.services.subscribers.preferences_view import Choice, Preferences, TopicChoice
from newsletter.services.subscribers.requested_link import RequestedLink
from newsletter.services.subscribers.subscriptions import leave, resume
from newsletter.services.subscription_state import add_pending, change_cadence, record_change
from newsletter.services.suppressions import is_suppressed
from newsletter.vocabulary import Cadence, ConsentKind, MailKind, SubscriptionStatus

PAUSE_AT_MOST = timedelta(days=366)
NEEDS_ACCOUNT = Text("For this, please have a link of your own mailed to you first.")


@dataclass(frozen=True, slots=True)
class _Holder:
    """The holder of a link: its subscription and scope."""

    subscription: Subscription
    scope: LinkScope

    @property
    def opens_account(self) -> bool:
        """Tell whether the link opens the whole account."""
        return self.scope is LinkScope.SUBSCRIBER

    @property
    def subscriber(self) -> Subscriber:
        return self.subscription.subscriber

    @property
    def subscriptions(self) -> list[Subscription]:
        """The subscriptions in the link's scope."""
        return self.subscriber.subscriptions if self.opens_account else [self.subscription]


def get_preferences(env: Environment, token: str) -> Preferences:
    """Return the preferences behind a link.

    Raises `LinkError`.
    """
    with reading() as session:
        return _describe_preferences(session, _open_link(env, session, token))


def change_preferences(
    env: Environment, token: str, fields: Mapping[str, str], evidence: Evidence
) -> Preferences:
    """Apply the submitted fields to the subscriptions in the link's scope.

    For each list: ``cadence-<slug>``, ``pause-<slug>`` (a date, or empty), ``leave-<slug>``,
    ``topics-<slug>`` (then each ``topic-<slug>-<name>`` that is present is chosen). With a link to
    the account also ``join-<slug>``, ``fields-<slug>`` (then
    ``field-<slug>-<name>`` are the answers), ``end_all``, ``name`` and ``language``.

    Raises `LinkError`, `InvalidInput`; then nothing has changed.
    """
    with transaction() as session:
        holder = _open_link(env, session, token)
        confirmations.lock_owner(session, holder.subscription.handle)
        request_limits.count_change(env, session, holder.subscription.id)
        subscriber = holder.subscriber
        for subscription in holder.subscriptions:
            _apply(
                env,
                session,
                subscription,
                fields,
                evidence,
                account=holder.opens_account,
                all_end=holder.opens_account and bool(fields.get("end_all")),
            )
        if holder.opens_account:
            if "language" in fields:
                subscriber.language = find_language(fields["language"])
            if "name" in fields:
                subscriber.name = clean_name(to_plain_line(fields["name"], limit=200))
            _join(env, session, subscriber, fields, evidence)
        session.flush()
        session.expire(subscriber, ["subscriptions"])
        return _describe_preferences(session, holder)


def mail_link(env: Environment, token: str, kind: RequestedLink) -> Preferences:
    """Mail the subscriber a link to their account, their data or erasure.

    Whoever holds the page's link, the mail goes to the
    subscriber; a link from a mail can only ask for the account. Raises `LinkError`, `InvalidInput`.
    """
    with transaction() as session:
        holder = _open_link(env, session, token)
        confirmations.lock_owner(session, holder.subscription.handle)
        request_limits.count_change(env, session, holder.subscription.id)
        if kind is not RequestedLink.ACCOUNT and not holder.opens_account:
            raise InvalidInput({kind: NEEDS_ACCOUNT})
        link_requests.mail_link_to_holder(
            env, session, holder.subscription, kind, private=holder.opens_account
        )
        return _describe_preferences(session, holder)


def request_address_change(env: Environment, token: str, address: object, ip: str) -> Preferences:
    """Mail the new `address` a link to confirm it.

    Raises `LinkError`, `InvalidInput` under ``address``, `TooMany`.
    """
    checked = address_change.check_address(env, address)
    request_limits.require_room(env, Visit(ELSEWHERE, ip, checked.key))
    with transaction() as session:
        holder = _open_link(env, session, token)
        if not holder.opens_account:
            raise InvalidInput({"address": NEEDS_ACCOUNT})
        address_change.request_change(env, session, holder.subscription, checked, ip)
        return _describe_preferences(session, holder)


def _apply(
    env: Environment,
    session: Session,
    subscription: Subscription,
    fields: Mapping[str, str],
    evidence: Evidence,
    *,
    account: bool,
    all_end: bool,
) -> None:
    slug = subscription.mailing_list.slug
    if subscription.status != SubscriptionStatus.ACTIVE:
        return
    if all_end or fields.get(f"leave-{slug}"):
        leave(env, session, subscription, evidence)
        return
    cadence = fields.get(f"cadence-{slug}", subscription.cadence)
    if cadence != subscription.cadence:
        if cadence not in subscription.mailing_list.cadences:
            raise InvalidInput({f"cadence-{slug}": Text("Please choose one of those offered.")})
        noted = replace(evidence, note=f"{subscription.cadence} → {cadence}")
        change_cadence(session, subscription, Cadence(cadence), evidence, env.now)
        record_change(session, subscription, "cadence", noted, env.now, kind=ConsentKind.CHANGED)
    if f"pause-{slug}" in fields:
        paused_until = _parse_pause(fields[f"pause-{slug}"], f"pause-{slug}", env.now)
        if paused_until != subscription.paused_until:
            subscription.paused_until = paused_until
            record_change(session, subscription, "pause", evidence, env.now)
    if account and fields.get(f"fields-{slug}"):
        prefix = f"field-{slug}-"
        typed = {key.removeprefix(prefix): fields[key] for key in fields if key.startswith(prefix)}
        change_answers(session, subscription, typed, evidence, env.now)
    if fields.get(f"topics-{slug}"):
        prefix = f"topic-{slug}-"
        words = [key.removeprefix(prefix) for key in fields if key.startswith(prefix)]
        if topics.choose_topics(session, subscription, words):
            record_change(session, subscription, "topics", evidence, env.now)


def _join(
    env: Environment,
    session: Session,
    subscriber: Subscriber,
    fields: Mapping[str, str],
    evidence: Evidence,
) -> None:
    """Subscribe to more lists without confirmation: the link proves the address."""
    existing = {row.list_id: row for row in subscriber.subscriptions}
    for mailing_list in _find_lists(session, subscriber):
        if not fields.get(f"join-{mailing_list.slug}"):
            continue
        subscription = existing.get(mailing_list.id)
        if subscription is None:
            subscription = add_pending(session, mailing_list, subscriber.id, env.now)
        elif subscription.confirmed_at is None:  # a stranger may have typed another
            subscription.cadence = mailing_list.default_cadence
        if subscription.status is not SubscriptionStatus.ACTIVE and not resume(
            session, subscription, ConsentKind.CONFIRMED, evidence, env.now
        ):
            queue_mail(env, session, subscription, MailKind.WELCOME, Allowance.OWN)


def _find_lists(session: Session, subscriber: Subscriber) -> list[MailingList]:
    """Find the lists with the same sender domains as a subscriber's lists.

    Other senders of this installation are not named to them (S06).
    """
    lists = session.scalars(select(MailingList).order_by(MailingList.id)).all()
    domains = {_extract_domain(row.mailing_list) for row in subscriber.subscriptions}
    return [row for row in lists if _extract_domain(row) in domains]


def _extract_domain(mailing_list: MailingList) -> str:
    return mailing_list.from_email.rpartition("@")[2].lower()


def _parse_pause(text: str, field: str, now: datetime) -> datetime | None:
    if not text.strip():
        return None
    try:
        until = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput({field: Text("Please give a date like 2027-01-31.")}) from None
    if until <= now:
        return None
    if until - now > PAUSE_AT_MOST:
        raise InvalidInput({field: Text("A break can last a year at most.")})
    return until


def _open_link(env: Environment, session: Session, token: str) -> _Holder:
    try:
        subscription, _ = open_subscription(env, session, LinkPurpose.PREFERENCES, token)
        scope = LinkPurpose.PREFERENCES.scope
    except LinkInvalid:
        _, subscription, _ = open_subscriber(env, session, LinkPurpose.ACCOUNT, token)
        scope = LinkPurpose.ACCOUNT.scope
    if is_suppressed(env, session, subscription.subscriber.email_key):
        raise LinkInvalid
    return _Holder(subscription, scope)


def _list_offered(session: Session, holder: _Holder) -> list[MailingList]:
    """List the lists that a link offers."""
    if holder.opens_account:
        return _find_lists(session, holder.subscriber)
    return [holder.subscription.mailing_list]


def _describe_preferences(session: Session, holder: _Holder) -> Preferences:
    subscriber = holder.subscriber
    existing = {
        row.list_id: row for row in holder.subscriptions if row.status != SubscriptionStatus.PENDING
    }
    return Preferences(
        masked=mask(subscriber.email),
        name=subscriber.name if holder.opens_account else "",
        language=subscriber.language,
        list_language=holder.subscription.mailing_list.language,
        choices=tuple(
            _describe_choice(session, row, existing.get(row.id), account=holder.opens_account)
            for row in _list_offered(session, holder)
        ),
        opens_account=holder.opens_account,
        new_masked=mask(subscriber.new_email)
        if holder.opens_account and subscriber.new_email
        else "",
    )


def _describe_choice(
    session: Session, mailing_list: MailingList, subscription: Subscription | None, *, account: bool
) -> Choice:
    offers = topics.find_offers(session, mailing_list.id)
    chosen = topics.find_chosen_topics(session, subscription) if subscription else offers
    return Choice(
        slug=mailing_list.slug,
        title=mailing_list.title,
        language=mailing_list.language,
        status=subscription.status if subscription else None,
        cadence=subscription.cadence if subscription else mailing_list.default_cadence,
        cadences=tuple(mailing_list.cadences),
        paused_until=subscription.paused_until if subscription else None,
        topics=tuple(TopicChoice(offer.name, offer in chosen) for offer in offers),
        answers=list_answers(session, subscription) if account and subscription else (),
    )
