"""Make an installation with many subscribers and a letter of 25 KB that is about to go to them."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

from flask import Flask
from sqlalchemy import insert, select

from newsletter import outbox
from newsletter.app import create_app
from newsletter.db.session import Base, transaction
from newsletter.mail.slots import make_slot
from newsletter.models import (
    Campaign,
    Edition,
    Feed,
    InstallationKey,
    LastingKey,
    MailingList,
    Subscriber,
    Subscription,
)
from newsletter.services.operations.database import upgrade
from newsletter.services.runtime import utcnow
from newsletter.settings import Settings, SignUp
from newsletter.vocabulary import MailKind

HTML_BYTES = 22_000
TEXT_BYTES = 2_500
SENTENCE = (
    "Going slowly is a skill: a pause before every yes, a breath before every answer, "
    "a walk before work. "
)
CHUNK = 20_000


def make_app(
    folder: Path, database_url: str, *, signup: SignUp | None = None, **smtp: object
) -> Flask:
    """Make an application on a database that is up to date."""
    settings = Settings.model_validate(
        {
            "secret_key": "a-key-for-measuring-0123456789abcdef",
            "base_url": "https://news.example.com",
            "database_url": database_url,
            "folder": folder,
            "smtp": smtp,
            "signup": signup or SignUp(),
        }
    )
    upgrade(database_url)
    return create_app(settings)


def empty() -> None:
    """Delete every row but the keys, which the migration made."""
    keys = (InstallationKey.__tablename__, LastingKey.__tablename__)
    with transaction() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in keys:
                session.execute(table.delete())


def add_feeds(list_id: int, count: int) -> None:
    """Add feeds that were read just now and are not due for a day."""
    now = utcnow()
    with transaction() as session:
        for number in range(count):
            session.add(
                Feed(
                    list_id=list_id,
                    url=f"https://blog.example.com/{number}/feed/",
                    title="Blog",
                    next_poll_at=now + timedelta(days=1),
                    created_at=now,
                    read_at=now,
                )
            )


def add_subscribers(count: int) -> int:
    """Add a list with `count` active subscribers and return its id."""
    now = utcnow()
    with transaction() as session:
        mailing_list = MailingList(
            slug="slow",
            title="Slow Letters",
            from_name="Ana",
            from_email="ana@example.com",
            schedule_since=now,
            postal_address="1 Main Street, Berlin",
            cadences=["weekly"],
            default_cadence="weekly",
            created_at=now,
        )
        session.add(mailing_list)
        session.flush()
        list_id = mailing_list.id
    for first in range(1, count + 1, CHUNK):
        numbers = range(first, min(first + CHUNK, count + 1))
        with transaction() as session:
            people = [
                {
                    "handle": f"p{number:011}",
                    "email": f"subscriber{number}@example.org",
                    "email_key": f"subscriber{number}@example.org",
                    "name": f"Subscriber {number}",
                    "created_at": now,
                }
                for number in numbers
            ]
            ids = session.scalars(
                insert(Subscriber).returning(Subscriber.id, sort_by_parameter_order=True), people
            )
            rows = [
                {
                    "handle": f"s{number:011}",
                    "list_id": list_id,
                    "subscriber_id": id_,
                    "status": "active",
                    "cadence": "weekly",
                    "created_at": now,
                }
                for number, id_ in zip(numbers, ids, strict=True)
            ]
            session.execute(insert(Subscription), rows)
    return list_id


def html() -> str:
    """Return a page of about 22 KB with the subscriber's name twice and their links."""
    style = "margin:0 0 16px 0;font-size:16px;line-height:26px;color:#33322e"
    paragraph = f'<p style="{style}">{SENTENCE * 2}</p>\n'
    body = paragraph * (HTML_BYTES // len(paragraph))
    name = make_slot("name")
    foot = (
        f'<p><a href="{make_slot("preferences_url")}">Preferences</a> '
        f'<a href="{make_slot("unsubscribe_url")}">Bye</a></p>'
    )
    return (
        f'<html lang="en"><body><p>Dear {name},</p>\n{body}<p>Yours, {name}</p>{foot}</body></html>'
    )


def plain() -> str:
    """Return the same in about 2.5 KB of plain text."""
    body = f"{SENTENCE}\n" * (TEXT_BYTES // len(SENTENCE))
    foot = f"Preferences: {make_slot('preferences_url')}\nBye: {make_slot('unsubscribe_url')}\n"
    return f"Dear {make_slot('name')},\n\n{body}\n{foot}"


def add_campaign(list_id: int) -> int:
    """Add a letter to all of a list, frozen and not begun, and return its id."""
    now = utcnow()
    with transaction() as session:
        campaign = Campaign(
            list_id=list_id,
            kind="letter",
            status="sending",
            subject="Going slowly",
            seed=secrets.token_hex(16),
            created_at=now,
            started_at=now,
        )
        session.add(campaign)
        session.flush()
        session.add(
            Edition(campaign_id=campaign.id, subject="Going slowly", text=plain(), html=html())
        )
        recipients = select(Subscription.id, Subscription.cursor).where(
            Subscription.list_id == list_id
        )
        outbox.freeze(session, campaign, recipients, mail=MailKind.LETTER, now=now)
        return campaign.id
