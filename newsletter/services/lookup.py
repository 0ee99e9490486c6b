"""Look up a mailing list by its slug, or a feed by its number or URL.

`get_x` raises an error that tells the author which names there are. Public pages have statements of
their own (signup/forms.py, lists/archived_campaigns.py), which tell a visitor nothing of the sort.
"""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.errors import NotFound, Refused
from newsletter.models import Feed, MailingList


def get_list(session: Session, slug: str | None) -> MailingList:
    """Return the mailing list called `slug`, or (None) the only one there is.

    Raises `NotFound` if there is none, `Refused` if there are several to choose from.
    """
    if slug is not None:
        query = select(MailingList).where(MailingList.slug == slug)
        mailing_list: MailingList | None = session.scalar(query)
        if mailing_list is not None:
            return mailing_list
    lists = session.scalars(select(MailingList).order_by(MailingList.id)).all()
    if not lists:
        raise NotFound(
            "there is no mailing list yet",
            hint="`newsletter init` or `newsletter list add` makes one",
        )
    slugs = [mailing_list.slug for mailing_list in lists]
    if slug is not None:
        raise NotFound(f"there is no list {slug}", hint="lists: " + ", ".join(slugs))
    if len(lists) > 1:
        raise Refused("which list?", hint="--list " + " | ".join(slugs))
    return lists[0]


def get_list_slug(slug: str | None) -> str:
    """Return the slug of the list called `slug`, or (None) of the only one there is.

    Raises `NotFound`, `Refused`.
    """
    with reading() as session:
        return get_list(session, slug).slug


def check_slug(slug: str | None) -> str | None:
    """Return `slug` if a list has it, and None (every list) unchanged.

    Raises `NotFound`.
    """
    return get_list_slug(slug) if slug is not None else None


def get_feed(session: Session, reference: str) -> Feed:
    """Return the feed with this number or URL.

    Raises `NotFound`.
    """
    number = int(reference) if reference.isdecimal() and len(reference) < 10 else 0
    query = select(Feed).where(or_(Feed.id == number, Feed.url == reference)).limit(1)
    feed: Feed | None = session.scalar(query)
    if feed is None:
        raise NotFound(f"there is no feed {reference}", hint="see `newsletter feed ls`")
    return feed
