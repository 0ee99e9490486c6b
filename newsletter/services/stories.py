"""One story, told once: a video of the list that a post of the same day embeds is shown in the post, not beside it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from newsletter.content import video_ids
from newsletter.models import Entry
from newsletter.services.entries import make_ready
from newsletter.services.environment import Environment

SAME_DAY = timedelta(hours=24)
LOOK_BACK = timedelta(days=3)


def join(env: Environment, session: Session, list_id: int) -> None:
    """Finds posts and videos that are one story among what was found of late. What a reader has had already she has
    had; where the video was mailed before its post came, the post goes out as well: its words are new."""
    undecided = and_(Entry.by_hand.is_(False), Entry.withdrawn_at.is_(None), Entry.fate.in_(("new", "ready", "sent")))
    lately = and_(Entry.list_id == list_id, Entry.found_at > env.now - LOOK_BACK, undecided)
    videos = session.scalars(select(Entry).where(lately, Entry.video_id != "", Entry.shown_in_id.is_(None))).all()
    if not videos:
        return
    posts = session.scalars(select(Entry).where(lately, Entry.video_id == "").order_by(Entry.id)).all()
    embedded = {post.id: video_ids(post.content_html or post.summary_html) for post in posts}
    for video in videos:
        for post in posts:
            if video.video_id in embedded[post.id] and abs(_when(post) - _when(video)) <= SAME_DAY:
                _show(video, post)
                break


def _show(video: Entry, post: Entry) -> None:
    video.shown_in_id = post.id
    if video.fate != "sent":
        video.fate, video.seq, video.why = "skipped", None, f"shown in the post {post.id}, which embeds it"


def _when(entry: Entry) -> datetime:
    return entry.published_at or entry.found_at


def part(env: Environment, session: Session, post_ids: list[int]) -> None:
    """Lets videos go out by themselves whose post was withdrawn."""
    for video in session.scalars(select(Entry).where(Entry.shown_in_id.in_(post_ids), Entry.by_hand.is_(False))):
        video.shown_in_id = None
        if video.fate == "skipped" and video.withdrawn_at is None:
            make_ready(session, video, "its post was withdrawn", grace_from=env.now)
