"""The life of a campaign: one module changes its status, and each change leaves an event."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

import newsletter
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, rehearsal, transaction
from newsletter.errors import Refused
from newsletter.models import Campaign, Event
from newsletter.services.campaigns import campaigns, state
from newsletter.services.campaigns.state import PauseCause
from newsletter.services.letters import send as letters
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import Actor, CampaignKind, CampaignStatus, EventKind
from tests.fakes import Clock
from tests.people import add_list, add_reader

PACKAGE = Path(newsletter.__file__).parent
HOME = PACKAGE / "services" / "campaigns" / "state.py"
OTHER_STATUSES = ("feed", "subscription", "self", "stored_message", "kept_request")
"""Names whose `status` is not a campaign's."""


def changes_of_status(source: str) -> list[int]:
    """Find the lines that make a campaign or assign its status."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            names = [keyword.arg for keyword in node.keywords]
            is_made = function == "Campaign"
            is_updated = function.endswith(".values") and "update(Campaign)" in function
            is_set = function == "setattr" and "'status'" in ast.unparse(node)
            if is_made or (is_updated and "status" in names) or is_set:
                lines.append(node.lineno)
        for target in targets:
            for part in ast.walk(target):
                is_stored = isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store)
                is_status = is_stored and ast.unparse(part).endswith(".status")
                if is_status and ast.unparse(part).removesuffix(".status") not in OTHER_STATUSES:
                    lines.append(target.lineno)
    return lines


def test_only_one_module_changes_the_status_of_a_campaign() -> None:
    for file in PACKAGE.rglob("*.py"):
        if file != HOME:
            assert changes_of_status(file.read_text()) == [], file
    assert changes_of_status(HOME.read_text())


@pytest.mark.parametrize(
    "line",
    [
        "campaign.status = CampaignStatus.SENT",
        "row.status, row.reason = 'sent', ''",
        "Campaign(list_id=1, status='draft')",
        "session.execute(update(Campaign).where(x).values(status='sent'))",
        "setattr(campaign, 'status', 'sent')",
    ],
)
def test_the_guard_notices_a_change_elsewhere(line: str) -> None:
    assert changes_of_status(line) == [1]


@pytest.fixture
def other(env: Environment) -> int:
    """Return a campaign of another list, which is being sent throughout."""
    with transaction() as session:
        mailing_list = add_list(session, "other")
        add_reader(session, mailing_list, "zoe@example.com")
    return letters.send_letter(env, parse_letter("---\nsubject: Other\n---\n\nText"), "other")


def events_of(campaign_id: int) -> list[tuple[EventKind, Actor, str]]:
    query = select(Event.kind, Event.actor, Event.reason).where(Event.campaign_id == campaign_id)
    return [
        (row.kind, row.actor, row.reason) for row in db.session.execute(query.order_by(Event.id))
    ]


def test_every_change_is_an_event(env: Environment, clock: Clock, other: int) -> None:
    with transaction() as session:
        add_reader(session, add_list(session), "ana@example.com")
    letter = parse_letter("---\nsubject: Hello\n---\n\nText")
    at = env.now + timedelta(hours=1)
    campaign_id = letters.send_letter(env, letter, "blog", send_at=at)
    campaigns.pause(env, campaign_id)
    campaigns.resume(env, campaign_id)
    clock.forward(timedelta(hours=2))
    assert letters.start_due_letters(env) == [campaign_id]
    sending.send_due(env, campaign_id=campaign_id)
    assert events_of(campaign_id) == [
        (EventKind.CAMPAIGN_SCHEDULED, Actor.AUTHOR, ""),
        (EventKind.CAMPAIGN_PAUSED, Actor.AUTHOR, "author"),
        (EventKind.CAMPAIGN_RESUMED, Actor.AUTHOR, ""),
        (EventKind.CAMPAIGN_STARTED, Actor.SYSTEM, ""),
        (EventKind.CAMPAIGN_FINISHED, Actor.SYSTEM, ""),
    ]
    assert events_of(other) == [(EventKind.CAMPAIGN_STARTED, Actor.AUTHOR, "")]


def test_a_finished_campaign_is_not_counted_again(env: Environment, other: int) -> None:
    with transaction() as session:
        add_reader(session, add_list(session), "ana@example.com")
    campaign_id = letters.send_letter(env, parse_letter("---\nsubject: Hello\n---\n\nText"), "blog")
    assert db.session.get_one(Campaign, campaign_id).final_totals is None
    sending.send_due(env, campaign_id=campaign_id)
    db.session.expire_all()
    campaign = db.session.get_one(Campaign, campaign_id)
    assert campaign.final_totals is not None
    assert campaign.final_totals["sent"] == 1
    with transaction() as session:
        session.get_one(Campaign, campaign_id).final_totals = {"sent": 7}
    assert campaigns.get_campaign(campaign_id).totals.sent == 7
    assert campaigns.get_campaign(other).totals.waiting == 1


def test_what_has_ended_or_not_begun_moves_no_further(env: Environment, other: int) -> None:
    campaigns.cancel(env, other)
    assert events_of(other)[-1] == (EventKind.CAMPAIGN_CANCELLED, Actor.AUTHOR, "")
    with transaction() as session:
        mailing_list = add_list(session)
        draft = state.add_campaign(
            session, list_id=mailing_list.id, kind=CampaignKind.LETTER, now=env.now
        )
        draft_id = draft.id
    for campaign_id in (other, draft_id):
        for change in (campaigns.pause, campaigns.resume):
            with pytest.raises(Refused):
                change(env, campaign_id)
    with pytest.raises(Refused, match="cancelled already"):
        campaigns.cancel(env, other)
    assert campaigns.get_campaign(draft_id).status == CampaignStatus.DRAFT


def test_a_rehearsal_leaves_no_event(env: Environment, other: int) -> None:
    before = len(events_of(other))
    with rehearsal() as session:
        campaign = session.get_one(Campaign, other)
        state.pause(session, campaign, "tried", PauseCause.AUTHOR, env.now)
    assert len(events_of(other)) == before
