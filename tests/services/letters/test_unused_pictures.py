"""Test which stored pictures are deleted: those that nothing has shown for 30 days."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.authoring.letter_fields import LetterFields
from newsletter.db.session import reading, transaction
from newsletter.models import (
    Campaign,
    DigestIntro,
    Edition,
    MailingList,
    Picture,
    SeriesLetter,
)
from newsletter.services.letters import manuscript_pictures, manuscripts
from newsletter.services.letters.unused_pictures import KEPT_FOR, delete_unused
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from tests.fakes import Clock
from tests.people import add_list

USED = ("draft", "sent", "step", "edition", "intro", "logo", "written")


@pytest.fixture
def lists(app: Flask, env: Environment) -> dict[str, int]:
    """Two lists, and a picture in each place that shows one."""
    with transaction() as session:
        blog = add_list(session)
        talks = add_list(session, "talks")
        for name in (*USED, "nobody"):
            session.add(_picture(f"{name}.png", env))
        _add_campaigns(session, blog, talks, env.now)
        _add_other_places(session, blog, talks, env.now)
        return {"blog": blog.id, "talks": talks.id}


def _add_campaigns(session: Session, blog: MailingList, talks: MailingList, now: datetime) -> None:
    sent = Campaign(
        list_id=talks.id,
        kind="letter",
        status="sent",
        subject="s",
        seed="s",
        created_at=now,
        pictures={"a.png": "sent.png"},
        source="![](/p/written.png)",
    )
    draft = Campaign(
        list_id=blog.id,
        kind="letter",
        status="draft",
        subject="d",
        seed="d",
        created_at=now,
        pictures={"tree.png": "draft.png"},
    )
    session.add_all([sent, draft])
    session.flush()
    session.add(
        Edition(
            campaign_id=sent.id,
            cursor=-1,
            language="en",
            subject="s",
            text="t",
            html='<img src="https://news.example.com/blog/pictures/edition.png">',
        )
    )


def _add_other_places(
    session: Session, blog: MailingList, talks: MailingList, now: datetime
) -> None:
    session.add(
        SeriesLetter(
            list_id=talks.id,
            after_seconds=0,
            subject="w",
            source="x",
            file="",
            digest="x",
            created_at=now,
            pictures={"b.png": "step.png"},
        )
    )
    session.add(
        DigestIntro(list_id=blog.id, cadence="weekly", text="![](/x/intro.png)", created_at=now)
    )
    blog.logo_url = "https://news.example.com/blog/pictures/logo.png"


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, "PNG")
    return out.getvalue()


def _picture(name: str, env: Environment) -> Picture:
    return Picture(name=name, media_type="image/png", width=1, data=b"x", created_at=env.now)


def _names() -> set[str]:
    with reading() as session:
        return {name.removesuffix(".png") for name in session.scalars(select(Picture.name))}


def test_only_a_picture_that_nothing_shows_is_deleted_after_30_days(
    env: Environment, clock: Clock, lists: dict[str, int]
) -> None:
    clock.forward(KEPT_FOR - timedelta(hours=1))
    assert delete_unused(env) == 0
    clock.forward(timedelta(hours=2))
    with transaction() as session:
        session.add(_picture("fresh.png", env))
    assert delete_unused(env) == 1
    assert _names() == {*USED, "fresh"}


def test_what_is_uploaded_again_is_kept_as_long_as_if_it_were_new(
    env: Environment, clock: Clock, lists: dict[str, int]
) -> None:
    mine = manuscripts.start_draft(env, "blog", LetterFields(subject="x", body="y"))
    manuscript_pictures.add_picture(env, mine, png(), called="tree.png")
    manuscripts.discard_draft(env, mine)
    clock.forward(KEPT_FOR - timedelta(days=1))
    other = manuscripts.start_draft(env, "talks", LetterFields(subject="x", body="y"))
    manuscript_pictures.add_picture(env, other, png(), called="bush.png")
    clock.forward(timedelta(days=2))
    cleanup.clean_up(env)
    with reading() as session:
        stored = session.get_one(Campaign, other).pictures
    assert {name.removesuffix(".png") for name in (stored or {}).values()} <= _names()
    manuscripts.discard_draft(env, other)
    clock.forward(KEPT_FOR)
    cleanup.clean_up(env)
    assert _names() == set(USED)
