"""The words for what keeps an entry back and for the campaigns that carried it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import Campaign, CampaignEntry, Entry, MailingList, Subscription
from newsletter.services.digests import explain_list
from newsletter.services.digests.entry_outlook import Course, EntryOutlook, find_grace
from newsletter.services.runtime import Environment
from tests.fakes import START
from tests.people import add_entry, add_feed, add_list, add_reader

DAY = timedelta(days=1)

Values = dict[str, object]


@pytest.fixture(autouse=True)
def list_id(env: Environment) -> int:
    """Add a list with an entry for two weekly subscribers, beside another like it."""
    with transaction() as session:
        for slug in ("other", "blog"):
            mailing_list = add_list(session, slug)
            feed = add_feed(session, mailing_list, f"https://{slug}.example.com/feed/")
            add_entry(session, feed, f"{slug} post")
            for name in ("ann", "ben"):
                add_reader(session, mailing_list, f"{name}@{slug}.example.com")
        return mailing_list.id


def change(model: type, condition: object, **values: object) -> None:
    with transaction() as session:
        for row in session.scalars(select(model).where(condition)):  # type: ignore[arg-type]
            for name, value in values.items():
                setattr(row, name, value)


def find_id(title: str) -> int:
    db.session.rollback()
    return db.session.scalars(select(Entry.id).where(Entry.title == title)).one()


def explain_post(env: Environment) -> EntryOutlook:
    entries = explain_list.explain(env, "blog").entries
    return next(entry for entry in entries if entry.title == "blog post")


@pytest.mark.parametrize(
    ("values", "course", "verdict"),
    [
        ({"fate": "held", "why": "moved"}, Course.WAITS, "held: moved"),
        ({"fate": "new", "why": ""}, Course.WAITS, "new"),
        ({"fate": "skipped", "why": "skipped by hand"}, Course.NEVER, "skipped by hand"),
        (
            {"fate": "sent", "withdrawn_at": START},
            Course.NEVER,
            "withdrawn: its feed does not have it any more",
        ),
        ({"shown_in_id": 77}, Course.NEVER, "shown in entry 77"),
    ],
)
def test_what_keeps_an_entry_from_everybody_is_told(
    env: Environment, values: Values, course: Course, verdict: str
) -> None:
    change(Entry, Entry.title == "blog post", **values)
    outlook = explain_post(env)
    assert (outlook.course, outlook.verdict) == (course, verdict)


@pytest.mark.parametrize(
    ("cursor", "course", "rest"),
    [(1, Course.SENT, ""), (0, Course.GOES, "; goes to 2 weekly subscribers")],
)
def test_campaigns_with_an_entry_are_named(
    env: Environment, list_id: int, cursor: int, course: Course, rest: str
) -> None:
    condition = Subscription.list_id == list_id
    change(Subscription, condition, cursor=cursor)
    with transaction() as session:
        campaigns = [
            Campaign(
                list_id=list_id,
                kind="digest",
                status=status,
                subject="s",
                seed="0",
                created_at=START,
            )
            for status in ("sent", "sent", "cancelled")
        ]
        session.add_all(campaigns)
        session.flush()
        first, second, third = (campaign.id for campaign in campaigns)
    entry_ids = [find_id("blog post"), find_id("other post"), find_id("blog post")]
    with transaction() as session:
        session.add_all(
            CampaignEntry(campaign_id=campaign_id, entry_id=entry_id, position=0)
            for campaign_id, entry_id in zip((first, second, third), entry_ids, strict=True)
        )
    outlook = explain_post(env)
    assert outlook.course is course
    assert outlook.verdict == (
        f"mailed with campaign {first} (0 recipients); "
        f"campaign {third} with it was cancelled and reached nobody: "
        f"`newsletter entry resend {entry_ids[0]}` mails it again{rest}"
    )


@pytest.mark.parametrize(
    ("matures", "waits"),
    [(None, False), (timedelta(), False), (timedelta(seconds=1), True), (-DAY, False)],
)
def test_corrections_of_an_entry_are_awaited_until_it_matures(
    env: Environment, list_id: int, matures: timedelta | None, waits: bool
) -> None:
    mailing_list = db.session.get_one(MailingList, list_id)
    entry = db.session.get_one(Entry, find_id("blog post"))
    entry.matures_at = START + matures if matures is not None else None
    expected = (Course.WAITS, "for corrections, until 09:00 UTC") if waits else None
    assert find_grace(env, mailing_list, entry) == expected
    db.session.rollback()


@pytest.mark.parametrize(("count", "words"), [(1, "1 recipient"), (2, "2 recipients")])
def test_recipients_of_a_campaign_are_counted(
    env: Environment, list_id: int, count: int, words: str
) -> None:
    post = find_id("blog post")
    with transaction() as session:
        campaign = Campaign(
            list_id=list_id,
            kind="digest",
            status="sent",
            subject="s",
            seed="0",
            created_at=START,
            recipients=count,
        )
        session.add(campaign)
        session.flush()
        session.add(CampaignEntry(campaign_id=campaign.id, entry_id=post, position=0))
    assert f"({words})" in explain_post(env).verdict
