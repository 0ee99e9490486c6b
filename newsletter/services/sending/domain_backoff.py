"""Back off from recipients' domains that refuse this sender for policy or reputation.

No subscriber is marked for it. Every worker knows the resting domains; one is forgotten once it
takes a message again. A refusal concerns a domain only while others take mail: what all domains say
alike concerns the sender.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections import deque
from datetime import datetime

from sqlalchemy import delete, select

from newsletter.db.session import reading, transaction
from newsletter.mail.smtp.classify import Verdict, VerdictKind
from newsletter.models import DomainBackoff
from newsletter.services.domain_rest import REFUSALS, rest_domain
from newsletter.services.runtime import Environment

RECENT = 50
"""Latest outcomes of other domains, at least half of which must be accepted messages."""
FRESH_SECONDS = 5.0
"""Seconds after which the rows of other workers are read again."""


class DomainBackoffs:
    """The resting domains during one run, cached and updated."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self._until: dict[str, datetime] = {}
        self._read_at = float("-inf")
        self._streaks: Tally[str] = Tally()
        self._recent: deque[tuple[str, bool]] = deque(maxlen=RECENT)

    def find_until(self, domain: str) -> datetime | None:
        """Return the end of a domain's rest, or None if it does not rest."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            with reading() as session:
                self._until = {
                    row.domain: row.until for row in session.scalars(select(DomainBackoff))
                }
            self._read_at = time.monotonic()
        until = self._until.get(domain) if self._until else None
        return until if until is not None and until > self.env.now else None

    def record(self, domain: str, verdict: Verdict, why: str, *, campaign_id: int) -> None:
        """Record the outcome of a campaign's message, and let its domain rest after refusals."""
        if verdict.kind == VerdictKind.SENT:
            self._recent.append((domain, True))
            self._streaks[domain] = 0
            if domain in self._until:
                self._forget(domain)
        elif verdict.kind == VerdictKind.US:
            self._recent.append((domain, False))
            self._streaks[domain] += 1
            if self._streaks[domain] >= REFUSALS and self._is_accepted_elsewhere(domain):
                self._rest(domain, why, campaign_id)

    def _is_accepted_elsewhere(self, domain: str) -> bool:
        others = [is_accepted for other, is_accepted in self._recent if other != domain]
        return bool(others) and sum(others) * 2 >= len(others)

    def _rest(self, domain: str, why: str, campaign_id: int) -> None:
        self._streaks[domain] = 0
        with transaction() as session:
            until = rest_domain(self.env, session, domain, why, campaign_id=campaign_id)
        self._until[domain] = until

    def _forget(self, domain: str) -> None:
        del self._until[domain]
        with transaction() as session:
            session.execute(delete(DomainBackoff).where(DomainBackoff.domain == domain))
