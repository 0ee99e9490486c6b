"""React to refusals that concern a whole campaign, domain, server or sender.

One object for each run. What it learns is kept by throttle.py, sender_state.py and
domain_backoff.py.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from datetime import datetime, timedelta

from newsletter.i18n import Text
from newsletter.mail.smtp.classify import Cause, Verdict, VerdictKind
from newsletter.mail.smtp.types import Outcome, Stage, Transport
from newsletter.outbox import LeasedDelivery
from newsletter.services import sender_state
from newsletter.services.runtime import Environment
from newsletter.services.sender_state import SenderStates
from newsletter.services.sending import finish
from newsletter.services.sending.domain_backoff import DomainBackoffs
from newsletter.services.sending.retry import CircuitBreaker
from newsletter.services.sending.throttle import Throttle
from newsletter.services.sending.work_queue import WorkQueue

SERVER_STREAK = 3
"""Consecutive refusals of this sender after which a server or all sending rests."""

UNHEARD_SHOWN_FOR = timedelta(minutes=1)
"""Time for which `status` shows that a server keeps closing connections."""


class Lessons:
    """Collects the outcomes of one run, and pauses campaigns, domains, servers or sending."""

    def __init__(
        self, env: Environment, supply: WorkQueue, pace: Throttle, transport: Transport
    ) -> None:
        self.env = env
        self.supply = supply
        self.pace = pace
        self.transport = transport
        self.states = SenderStates(env)
        self.backoffs = DomainBackoffs(env)
        self._breakers: defaultdict[int, CircuitBreaker] = defaultdict(CircuitBreaker)
        self.refusals: Tally[str] = Tally()

    def learn(
        self,
        row: LeasedDelivery,
        verdict: Verdict,
        outcome: Outcome,
        *,
        domain: str,
        now: datetime,
    ) -> None:
        """Update the state of campaign, domain, server and sender from one outcome."""
        server = outcome.server
        why = outcome.reply.text
        list_id = row.list_id
        if verdict.kind == VerdictKind.SENT:
            self.pace.note_taken(now)
            self.states.note_taken()
        self.refusals[server] = self.refusals[server] + 1 if verdict.kind == VerdictKind.US else 0
        if verdict.kind == VerdictKind.US and verdict.cause is Cause.PACE:
            if not self.pace.note_refused(server, why, list_id=list_id):
                self._rest(server, verdict._replace(cause=Cause.QUOTA), list_id)
        elif verdict.kind == VerdictKind.US and verdict.cause in sender_state.STOPS:
            if self.refusals[server] >= SERVER_STREAK:
                self._rest(server, verdict, list_id)
        elif row.campaign_id is not None and verdict.cause is not Cause.CONNECTIONS:
            self._learn_of_campaign(row.campaign_id, domain, verdict, outcome)

    def _rest(self, server: str, verdict: Verdict, list_id: int | None) -> None:
        """Let a server that refuses this sender rest, or all sending without another server."""
        self.refusals[server] = 0
        if not self.transport.rest(server, verdict.why):
            self.states.note_refused(verdict, server, list_id=list_id)

    def _learn_of_campaign(
        self, campaign_id: int, domain: str, verdict: Verdict, outcome: Outcome
    ) -> None:
        if outcome.stage == Stage.SIZE:
            self.pause(campaign_id, _describe_size_refusal(outcome))
            return
        if outcome.stage != Stage.MAIL:
            self.backoffs.record(domain, verdict, outcome.reply.text, campaign_id=campaign_id)
        why = (
            self.breaker(campaign_id).record(verdict, outcome.reply.text)
            if not self.backoffs.find_until(domain)
            else None
        )
        if why:
            self.pause(campaign_id, why)
        if outcome.stage == Stage.MAIL and self.refusals[outcome.server] >= SERVER_STREAK:
            self.transport.rest(outcome.server, outcome.reply.text)

    def record_unheard(self, server: str) -> str:
        """Record that a server keeps closing connections; return the problem of the run."""
        until = self.env.now + UNHEARD_SHOWN_FOR
        self.states.note(
            sender_state.SERVER,
            Text("it keeps ending the conversation"),
            until=until,
            server=server,
        )
        return Text("%(server)s: the server keeps ending the conversation", server=server)

    def record_ceiling(self, *, at_least: float) -> None:
        """Record the setting that delays mail, for `status` and the pages.

        A wait of fewer than `at_least` seconds is not worth a line.
        """
        wait, why = self.pace.find_fullest()
        if wait >= at_least:
            until = self.env.now + timedelta(seconds=wait)
            self.states.note(sender_state.CEILING, why, until=until)

    def breaker(self, campaign_id: int) -> CircuitBreaker:
        """Return the circuit breaker of a campaign in this run."""
        return self._breakers[campaign_id]

    def pause(self, campaign_id: int, why: str) -> None:
        """Pause a campaign with a reason, and drop its remaining rows from this run."""
        self.supply.drop_campaign(campaign_id)
        finish.pause(self.env, campaign_id, why)


def find_domain(row: LeasedDelivery) -> str:
    """Return the domain of a delivery's recipient, in lower case."""
    return (row.email or "").rpartition("@")[2].lower()


def _describe_size_refusal(outcome: Outcome) -> Text:
    return Text(
        "%(server)s: %(text)s. Make the message smaller.",
        server=outcome.server,
        text=outcome.reply.text,
    )
