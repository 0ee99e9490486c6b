"""One story, told once: a video of the list that a post of the same day embeds is shown in the
post, not beside it; a page that several feeds of the list lead to is mailed from the first.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session, aliased

from newsletter.html.video_embeds import find_video_ids
from newsletter.models import CampaignEntry, Edition, Entry, Feed
from newsletter.services.polling.entries import make_ready
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryStatus

SAME_DAY = timedelta(hours=24)
LOOK_BACK = timedelta(days=3)


def merge_duplicates(env: Environment, session: Session, list_id: int) -> None:
    """Find posts and videos that are one story among what was found of late.

    What a reader has had already she has had; where the video was mailed before its post came, the
    post goes out as well: its words are new.
    """
    undecided = and_(
        Entry.by_hand.is_(False),
        Entry.withdrawn_at.is_(None),
        Entry.fate.in_(("new", "ready", "sent")),
    )
    lately = and_(Entry.list_id == list_id, Entry.found_at > env.now - LOOK_BACK, undecided)
    _merge_pages(session, list_id, lately)
    videos = session.scalars(
        select(Entry).where(lately, Entry.video_id != "", Entry.shown_in_id.is_(None))
    ).all()
    if not videos:
        return
    posts = session.scalars(
        select(Entry).where(lately, Entry.video_id == "").order_by(Entry.id)
    ).all()
    embedded = {post.id: find_video_ids(post.content_html or post.summary_html) for post in posts}
    for video in videos:
        for post in posts:
            if (
                video.video_id in embedded[post.id]
                and abs(_moment_of(post) - _moment_of(video)) <= SAME_DAY
            ):
                _show(video, post, f"shown in the post {post.id}, which embeds it")
                break


def _merge_pages(session: Session, list_id: int, lately: ColumnElement[bool]) -> None:
    """Find what waits in one feed and is, or was, mailed from another: a blog's feed and that of
    one of its categories. A link that entries of one feed share tells none of them apart.
    """
    feeds = session.scalars(select(Feed.id).where(Feed.list_id == list_id)).all()
    if len(feeds) < 2:
        return
    waits = and_(
        lately, Entry.fate.in_(("new", "ready")), Entry.link_key != "", Entry.shown_in_id.is_(None)
    )
    for entry in session.scalars(select(Entry).where(waits).order_by(Entry.id)).all():
        linked = and_(Entry.feed_id.in_(feeds), Entry.link_key == entry.link_key)
        there = session.scalars(select(Entry).where(linked).order_by(Entry.id)).all()
        first = next(
            (
                each
                for each in there
                if each.id != entry.id and _is_mailed_itself(each) and _is_same_story(each, entry)
            ),
            None,
        )
        if first and first.id < entry.id and len({each.feed_id for each in there}) == len(there):
            _show(entry, first, f"the same page as entry {first.id}, of another feed")


def _is_same_story(one: Entry, other: Entry) -> bool:
    """Tell whether entries of one page say the same: others may only link to it, with words of
    their own.
    """
    return one.title == other.title or one.identity == other.identity


def _is_mailed_itself(entry: Entry) -> bool:
    """Tell whether an entry is, or was, to be mailed by itself."""
    return entry.fate != "skipped" and entry.withdrawn_at is None and entry.shown_in_id is None


def _show(entry: Entry, where: Entry, why: str) -> None:
    entry.shown_in_id = where.id
    if entry.fate != "sent":
        entry.fate, entry.seq, entry.why = EntryStatus.SKIPPED, None, why


def _moment_of(entry: Entry) -> datetime:
    return entry.published_at or entry.found_at


def separate_from_withdrawn(env: Environment, session: Session, post_ids: list[int]) -> None:
    """Let go out by itself what was shown in posts that were withdrawn; not a page that was mailed
    already.
    """
    for entry in session.scalars(
        select(Entry).where(Entry.shown_in_id.in_(post_ids), Entry.by_hand.is_(False))
    ):
        post = session.get_one(Entry, entry.shown_in_id)
        if post.fate == "sent" and post.link_key == entry.link_key:
            continue
        entry.shown_in_id = None
        if entry.fate == "skipped" and entry.withdrawn_at is None:
            make_ready(session, entry, "its post was withdrawn", grace_from=env.now)


def hand_over_duplicates(session: Session, feed_id: int) -> None:
    """Give the place of a feed's entries to what was shown in them and is in another feed: whoever
    has had the story has had it, and who is owed it still is.
    """
    shown = aliased(Entry)
    query = select(Entry, shown).join(shown, shown.shown_in_id == Entry.id).order_by(shown.id)
    heirs: dict[int, Entry] = {}
    for entry, heir in session.execute(
        query.where(Entry.feed_id == feed_id, shown.feed_id != feed_id)
    ).all():
        if entry.id in heirs:
            heir.shown_in_id = heirs[entry.id].id
            continue
        heirs[entry.id] = heir
        heir.shown_in_id = entry.shown_in_id
        for name in ("fate", "why", "seq", "first_seq", "matures_at", "by_hand"):
            setattr(heir, name, getattr(entry, name))
        _replace_in_campaigns(session, entry.id, heir.id)


def _replace_in_campaigns(session: Session, before: int, after: int) -> None:
    """Note in what was mailed that it carried another entry."""
    campaigns = session.scalars(
        select(CampaignEntry.campaign_id).where(CampaignEntry.entry_id == before)
    ).all()
    known = select(CampaignEntry.campaign_id).where(CampaignEntry.entry_id == after)
    session.execute(
        update(CampaignEntry)
        .where(CampaignEntry.entry_id == before, CampaignEntry.campaign_id.not_in(known))
        .values(entry_id=after)
    )
    for edition in session.scalars(select(Edition).where(Edition.campaign_id.in_(campaigns))):
        edition.entries = [after if number == before else number for number in edition.entries]
