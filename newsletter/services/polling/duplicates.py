"""Merge entries of a list that tell the same story, so that it is mailed once.

A video that a post of the same day embeds is shown in the post, not beside it. A page that several
feeds of the list lead to is mailed from the first of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session, aliased

from newsletter.html.video_embeds import find_video_ids
from newsletter.i18n import Text
from newsletter.models import CampaignEntry, Edition, Entry, Feed
from newsletter.services.polling import entry_state
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryStatus

SAME_DAY = timedelta(hours=24)
"""The longest time between a video and the post that embeds it."""
LOOK_BACK = timedelta(days=3)
"""Age up to which entries are compared; feeds of one list may be days apart."""


def merge_duplicates(env: Environment, session: Session, list_id: int) -> None:
    """Find and merge recent entries that are one story, such as a post and the video it embeds.

    A video that was mailed before its post came stays mailed; the post goes out as well, because
    its text is new.
    """
    undecided = and_(
        Entry.by_hand.is_(False),
        Entry.withdrawn_at.is_(None),
        Entry.fate.in_((EntryStatus.NEW, EntryStatus.READY, EntryStatus.SENT)),
    )
    recent = and_(Entry.list_id == list_id, Entry.found_at > env.now - LOOK_BACK, undecided)
    _merge_pages(env, session, list_id, recent)
    videos = session.scalars(
        select(Entry).where(recent, Entry.video_id != "", Entry.shown_in_id.is_(None))
    ).all()
    if not videos:
        return
    posts = session.scalars(
        select(Entry).where(recent, Entry.video_id == "").order_by(Entry.id)
    ).all()
    embedded = {post.id: find_video_ids(post.content_html or post.summary_html) for post in posts}
    for video in videos:
        for post in posts:
            apart = abs(_find_date(post) - _find_date(video))
            if video.video_id in embedded[post.id] and apart <= SAME_DAY:
                why = Text("shown in the post %(id)s, which embeds it", id=post.id)
                entry_state.show_in(env, session, video, post, why)
                break


def _merge_pages(
    env: Environment, session: Session, list_id: int, recent: ColumnElement[bool]
) -> None:
    """Merge a waiting entry with the entry of the same page in another feed of the list.

    This is a blog's feed and that of one of its categories, for example. A link that several
    entries of one feed share tells none of them apart.
    """
    feeds = session.scalars(select(Feed.id).where(Feed.list_id == list_id)).all()
    if len(feeds) < 2:
        return
    waits = and_(
        recent,
        Entry.fate.in_((EntryStatus.NEW, EntryStatus.READY)),
        Entry.link_key != "",
        Entry.shown_in_id.is_(None),
    )
    for entry in session.scalars(select(Entry).where(waits).order_by(Entry.id)).all():
        same_link = and_(Entry.feed_id.in_(feeds), Entry.link_key == entry.link_key)
        others = session.scalars(select(Entry).where(same_link).order_by(Entry.id)).all()
        first = next(
            (
                other
                for other in others
                if other.id != entry.id
                and _is_mailed_itself(other)
                and _is_same_story(other, entry)
            ),
            None,
        )
        one_a_feed = len({other.feed_id for other in others}) == len(others)
        if first and first.id < entry.id and one_a_feed:
            why = Text("the same page as entry %(id)s, of another feed", id=first.id)
            entry_state.show_in(env, session, entry, first, why)


def _is_same_story(first: Entry, second: Entry) -> bool:
    """Tell whether entries with one link are the same story, not a comment on that link."""
    return first.title == second.title or first.identity == second.identity


def _is_mailed_itself(entry: Entry) -> bool:
    """Tell whether an entry is, or was, mailed by itself."""
    return (
        entry.fate != EntryStatus.SKIPPED
        and entry.withdrawn_at is None
        and entry.shown_in_id is None
    )


def _find_date(entry: Entry) -> datetime:
    return entry.published_at or entry.found_at


def separate_from_withdrawn(env: Environment, session: Session, post_ids: list[int]) -> None:
    """Release entries that were shown in posts which are withdrawn now.

    A page that was mailed already is not mailed again.
    """
    query = select(Entry).where(Entry.shown_in_id.in_(post_ids), Entry.by_hand.is_(False))
    for entry in session.scalars(query):
        post = session.get_one(Entry, entry.shown_in_id)
        if post.fate == EntryStatus.SENT and post.link_key == entry.link_key:
            continue
        entry_state.stop_showing(env, session, entry)


def hand_over_duplicates(env: Environment, session: Session, feed_id: int) -> None:
    """Replace the entries of a removed feed by the duplicates in other feeds.

    Whoever has received the story has received it, and whoever is owed it still is.
    """
    shown_entry = aliased(Entry)
    query = (
        select(Entry, shown_entry)
        .join(shown_entry, shown_entry.shown_in_id == Entry.id)
        .where(Entry.feed_id == feed_id, shown_entry.feed_id != feed_id)
        .order_by(shown_entry.id)
    )
    heirs: dict[int, Entry] = {}
    for entry, heir in session.execute(query).all():
        if entry.id in heirs:
            heir.shown_in_id = heirs[entry.id].id
            continue
        heirs[entry.id] = heir
        entry_state.take_over(env, session, entry, heir)
        _replace_in_campaigns(session, entry.id, heir.id)


def _replace_in_campaigns(session: Session, before: int, after: int) -> None:
    """Replace the entry `before` by `after` in the campaigns that carried it."""
    campaigns = session.scalars(
        select(CampaignEntry.campaign_id).where(CampaignEntry.entry_id == before)
    ).all()
    carries_both = select(CampaignEntry.campaign_id).where(CampaignEntry.entry_id == after)
    session.execute(
        update(CampaignEntry)
        .where(CampaignEntry.entry_id == before, CampaignEntry.campaign_id.not_in(carries_both))
        .values(entry_id=after)
    )
    for edition in session.scalars(select(Edition).where(Edition.campaign_id.in_(campaigns))):
        edition.entries = [
            after if entry_id == before else entry_id for entry_id in edition.entries
        ]
