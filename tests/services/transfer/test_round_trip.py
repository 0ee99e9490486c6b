"""Test that what we write we read: an export of everything, imported into a database without
subscribers, gives the same rows.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Select, delete, select

from newsletter.db.session import db, transaction
from newsletter.html.text import to_plain_line, to_plain_lines
from newsletter.models import (
    ConsentEvent,
    ConsentText,
    MailingList,
    Subscriber,
    Subscription,
    Suppression,
    Tag,
    Topic,
)
from newsletter.services.consent import store_wording
from newsletter.services.lists import topics
from newsletter.services.lists.topics import pack_topics
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hash_address
from newsletter.services.tags import clean_tags
from newsletter.services.transfer import export_subscribers
from newsletter.services.transfer.import_subscribers import import_file
from newsletter.tokens import new_handle
from tests.fakes import START
from tests.people import add_list

LISTS = ("blog", "news", "third")
TOPICS = ("Yoga", "Walks; slow", "=Sums", 'The "best"', "a,b")

texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
names = st.one_of(
    st.sampled_from(['x \\" y', "'=1", "=HYPERLINK(1)", '"', "Zoë; =Z", "a,b\\"]), texts
)
moments = st.datetimes(datetime(1995, 1, 1), datetime(2090, 1, 1)).map(
    lambda at: at.replace(tzinfo=UTC)
)
maybe = st.one_of(st.none(), moments)
events = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            ["requested", "confirmed", "imported", "changed", "unsubscribed", "reason", "moved"]
        ),
        "at": moments,
        "source": st.sampled_from(["form", "import", "author", "link", "json"]),
        "note": names,
        "page": texts,
        "ip": st.sampled_from(["", "1.2.3.4", "2001:db8::/64"]),
        "user_agent": names,
        "form": st.sampled_from(["", "page", "iframe"]),
        "message_id": st.sampled_from(["", "<a.b@example.com>"]),
        "wording": st.sampled_from(
            ["", "Yes, send me.", 'Two\nlines, "quoted"; =1\n', "Ja, ich will. " * 100]
        ),
    }
)
subscriptions = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["active", "pending", "unsubscribed"]),
        "cadence": st.sampled_from(["instant", "daily", "weekly", "monthly"]),
        "paused_until": maybe,
        "created_at": moments,
        "confirmed_at": maybe,
        "unsubscribed_at": maybe,
        "topics": st.sets(st.sampled_from(TOPICS)),
        "answers": st.dictionaries(
            names.map(lambda text: to_plain_line(text, limit=60)).filter(bool),
            st.one_of(st.booleans(), st.integers(), names.map(to_plain_line)),
            max_size=3,
        ),
        "events": st.lists(events, max_size=3),
    }
)
people = st.lists(
    st.fixed_dictionaries(
        {
            "name": names.map(lambda text: to_plain_line(text, limit=200)),
            "language": st.sampled_from(["", "de", "ro", "ar"]),
            "created_at": moments,
            "tags": st.lists(names.map(lambda text: text.replace(",", "")[:50]), max_size=3),
            "suppressed": st.sampled_from(["", "", "", "bounce", "complaint", "manual"]),
            "subscriptions": st.dictionaries(st.sampled_from(LISTS), subscriptions, max_size=3),
        }
    ),
    max_size=5,
)
suppressed = st.lists(
    st.tuples(st.sampled_from(["bounce", "manual", "erased"]), moments, names.map(to_plain_line)),
    max_size=3,
)


@pytest.fixture
def lists(env: Environment) -> Environment:
    with transaction() as session:
        for slug in LISTS:
            add_list(session, slug)
    for slug in LISTS[:2]:
        for name in TOPICS:
            topics.add(slug, name)
    return env


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(people, suppressed)
@example([], [("erased", START, ""), ("manual", START, "asked by phone")])
def test_everything_exported_comes_back_equal(
    lists: Environment,
    tmp_path: Path,
    everybody: list[dict[str, Any]],
    others: list[tuple[str, datetime, str]],
) -> None:
    forget_everybody()
    fill(lists, everybody, others)
    file = tmp_path / "everything.csv"
    count = export_subscribers.export_to_file(file)
    before = rows_of_everything()
    text = file.read_text()
    again = import_file(lists, file)
    assert (again.new, again.updated, again.rejected, again.rows) == (0, 0, 0, count), (
        again.problems
    )
    assert rows_of_everything() == before
    forget_everybody()
    planned = import_file(lists, file, dry_run=True)
    assert rows_of_everything() == ([], [], [], [])
    done = import_file(lists, file)
    assert (done.new, done.rejected, planned.new, planned.problems) == (
        count,
        0,
        count,
        done.problems,
    ), done.problems
    assert rows_of_everything() == before
    out = io.StringIO()
    export_subscribers.export_to_text(out)
    assert sorted(out.getvalue().split("\n")) == sorted(text.split("\n"))


def forget_everybody() -> None:
    with transaction() as session:
        for model in (ConsentEvent, Tag, Subscription, Subscriber, Suppression):
            session.execute(delete(model))


def fill(
    env: Environment, everybody: list[dict[str, Any]], others: list[tuple[str, datetime, str]]
) -> None:
    with transaction() as session:
        ids = {row.slug: row.id for row in session.scalars(select(MailingList))}
        chosen = {(row.list_id, row.name): row.id for row in session.scalars(select(Topic))}
        for number, person in enumerate(everybody):
            email = f"R{number}+x@example.com"
            subscriber = Subscriber(
                handle=new_handle(),
                email=email,
                email_key=email.lower(),
                name=person["name"],
                language=person["language"],
                created_at=person["created_at"],
            )
            session.add(subscriber)
            session.flush()
            session.add_all(
                Tag(subscriber_id=subscriber.id, tag=tag) for tag in clean_tags(person["tags"])
            )
            if person["suppressed"]:
                suppress(env, email.lower(), person["suppressed"], START, "x; =1")
            for slug, values in sorted(person["subscriptions"].items()):
                topic_ids = {
                    chosen[ids[slug], name]
                    for name in values["topics"]
                    if (ids[slug], name) in chosen
                }
                everything = len(topic_ids) == len(TOPICS)
                add_subscription(
                    subscriber, ids[slug], values, "" if everything else pack_topics(topic_ids)
                )
        for number, (reason, at, note) in enumerate(others):
            suppress(env, f"s{number}@example.com", reason, at, note)


def add_subscription(
    subscriber: Subscriber, list_id: int, values: dict[str, Any], topic_ids: str
) -> None:
    """Add a subscription in one of the states that there are: an active one is confirmed and has
    not left.
    """
    status = values["status"]
    subscription = Subscription(
        handle=new_handle(),
        list_id=list_id,
        subscriber_id=subscriber.id,
        status=status,
        topics=topic_ids,
        cadence=values["cadence"],
        paused_until=values["paused_until"],
        created_at=values["created_at"],
        answers=values["answers"],
        confirmed_at=(values["confirmed_at"] or START)
        if status == "active"
        else values["confirmed_at"],
        unsubscribed_at=None
        if status == "active"
        else (values["unsubscribed_at"] or START)
        if status == "unsubscribed"
        else values["unsubscribed_at"],
    )
    db.session.add(subscription)
    db.session.flush()
    for event in values["events"] or [
        {"kind": "imported", "at": START, "source": "import", "wording": ""}
    ]:
        fields = {
            name: to_plain_line(value, limit=300) if isinstance(value, str) else value
            for name, value in event.items()
        }
        wording = to_plain_lines(event["wording"], limit=5000)
        fields["wording_hash"] = (
            store_wording(db.session, wording, event["at"]) if wording else None
        )  # type: ignore[arg-type]
        del fields["wording"]
        db.session.add(ConsentEvent(subscription_id=subscription.id, **fields))
        db.session.flush()


def suppress(env: Environment, key: str, reason: str, at: datetime, note: str) -> None:
    row = Suppression(
        email_hash=hash_address(env, key)[0],
        email_key=None if reason == "erased" else key,
        reason=reason,
        created_at=at,
        note=note,
    )
    db.session.add(row)


def rows_of_everything() -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Every row without its number and its handle, which are made anew."""
    db.session.rollback()
    subscriber = (Subscriber.email, Subscriber.email_key)
    tagged = select(Subscriber.email, Tag.tag).join(Tag, Tag.subscriber_id == Subscriber.id)
    known = select(*subscriber, Subscriber.name, Subscriber.language, Subscriber.created_at)
    suppressed_rows = select(
        Suppression.email_hash,
        Suppression.email_key,
        Suppression.reason,
        Suppression.note,
        Suppression.created_at,
    )
    queries = (known, tagged, _subscriptions_query(), _consent_query(), suppressed_rows)
    tables = [[tuple(row) for row in db.session.execute(query)] for query in queries]
    db.session.rollback()
    by_subscription = sorted(tables[3], key=lambda row: row[:2])  # within one, in their order
    return (
        sorted(tables[0] + tables[1], key=repr),
        sorted(tables[2], key=repr),
        by_subscription,
        sorted(tables[4], key=repr),
    )


def _subscriptions_query() -> Select[Any]:
    return (
        select(
            Subscriber.email,
            MailingList.slug,
            Subscription.status,
            Subscription.cadence,
            Subscription.topics,
            Subscription.paused_until,
            Subscription.created_at,
            Subscription.confirmed_at,
            Subscription.unsubscribed_at,
            Subscription.answers,
        )
        .join(Subscription.subscriber)
        .join(Subscription.mailing_list)
    )


def _consent_query() -> Select[Any]:
    return (
        select(
            Subscriber.email,
            MailingList.slug,
            ConsentEvent.kind,
            ConsentEvent.at,
            ConsentEvent.source,
            ConsentEvent.form,
            ConsentEvent.page,
            ConsentEvent.ip,
            ConsentEvent.user_agent,
            ConsentEvent.message_id,
            ConsentEvent.note,
            ConsentText.text,
        )
        .join(Subscription, Subscription.id == ConsentEvent.subscription_id)
        .join(Subscription.subscriber)
        .join(Subscription.mailing_list)
        .outerjoin(ConsentText, ConsentText.hash == ConsentEvent.wording_hash)
        .order_by(ConsentEvent.id)
    )
