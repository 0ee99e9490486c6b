"""Counts and lines of the outcomes of a run: enough for figures, nothing that names anybody."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from newsletter.mail.smtp.types import Outcome, Reply, Result, Stage
from newsletter.outbox import DeliveryUpdate
from newsletter.services.figures import Counted, cut, name_minutes
from newsletter.services.sending.outcome_log import OutcomeLog
from newsletter.services.sightings import Sightings
from newsletter.services.tally import Tally
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import DeliveryStatus, MailKind
from tests.fakes import START
from tests.services.sending.test_retry import ROW

pytestmark = pytest.mark.any_database

CAMPAIGN = ROW._replace(id=7, campaign_id=31, list_id=5)
SINGLE = ROW._replace(id=8, campaign_id=None, list_id=5, mail=MailKind.GOODBYE)
TAKEN = DeliveryUpdate(0, DeliveryStatus.SENT, 250, None)
LATER = DeliveryUpdate(0, DeliveryStatus.QUEUED, 451, None, due_at=START + timedelta(hours=1))
FAILED = DeliveryUpdate(0, DeliveryStatus.FAILED, 550, None)


class Logged:
    """A log of outcomes, with what it counts in."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.sightings = Sightings()
        self.log = OutcomeLog(self.tally, self.sightings)

    def record(
        self, row: object, update: DeliveryUpdate, code: int = 250, domain: str = "b.example"
    ) -> dict[str, int]:
        """Record an outcome and return what was counted."""
        outcome = Outcome(0, Result.ACCEPTED, Stage.END, Reply(code, "5.1.1", "no"), "mx:25")
        self.log.record(row, outcome, update, domain=domain, now=START)  # type: ignore[arg-type]
        return self.tally.take()


def test_outcomes_are_counted_by_the_class_of_their_domain() -> None:
    logged = Logged()
    assert logged.record(CAMPAIGN, TAKEN) == {"messages/sent/other": 1}
    assert logged.record(SINGLE, FAILED, domain="GMAIL.com") == {"messages/failed/google": 1}
    assert logged.record(SINGLE, LATER) == {"messages/deferred/other": 1}


def test_the_time_of_an_answer_is_measured_once_and_only_if_there_was_one() -> None:
    logged = Logged()
    logged.log.record_offer(CAMPAIGN.id)
    assert "smtp_seconds/ms" not in logged.record(SINGLE, TAKEN), "it was never offered"
    counts = logged.record(CAMPAIGN, TAKEN)
    assert {"smtp_seconds/ms", "messages/sent/other"} < counts.keys()
    assert "smtp_seconds/inf" not in counts, "less than a minute"
    assert "smtp_seconds/ms" not in logged.record(CAMPAIGN, TAKEN)
    logged.log.record_offer(CAMPAIGN.id)
    assert "smtp_seconds/ms" not in logged.record(CAMPAIGN, LATER, code=0)


def test_what_a_campaign_defers_is_counted_by_its_minutes() -> None:
    logged = Logged()
    for row, update in (
        (CAMPAIGN, LATER),
        (CAMPAIGN, LATER),
        (CAMPAIGN, TAKEN),
        (SINGLE, LATER),
        (CAMPAIGN._replace(list_id=None), LATER),
    ):
        logged.record(row, update)
    assert logged.sightings.take() == [
        Counted(5, Figure.DEFERRED, cut(START), name_minutes(START), 2, 31)
    ]


def test_only_what_failed_for_good_is_logged_without_a_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logged = Logged()
    with caplog.at_level(logging.INFO):
        logged.record(CAMPAIGN, TAKEN)
        logged.record(CAMPAIGN, LATER, code=451)
        logged.record(CAMPAIGN, FAILED, code=550)
        logged.record(SINGLE, FAILED, code=552)
    assert [record.getMessage() for record in caplog.records] == [
        "campaign 31: a message was refused for good: 550 5.1.1 (other)",
        "mail goodbye: a message was refused for good: 552 5.1.1 (other)",
    ]
