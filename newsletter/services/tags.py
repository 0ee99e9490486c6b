"""Manage the tags of subscribers, used in segments and letters."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.errors import InvalidInput
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text
from newsletter.models import Tag


def clean_tags(words: Iterable[str]) -> tuple[str, ...]:
    """Return tags in the form that is stored: lower case, sorted, without duplicates.

    Raises `InvalidInput` for what cannot be one.
    """
    tags = []
    for word in words:
        tag = to_plain_line(word, limit=200).lower().strip('"')
        if len(tag) > 60 or "," in tag:
            raise InvalidInput(
                {
                    "tag": Text(
                        "%(tag)s is not a tag; use at most 60 characters and no comma",
                        tag=f"{tag[:40]!r}",
                    )
                }
            )
        if tag:
            tags.append(tag)
    return tuple(dict.fromkeys(tags))


def read_tags(session: Session, subscriber_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Read the tags of several subscribers, in alphabetical order."""
    query = (
        select(Tag.subscriber_id, Tag.tag)
        .where(Tag.subscriber_id.in_(subscriber_ids))
        .order_by(Tag.tag)
    )
    by_subscriber: dict[int, list[str]] = {}
    for subscriber_id, tag in session.execute(query):
        by_subscriber.setdefault(subscriber_id, []).append(tag)
    return {subscriber_id: tuple(tags) for subscriber_id, tags in by_subscriber.items()}


def add_tags(session: Session, subscriber_id: int, words: Iterable[str]) -> None:
    """Add tags to a subscriber.

    In the caller's transaction.
    """
    known = set(session.scalars(select(Tag.tag).where(Tag.subscriber_id == subscriber_id)))
    session.add_all(
        Tag(subscriber_id=subscriber_id, tag=tag) for tag in clean_tags(words) if tag not in known
    )


def remove_tags(session: Session, subscriber_id: int, words: Iterable[str]) -> None:
    """Remove tags from a subscriber.

    In the caller's transaction.
    """
    session.execute(
        delete(Tag).where(Tag.subscriber_id == subscriber_id, Tag.tag.in_(clean_tags(words)))
    )
