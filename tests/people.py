"""Lists, readers and entries for tests, made directly in the database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.models import Campaign, Entry, Feed, MailingList, Subscriber, Subscription
from newsletter.tokens import new_handle
from tests.fakes import START


def add_list(session: Session, slug: str = "blog", **values: object) -> MailingList:
    """A list that offers every cadence, weekly by default, on Mondays at 8 UTC."""
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
    found = MailingList(slug=slug, **(defaults | values))
    session.add(found)
    session.flush()
    return found


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
    """A subscriber on `mailing_list`."""
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
    """A feed that was just read."""
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
    """An entry; a ready one gets its list's next number."""
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
    """What a campaign is called outside, as in the archive."""
    with reading() as session:
        return session.scalars(select(Campaign.handle).where(Campaign.id == campaign_id)).one()
