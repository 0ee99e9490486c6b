"""The fate of a story whose feed is removed: other feeds' entries take its place."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.db.session import db
from newsletter.models import Campaign, CampaignEntry, Edition, Entry, MailingList
from newsletter.services.polling import duplicates
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryStatus
from tests.fakes import START
from tests.people import add_entry, add_feed, add_list


def add_digest(mailing_list: MailingList, *carried: Entry) -> int:
    ids = [entry.id for entry in carried]
    campaign = Campaign(
        list_id=mailing_list.id,
        kind="digest",
        status="sent",
        subject="News",
        seed="0",
        created_at=START,
    )
    db.session.add(campaign)
    db.session.flush()
    db.session.add_all(
        [
            *(
                CampaignEntry(campaign_id=campaign.id, entry_id=entry_id, position=place)
                for place, entry_id in enumerate(ids)
            ),
            Edition(campaign_id=campaign.id, entries=ids, subject="News", text="t", html="h"),
        ]
    )
    db.session.flush()
    return campaign.id


def read_carried(campaign_id: int) -> tuple[set[int], list[int]]:
    db.session.flush()
    carried = db.session.scalars(
        select(CampaignEntry.entry_id).where(CampaignEntry.campaign_id == campaign_id)
    )
    edition = select(Edition.entries).where(Edition.campaign_id == campaign_id)
    return set(carried), db.session.scalars(edition).one()


def test_the_first_heir_takes_the_place_and_shows_the_others(env: Environment) -> None:
    session = db.session()
    mailing_list = add_list(session)
    removed, second_feed, third = (
        add_feed(session, mailing_list, f"https://blog.example.com/{name}/") for name in "abc"
    )
    page = add_entry(session, removed, "Page", fate="sent")
    other = add_entry(session, second_feed, "Other", fate="sent")
    sibling, twin, heir, second, foreign = (
        add_entry(session, feed, title, fate="skipped")
        for feed, title in (
            (removed, "Sibling"),
            (second_feed, "Twin"),
            (second_feed, "Heir"),
            (third, "Second"),
            (third, "Foreign"),
        )
    )
    for entry in (sibling, heir, second):
        entry.shown_in_id = page.id
    twin.shown_in_id = foreign.shown_in_id = other.id
    campaigns = [
        add_digest(mailing_list, other, page),
        add_digest(mailing_list, other),
        add_digest(mailing_list, page, heir, other),
    ]
    duplicates.hand_over_duplicates(env, session, removed.id)
    assert (heir.fate, heir.shown_in_id) == (EntryStatus.SENT, None)
    assert (second.fate, second.shown_in_id) == (EntryStatus.SKIPPED, heir.id)
    assert (twin.shown_in_id, foreign.shown_in_id) == (other.id, other.id)
    assert (sibling.fate, sibling.shown_in_id) == (EntryStatus.SKIPPED, page.id)
    assert read_carried(campaigns[0]) == ({other.id, heir.id}, [other.id, heir.id])
    assert read_carried(campaigns[1]) == ({other.id}, [other.id])
    assert read_carried(campaigns[2])[0] == {page.id, heir.id, other.id}
