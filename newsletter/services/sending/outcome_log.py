"""Count and log the outcomes of messages, without addresses."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from newsletter.logs import name_event
from newsletter.mail.smtp.types import Outcome
from newsletter.outbox import DeliveryUpdate, LeasedDelivery
from newsletter.services.figures import Counted, name_minutes
from newsletter.services.sightings import Sightings
from newsletter.services.tally import Tally, classify_domain
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import DeliveryStatus

log = logging.getLogger("newsletter.sending")


class OutcomeLog:
    """Counts the outcomes of one run, and logs each permanent refusal."""

    def __init__(self, tally: Tally, sightings: Sightings) -> None:
        self._tally = tally
        self._sightings = sightings
        self._offered_at: dict[int, float] = {}

    def record_offer(self, delivery_id: int) -> None:
        """Record the time when a message was handed to a connection."""
        self._offered_at[delivery_id] = time.monotonic()

    def record(
        self,
        row: LeasedDelivery,
        outcome: Outcome,
        update: DeliveryUpdate,
        *,
        domain: str,
        now: datetime,
    ) -> None:
        """Count an outcome and its duration, by the class of the recipient's domain."""
        if update.due_at and row.campaign_id and row.list_id:
            name = name_minutes(now)
            deferred = Counted(row.list_id, Figure.DEFERRED, now, name, campaign_id=row.campaign_id)
            self._sightings.count(deferred)
        kind = classify_domain(domain)
        self._tally.count("messages", "deferred" if update.due_at else update.status, kind)
        offered_at = self._offered_at.pop(row.id, None)
        if offered_at is not None and outcome.reply.code:
            self._tally.observe("smtp_seconds", time.monotonic() - offered_at)
        if update.status == DeliveryStatus.FAILED:
            log.warning(
                "%s %s: a message was refused for good: %s %s (%s)",
                "campaign" if row.campaign_id else "mail",
                row.campaign_id or row.mail,
                outcome.reply.code,
                outcome.reply.enhanced,
                kind,
                extra=name_event("refused"),
            )
