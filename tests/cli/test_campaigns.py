"""`campaign ls` and `campaign report`: filters, limits that are said, and numbers that come
last.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.app import create_app
from newsletter.db.session import transaction
from newsletter.models import MailingList
from newsletter.services.campaigns import campaigns, state
from newsletter.services.campaigns import report as reports
from newsletter.vocabulary import CampaignKind
from tests.cli.conftest import Run
from tests.smtp.fault_server import FaultServer

LETTER = "---\nsubject: Going slowly\n---\nDear you, read this slowly.\n"
OLD = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def many(newsletter: Run) -> Run:
    """Make an installation with 60 drafts of one list, 55 of them of 2020, and one campaign of
    another.
    """
    assert newsletter("list", "add", "other", "--from", "b@example.org").code == 0
    with create_app().app_context(), transaction() as session:
        lists = {row.slug: row.id for row in session.query(MailingList)}
        for number in range(60):
            created_at = datetime.now(UTC) if number >= 55 else OLD + timedelta(days=number)
            state.add_campaign(
                session, list_id=lists["slow-letters"], kind=CampaignKind.LETTER, now=created_at
            )
        other = state.add_campaign(
            session, list_id=lists["other"], kind=CampaignKind.LETTER, now=OLD
        )
        state.schedule(session, other, datetime.now(UTC) + timedelta(days=9), OLD)
    return newsletter


def test_campaigns_are_listed_with_filters_and_a_limit_that_is_said(many: Run) -> None:
    everything = many("campaign", "ls")
    assert (len(everything.out.splitlines()), everything.err) == (61, ""), "a pipe gets all"
    cut = many("campaign", "ls", "--list", "slow-letters", "--limit", "50")
    assert len(cut.out.splitlines()) == 50
    assert cut.err == "50 of 60; --limit 0 prints all\n"
    cut = many("campaign", "ls", "--json", "--limit", "7")
    assert (len(json.loads(cut.out)), cut.err) == (7, "7 of 61; --limit 0 prints all\n")
    assert len(json.loads(many("campaign", "ls", "--json").out)) == 61
    [scheduled] = json.loads(many("campaign", "ls", "--json", "--status", "scheduled").out)
    assert scheduled["list"] == "other"
    assert len(many("campaign", "ls", "--since", "2021-01-01").out.splitlines()) == 5
    assert len(many("campaign", "ls", "--since", "2020-01-01").out.splitlines()) == 61
    unknown = many("campaign", "ls", "--list", "nope")
    assert (unknown.code, "there is no list nope" in unknown.err) == (1, True)
    assert many("campaign", "ls", "--status", "sending").out == ""


def test_a_report_counts_the_answers_to_a_letters_questions(
    newsletter: Run, tmp_path: Path
) -> None:
    asking = LETTER + "\n[Good?](answer: yes / no)\n"
    (tmp_path / "letter.md").write_text(asking)
    (tmp_path / "bad.md").write_text(asking.replace("yes / no", ""))
    newsletter("subscriber", "add", "a@example.com", "--confirmed", "--because", "x")
    line = asking.count("\n")
    assert (
        f"line {line}: the question has no choices"
        in newsletter("campaign", "preflight", "bad.md", "--offline").err
    )
    newsletter("campaign", "new", "letter.md")
    newsletter("campaign", "send", "1", "--yes", "--offline", "--detach")
    assert "Good?  yes: 0, no: 0\n" in newsletter("campaign", "report", "1").out
    report = json.loads(newsletter("campaign", "report", "1", "--json").out)
    assert report["questions"] == [{"text": "Good?", "choices": [["yes", 0], ["no", 0]]}]


def test_a_report_names_who_did_not_get_it_and_ends_with_the_numbers(
    newsletter: Run, mail: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "letter.md").write_text(LETTER)
    for number in range(6):
        newsletter("subscriber", "add", f"r{number}@example.com", "--confirmed", "--because", "x")
    mail.script["RCPT"] = lambda talk, line: (
        b"250 Ok\r\n" if "<r0@" in line else b"552 5.2.2 Mailbox full\r\n"
    )
    newsletter("campaign", "new", "letter.md")
    draft = newsletter("campaign", "report", "1").out
    assert "Everybody got it" not in draft
    assert draft.endswith("It has not started: nobody was mailed.\n")
    newsletter("campaign", "send", "1", "--yes", "--offline", "--detach")
    waiting = newsletter("campaign", "report", "1")
    assert "@example.com" not in waiting.out, "whoever waits is counted and not named"
    assert "6 waiting" in waiting.out
    newsletter("worker", "--once")
    lines = newsletter("campaign", "report", "1").out.splitlines()
    assert [line.split("\t")[:2] for line in lines[:5]] == [
        [f"r{number}@example.com", "failed"] for number in range(1, 6)
    ]
    assert lines[-2].startswith("6 recipients = 1 sent + 5 failed")
    cut = newsletter("campaign", "report", "1", "--limit", "2")
    assert (cut.out.count("@example.com"), "2 of 5" in cut.err) == (2, True)
    everybody = newsletter("campaign", "report", "1", "--all")
    assert (everybody.out.count("@example.com"), everybody.err) == (6, "")
    report = json.loads(newsletter("campaign", "report", "1", "--json").out)
    assert (len(report["deliveries"]), report["failed"]) == (6, 5)
    cut = newsletter("campaign", "report", "1", "--json", "--limit", "4")
    assert (len(json.loads(cut.out)["deliveries"]), "4 of 6" in cut.err) == (4, True)


def test_deliveries_are_read_a_page_at_a_time(
    newsletter: Run, mail: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "letter.md").write_text(LETTER)
    for number in range(5):
        newsletter("subscriber", "add", f"r{number}@example.com", "--confirmed", "--because", "x")
    newsletter("campaign", "send", "letter.md", "--yes", "--offline")
    (tmp_path / "letter.md").write_text(LETTER.replace("slowly", "fast"))
    newsletter("campaign", "send", "letter.md", "--yes", "--offline")
    monkeypatch.setattr(reports, "PAGE", 2)
    with create_app().app_context():
        addresses = [row.email for row in reports.iterate_deliveries(2, everybody=True)]
        assert addresses == [f"r{number}@example.com" for number in range(5)]
        assert campaigns.get_campaign(2).totals.sent == 5


def test_the_question_before_a_letter_with_two_subjects_counts_the_trial(
    newsletter: Run, tmp_path: Path
) -> None:
    two = LETTER.replace("---\nDear", "subject_b: Going fast\nshare: 40\n---\nDear")
    (tmp_path / "two.md").write_text(two)
    for number in range(10):
        newsletter("subscriber", "add", f"r{number}@example.com", "--confirmed", "--because", "x")
    result = newsletter("campaign", "send", "two.md", "--offline")
    assert result.code == 2
    assert "Mail 4 of 10 subscribers two subjects now?" in result.err
