"""Lists, readers and entries for tests, made directly in the database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.access_vocabulary import AuthorRole
from newsletter.db.session import reading, transaction
from newsletter.models import (
    AuthorSession,
    Campaign,
    Entry,
    Feed,
    MailingList,
    Subscriber,
    Subscription,
)
from newsletter.services.authors import authors, sessions
from newsletter.services.runtime import Environment
from newsletter.tokens import new_handle
from newsletter.web.uploads import make_ticket
from tests.fakes import START


def add_list(session: Session, slug: str = "blog", **values: object) -> MailingList:
    """Add a list that offers every cadence, weekly by default, on Mondays at 8 UTC."""
    defaults: dict[str, object] = {
        "title": "Slow Letters",
        "from_name": "Ana Coach",
        "from_email": "ana@news.example.com",
        "postal_address": "1 Main Street, 10115 Berlin",
        "cadences": ["instant", "daily", "weekly", "monthly"],
        "default_cadence": "weekly",
        "schedule_since": START,
        "created_at": START,
    }
    result = MailingList(slug=slug, **(defaults | values))
    session.add(result)
    session.flush()
    return result


def add_reader(
    session: Session,
    mailing_list: MailingList,
    email: str,
    *,
    name: str = "",
    status: str = "active",
    cadence: str = "weekly",
    cursor: int = 0,
    now: datetime = START,
) -> Subscription:
    """Add a subscriber on `mailing_list`."""
    subscriber = Subscriber(
        handle=new_handle(), email=email, email_key=email.lower(), name=name, created_at=now
    )
    subscription = Subscription(
        handle=new_handle(),
        list_id=mailing_list.id,
        subscriber=subscriber,
        status=status,
        cadence=cadence,
        cursor=cursor,
        created_at=now,
        confirmed_at=now if status == "active" else None,
    )
    session.add_all([subscriber, subscription])
    session.flush()
    return subscription


def add_feed(
    session: Session, mailing_list: MailingList, url: str = "https://blog.example.com/feed/"
) -> Feed:
    """Add a feed that was just read."""
    feed = Feed(
        list_id=mailing_list.id,
        url=url,
        title="Blog",
        next_poll_at=START,
        created_at=START,
        read_at=START,
    )
    session.add(feed)
    session.flush()
    return feed


def add_entry(
    session: Session, feed: Feed, title: str, *, fate: str = "ready", now: datetime = START
) -> Entry:
    """Add an entry; a ready one gets its list's next number."""
    seq = None
    if fate == "ready":
        mailing_list = session.get_one(MailingList, feed.list_id)
        mailing_list.entry_seq += 1
        seq = mailing_list.entry_seq
    link = f"https://blog.example.com/{title.lower().replace(' ', '-')}/"
    entry = Entry(
        feed_id=feed.id,
        list_id=feed.list_id,
        identity=link,
        link=link,
        link_key=link.removeprefix("https:"),
        title=title,
        found_at=now,
        published_at=now,
        content_html=f"<p>All about {title}.</p>",
        categories=[],
        fate=fate,
        seq=seq,
    )
    session.add(entry)
    session.flush()
    return entry


def campaign_handle(campaign_id: int) -> str:
    """Return what a campaign is called outside, as in the archive."""
    with reading() as session:
        return session.scalars(select(Campaign.handle).where(Campaign.id == campaign_id)).one()


def add_upload_ticket(env: Environment) -> str:
    """Return the ticket of an upload form that an owner, who is logged in, has opened."""
    authors.add_author(env, "uploads@example.com", role=AuthorRole.OWNER)
    with transaction() as session:
        author = authors.get_author(session, "uploads@example.com")
        sessions.start_session(env, session, author, replaces=None)
        session.flush()
        opened = session.scalars(select(func.max(AuthorSession.id))).one()
    return make_ticket(env, opened)
