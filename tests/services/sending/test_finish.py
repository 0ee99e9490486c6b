"""The end of the sending of a campaign: sent, or paused with a reason that its author hears."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from newsletter.db.session import db, transaction
from newsletter.models import Campaign, Delivery
from newsletter.services.campaigns import campaigns
from newsletter.services.runtime import Environment
from newsletter.services.sending import finish
from newsletter.vocabulary import MailKind
from tests.services.sending.test_outbox_edges import interleaved
from tests.services.sending.test_run import status


@pytest.fixture
def campaign(env: Environment) -> int:
    """Make a campaign whose messages are all sent, beside another that waits."""
    first, _, _ = interleaved(env)
    with transaction() as session:
        session.execute(update(Campaign).values(leased_id=Campaign.last_id))
    settle(env, first, status="sent")
    return first


def settle(env: Environment, campaign: int, **values: object) -> None:
    with transaction() as session:
        of_campaign = update(Delivery).where(Delivery.campaign_id == campaign)
        session.execute(of_campaign.values(finished_at=env.now, **values))


def list_notices() -> list[str]:
    db.session.rollback()
    query = select(Delivery.context).where(Delivery.mail == MailKind.NOTICE)
    return [str(context) for context in db.session.scalars(query)]


def test_a_campaign_that_failed_for_everybody_is_paused_and_its_author_is_told(
    env: Environment, campaign: int
) -> None:
    settle(env, campaign, status="failed", text="550 no such list")
    finish.close(env, campaign)
    assert status(campaign) == "paused"
    reason = campaigns.get_campaign(campaign).reason
    assert reason == "it failed for every recipient: 550 no such list"
    [notice] = list_notices()
    assert "550 no such list" in notice


@pytest.mark.parametrize("other", ["sent", "in_doubt"])
def test_one_that_reached_somebody_is_sent(env: Environment, campaign: int, other: str) -> None:
    settle(env, campaign, status="failed", text="550 no such list")
    with transaction() as session:
        one = session.scalars(select(Delivery).where(Delivery.campaign_id == campaign)).first()
        assert one is not None
        session.execute(update(Delivery).where(Delivery.id == one.id).values(status=other))
    finish.close(env, campaign)
    assert (status(campaign), list_notices()) == ("sent", [])


@pytest.mark.parametrize(
    ("subject_b", "picked", "end"),
    [(None, None, "sent"), ("B", "a", "sent"), ("B", None, "paused")],
)
def test_one_with_two_subjects_waits_until_one_is_picked(
    env: Environment, campaign: int, subject_b: str | None, picked: str | None, end: str
) -> None:
    with transaction() as session:
        row = session.get_one(Campaign, campaign)
        row.subject_b = subject_b or row.subject_b
        row.picked = picked or row.picked
    finish.close(env, campaign)
    assert (status(campaign), list_notices()) == (end, [])
    if end == "paused":
        assert f"newsletter campaign pick {campaign} a" in campaigns.get_campaign(campaign).reason


def test_a_campaign_is_paused_once_and_only_while_it_is_being_sent(
    env: Environment, campaign: int
) -> None:
    finish.pause(env, campaign, "servers refuse it")
    finish.pause(env, campaign, "for another reason")
    assert status(campaign) == "paused"
    assert campaigns.get_campaign(campaign).reason == "servers refuse it"
    assert len(list_notices()) == 1
