"""Read the values of a letter's merge fields for each recipient.

Merge fields are the author's `{{ subscriber.name }}` (mail/templating/).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.session import reading
from newsletter.errors import NotFound, TemplateProblem
from newsletter.i18n import Text
from newsletter.mail.templating.merge_fields import (
    ARCHIVE_SUBSCRIBER,
    Filler,
    MergeTemplates,
    SubscriberFields,
    make_subscriber_fields,
)
from newsletter.models import MailingList, Subscriber, Subscription
from newsletter.outbox import LeasedDelivery
from newsletter.schedule import get_zone
from newsletter.services import resources, tags
from newsletter.services.audience.list_fields import read_list_fields
from newsletter.services.audience.segments import JOINED_AT, segment_page_query
from newsletter.services.runtime import Environment
from newsletter.stored_texts import Stored

PAGE = 500
"""Recipients read with one query: as many as a lease of the outbox has rows."""
CACHE_SECONDS = 5.0
"""Seconds for which a recipient is cached; a change of name takes effect after that."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A subscriber as letters see them, known by the handle of the subscription."""

    handle: str
    email: str
    about: SubscriberFields


def read_recipients(session: Session, subscription_ids: Select[Any] | list[int]) -> list[Recipient]:
    """Read the subscribers of these subscriptions, in no particular order."""
    query = (
        select(
            Subscription.handle,
            Subscriber.id,
            Subscriber.name,
            Subscriber.email,
            Subscription.cadence,
            Subscriber.language,
            JOINED_AT.label("joined_at"),
            MailingList.timezone,
            Subscription.list_id,
            Subscription.topics,
            Subscription.answers,
        )
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscription.id.in_(subscription_ids))
    )
    rows = session.execute(query).all()
    tags_by_subscriber = tags.read_tags(session, [row.id for row in rows])
    known = {
        list_id: read_list_fields(session, list_id) for list_id in {row.list_id for row in rows}
    }
    return [
        Recipient(
            row.handle,
            row.email,
            make_subscriber_fields(
                name=row.name,
                email=row.email,
                cadence=row.cadence,
                language=row.language,
                tags=tags_by_subscriber.get(row.id, ()),
                joined=row.joined_at.astimezone(get_zone(row.timezone)).date(),
                topics=known[row.list_id].name_topics(row.topics),
                answers=known[row.list_id].clean_answers(row.answers),
            ),
        )
        for row in rows
    ]


def get_recipient(address: str, slug: str) -> Recipient:
    """Return the subscriber of a list with this address, whatever the subscription's status.

    Raises `NotFound`.
    """
    query = (
        select(Subscription.id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscriber.email_key == parse_address(address).key, MailingList.slug == slug)
    )
    with reading() as session:
        recipients = read_recipients(session, query)
    if not recipients:
        raise NotFound(
            f"{slug} has no subscriber with this address", hint="see `newsletter subscriber ls`"
        )
    return recipients[0]


def build_merge_values(
    env: Environment, recipient: Recipient | None, campaign: str = ""
) -> dict[str, object]:
    """Return the values that a letter's fields are filled from; None stands for the archive.

    Links to answers are of the campaign with this handle; without one they lead to an example.

    Nothing here reads the database: fields are also filled in inside a transaction.
    """
    if recipient is None:
        return {
            "subscriber": ARCHIVE_SUBSCRIBER,
            "resource": lambda name: env.links.resource(str(name)),
            "answer": lambda question, choice: env.links.answer_example(),
        }

    def answer(question: int, choice: int) -> str:
        if not campaign:
            return env.links.answer_example()
        return env.links.answer(recipient.handle, campaign, question, choice, env.now)

    return {
        "answer": answer,
        "subscriber": recipient.about,
        "resource": lambda name: env.links.resource_of(recipient.handle, str(name), env.now),
    }


class RecipientCache:
    """The recipients of one run, read a page at a time in the order of a campaign's rows."""

    def __init__(self) -> None:
        self._recipients: dict[str, Recipient] = {}
        self._read_at = float("-inf")

    def of(self, row: LeasedDelivery) -> Recipient:
        """Return the recipient of `row`.

        Raises `NotFound` if the subscriber was removed.
        """
        handle = str(row.handle)
        is_stale = time.monotonic() - self._read_at > CACHE_SECONDS
        if is_stale or handle not in self._recipients:
            if row.campaign_id is None:
                ids = select(Subscription.id).where(Subscription.handle == handle)
            else:
                ids = outbox.next_recipients_query(row.campaign_id, row.id, limit=PAGE)
            with reading() as session:
                recipients = read_recipients(session, ids)
            self._recipients = {recipient.handle: recipient for recipient in recipients}
            self._read_at = time.monotonic()
        if handle not in self._recipients:
            raise NotFound("the subscriber was removed")
        return self._recipients[handle]


@dataclass(frozen=True, slots=True)
class MergeProblem:
    """The recipients for whom a letter's fields cannot be filled in.

    `count`: how many they are; `why`: the reason for the first of them, whose address is
    `example`.
    """

    count: int
    why: str
    example: str

    def describe(self, recipients: int = 0) -> Text:
        """Describe how many of the `recipients` (None: unknown) cannot get the letter."""
        why = Stored(self.why)
        if not recipients:
            return Text("%(count)s subscribers cannot get it: %(why)s", count=self.count, why=why)
        return Text(
            "%(count)s of %(all)s subscribers cannot get it: %(why)s",
            count=self.count,
            all=recipients,
            why=why,
        )


def _say_place(error: TemplateProblem) -> str:
    if not error.line:
        return error.reason
    return Text("line %(line)s: %(problem)s", line=error.line, problem=error.reason)


def find_merge_problem(
    env: Environment, list_id: int, segment: str, personal: MergeTemplates | None
) -> MergeProblem | None:
    """Fill in a letter's fields for each recipient, and return what fails, or None (M07)."""
    if personal is None:
        return None
    filler = Filler(personal)
    resource = resources.make_linker(resources.read_names(), env.links.resource)
    count = 0
    why = ""
    example = ""
    for recipient in _iterate_segment(env, list_id, segment):
        try:
            filler({**build_merge_values(env, recipient), "resource": resource})
        except TemplateProblem as error:
            count += 1
            why = why or _say_place(error)
            example = example or recipient.email
    return MergeProblem(count, why, example) if count else None


def _iterate_segment(env: Environment, list_id: int, segment: str) -> Iterator[Recipient]:
    """Yield every recipient whom a letter would reach now, read a page at a time."""
    after = 0
    while True:
        with reading() as session:
            mailing_list = session.get_one(MailingList, list_id)
            query = segment_page_query(mailing_list, segment, env.now, after=after, limit=PAGE)
            rows = session.execute(query).all()
            recipients = read_recipients(session, [row.id for row in rows])
        yield from recipients
        if len(rows) < PAGE:
            return
        after = rows[-1].subscriber_id
