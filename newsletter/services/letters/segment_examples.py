"""List example conditions for the segment of a letter."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.models import Tag
from newsletter.services.lists.topics import find_offers
from newsletter.services.lookup import get_list

TAGS_AT_MOST = 20


def list_examples(slug: str, hidden: Collection[str]) -> list[str]:
    """List example conditions for a list: its cadences, topics, and tags unless they are hidden.

    Raises `NotFound`.
    """
    with reading() as session:
        mailing_list = get_list(session, slug)
        cadences = mailing_list.cadences
        examples = [f'cadence == "{cadence}"' for cadence in cadences if len(cadences) > 1]
        topics = find_offers(session, mailing_list.id)
        examples += [f'"{topic.name}" in topics' for topic in topics if '"' not in topic.name]
        if "tags" not in hidden:
            examples += [f'"{tag}" in tags' for tag in _read_first_tags(session)]
        return examples


def _read_first_tags(session: Session) -> list[str]:
    """Read the first tags in alphabetical order, each with one index look-up."""
    tags: list[str] = []
    while len(tags) < TAGS_AT_MOST:
        query = select(func.min(Tag.tag))
        tag = session.scalar(query.where(Tag.tag > tags[-1]) if tags else query)
        if tag is None:
            break
        tags.append(tag)
    return [tag for tag in tags if '"' not in tag and "\\" not in tag]
