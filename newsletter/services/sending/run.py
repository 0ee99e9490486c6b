"""Send due mail: take rows from the work queue, build messages, judge their outcomes.

Nothing is decided here: retry.py decides who may be mailed and what is tried again,
mail/smtp/classify.py what a reply means, lessons.py learns from refusals that concern the sender.

A run ends when nothing is due or no server takes mail, never because of one row: a message that
cannot be built is put off, and reported.
"""

from __future__ import annotations

import logging
import random
from contextlib import closing, suppress
from datetime import datetime, timedelta
from functools import partial

from newsletter.errors import (
    DatabaseError,
    LeaseLost,
    NewsletterError,
    TransportError,
    locate_error,
)
from newsletter.i18n import Text
from newsletter.mail.smtp.classify import Cause, Verdict, VerdictKind, judge
from newsletter.mail.smtp.types import Outcome, Outgoing, Stage, Transport
from newsletter.outbox import DeliveryUpdate, LeasedDelivery
from newsletter.services import installation, sender_state
from newsletter.services.inbound import refusals
from newsletter.services.letters import series
from newsletter.services.runtime import Environment
from newsletter.services.sending import finish, retry
from newsletter.services.sending.lessons import Lessons, find_domain
from newsletter.services.sending.message_builder import MessageBuilder
from newsletter.services.sending.outcome_log import OutcomeLog
from newsletter.services.sending.result import (
    Progress,
    SendResult,
    Stop,
    ignore_progress,
    never_stop,
)
from newsletter.services.sending.retry import RetryPolicy
from newsletter.services.sending.throttle import Throttle
from newsletter.services.sending.work_line import WorkLine
from newsletter.services.sending.work_queue import WorkQueue
from newsletter.services.signup import confirmation_gate
from newsletter.vocabulary import DeliveryStatus

log = logging.getLogger("newsletter.sending")

UNHEARD_AT_MOST = 20
"""Consecutive connections closed without a reply after which the run ends."""
PACE_PATIENCE = 5.0
"""Longest wait of a run for a ceiling (`smtp.max_per_hour`), in seconds."""
UPDATES_AT_MOST = 200
"""Updates of rows without a message that are collected before they are recorded."""


def send_due(
    env: Environment,
    *,
    campaign_id: int | None = None,
    progress: Progress = ignore_progress,
    stop: Stop = never_stop,
    transport: Transport | None = None,
) -> SendResult:
    """Send everything that is due: single mails first, then campaigns; or one campaign only.

    The run ends when nothing is due, when `stop()` returns True (messages in flight get their
    outcome first), or when no server can be used (`SendResult.problem`). Nothing is sent while mail
    is held after a restore.

    Raises `DatabaseError` if an outcome cannot be recorded: nothing more is sent then.
    """
    if hold := installation.find_hold():
        return SendResult(
            problem=f"nothing is mailed: {hold.because}; `{installation.RELEASE}` lets mail leave"
        )
    _open_gate(env)
    pace = Throttle(env)
    supply = WorkQueue(env, campaign_id=campaign_id, bulk=pace.wait() < PACE_PATIENCE)
    return Run(env, supply, pace, progress, stop)(transport or env.transport())


def _open_gate(env: Environment) -> None:
    """Release confirmations from the gate; an error there does not stop the run."""
    try:
        confirmation_gate.open_gate(env)
    except DatabaseError:
        raise
    except Exception as error:  # the worker's own tick of the gate says it again
        log.error("confirmations cannot be released: %s", locate_error(error))


class Run:
    """One run of sending."""

    def __init__(
        self, env: Environment, supply: WorkQueue, pace: Throttle, progress: Progress, stop: Stop
    ) -> None:
        self.env = env
        self.supply = supply
        self.pace = pace
        self.progress = progress
        self.stop = stop
        self.builder = MessageBuilder(env, partial(series.render_letter, env))
        self.policy = RetryPolicy(env.settings.smtp.retry_after, env.settings.smtp.patience)
        self.counts = {"sent": 0, "failed": 0, "deferred": 0, "cancelled": 0}
        self.unheard = 0
        self.problem = ""
        self.outcomes = OutcomeLog(env.tally, env.sightings)

    def __call__(self, transport: Transport) -> SendResult:
        """Send until nothing is left to send."""
        self.transport = transport
        self.lessons = Lessons(self.env, self.supply, self.pace, transport)
        self.states = self.lessons.states
        with closing(self.supply.ledger):
            return self._run()

    def _run(self) -> SendResult:
        self.supply.recover()
        try:
            self._exchange()
        except TransportError as error:
            self.problem = str(error)
            until = self.env.now + timedelta(seconds=max(error.rests_for, 5.0))
            self.states.note(sender_state.SERVER, error.reason, until=until, server=error.host)
        except DatabaseError as error:
            raise self._cut_short(error) from error.__cause__
        except Exception as error:
            self._abandon(error)
        self.supply.give_back(all_known=not self.supply.recording.lost)
        for campaign_id in self.supply.campaigns:
            finish.close(self.env, campaign_id)
        return self.result

    def _exchange(self) -> None:
        """Pass messages to the transport and process outcomes, until nothing is left."""
        # The transport is closed at once whatever happens, so that nothing is sent whose outcome
        # could not be written down (D05).
        with (
            suppress(LeaseLost),  # another worker has taken over what is in flight
            closing(self.transport.deliver(self.pull, self.supply.recording)) as outcomes,
        ):
            for group in outcomes:
                self._take(group)
                if self.supply.recording.lost:
                    break

    def _cut_short(self, error: DatabaseError) -> DatabaseError:
        """Return a database error extended by the number of messages sent before.

        Outcomes that are not written down are tried once more: a lock may be gone by now.
        """
        unwritten = self.supply.recording.unwritten
        unrecorded = sum(update.status == DeliveryStatus.SENT for update in unwritten)
        recorded = self.counts["sent"] - unrecorded
        with suppress(DatabaseError):
            self._doubt_messages_in_flight(error.message)
            self.supply.give_back(all_known=True)
            return DatabaseError(
                error.message, hint=f"{self.counts['sent']} messages were sent and recorded"
            )
        unknown = len(self.supply.recording.unwritten)
        hint = (
            f"{recorded} messages were sent and recorded;"
            f" the outcomes of {unknown} more could not be written down"
        )
        return DatabaseError(error.message, hint=hint)

    def _abandon(self, error: Exception) -> None:
        """End a run after an internal error; messages that were in flight are in doubt."""
        log.error("sending was cut short: %s", locate_error(error))
        self.problem = f"Internal error while sending: {locate_error(error)}. Please report it."
        self.states.note(
            sender_state.COMPOSING, self.problem, until=self.env.now + sender_state.SHOWN_FOR
        )
        self._doubt_messages_in_flight(self.problem)

    def _doubt_messages_in_flight(self, why: str) -> None:
        for line in self.supply.lines:
            for row in line.flying.values():
                line.updates.append(
                    retry.record_lost_reply(
                        row, why, now=self.env.now, policy=self.policy, jitter=0.5
                    )
                )
            line.flying.clear()

    @property
    def result(self) -> SendResult:
        """The numbers of the run."""
        return SendResult(problem=self.problem, **self.counts)

    def pull(self) -> Outgoing | float | None:
        """Return the next message, the seconds to wait, or None at the end (see `Pull`)."""
        while not (self.stop() or self.problem or self.supply.recording.lost):
            if (state := self.states.resting()) is not None:
                self.problem = state.sentence
                return None
            following = self.supply.next()
            if following is None or isinstance(following, float):
                return following
            line, row = following
            if why := retry.find_obstacle(row):
                self._note(line, DeliveryUpdate(row.id, DeliveryStatus.CANCELLED, None, why))
            elif not self._put_off(line, row, domain := find_domain(row)):
                turn = self.pace.take(single=line.campaign_id is None, domain=domain)
                if turn.later:
                    due_at = self.env.now + timedelta(seconds=turn.later)
                    self._note(
                        line, retry.postpone(row, due_at, "more may not go to its domain yet")
                    )
                elif turn.wait:
                    return self._wait_for_pace(line, row, turn.wait)
                elif outgoing := self._offer(line, row):
                    return outgoing
        return None

    def _put_off(self, line: WorkLine, row: LeasedDelivery, domain: str) -> bool:
        """Postpone a campaign's message if its recipient's domain rests; return whether it does."""
        if line.campaign_id is None:
            return False
        until = self.lessons.backoffs.find_until(domain)
        if until is None:
            return False
        # Not a secret: it spreads the load.
        until += timedelta(seconds=random.uniform(0, 60))  # noqa: S311
        self._note(line, retry.postpone(row, until, "its domain refuses us for now"))
        return True

    def _wait_for_pace(self, line: WorkLine, row: LeasedDelivery, wait: float) -> float:
        """Put a row back until a ceiling allows it; return the seconds to wait.

        One second at most, because single mails are looked for meanwhile. If the wait is longer
        than `PACE_PATIENCE`, campaigns are left for a later run.
        """
        self.supply.put_back(line, row)
        if wait >= PACE_PATIENCE:
            self.supply.end_bulk()
            self.lessons.record_ceiling(at_least=PACE_PATIENCE)
            return 0.001
        return min(wait, 1.0)

    def _offer(self, line: WorkLine, row: LeasedDelivery) -> Outgoing | None:
        """Build the message of a row that may be offered; return None if it may not be sent."""
        if not self.supply.allow(line, row):
            return None
        try:
            outgoing = self.builder.build(row)
        except DatabaseError:
            raise
        except Exception as error:
            self._record_not_built(line, row, error)
            return None
        if row.campaign_id is not None:
            self.lessons.breaker(row.campaign_id).not_built = 0
        line.flying[row.id] = row
        self.outcomes.record_offer(row.id)
        return outgoing

    def _record_not_built(self, line: WorkLine, row: LeasedDelivery, error: Exception) -> None:
        """Postpone or fail a row whose message could not be built, and report the error.

        A `NewsletterError` would come again: that row fails. Anything else is an internal error.
        """
        if isinstance(error, NewsletterError):
            why = str(error)
            update = DeliveryUpdate(row.id, DeliveryStatus.FAILED, None, why)
            problem = type(error).__name__  # its text may name a subscriber
        else:
            problem = why = Text("Internal error: %(place)s", place=locate_error(error))
            update = retry.postpone_not_built(
                row, why, now=self.env.now, policy=self.policy, jitter=0.5
            )
        log.error("the %s mail %d cannot be composed: %s", row.mail, row.id, problem)
        self._note(line, update)
        note = Text("the %(mail)s mail %(id)d: %(why)s", mail=row.mail, id=row.id, why=problem)
        self.states.note(sender_state.COMPOSING, note, until=self.env.now + sender_state.SHOWN_FOR)
        if row.campaign_id is not None and (
            reason := self.lessons.breaker(row.campaign_id).record_not_built(why)
        ):
            self.lessons.pause(row.campaign_id, reason)

    def _note(self, line: WorkLine, update: DeliveryUpdate) -> None:
        line.updates.append(update)
        self.counts["deferred" if update.due_at else update.status] += 1
        if len(line.updates) >= UPDATES_AT_MOST:
            self.supply.recording.write()

    def _take(self, outcomes: list[Outcome]) -> None:
        """Judge a group of outcomes and queue it for recording."""
        now = self.env.now
        judged = [self._judge(outcome, now) for outcome in outcomes]
        if outcomes and self.unheard >= UNHEARD_AT_MOST:
            self.problem = self.lessons.record_unheard(outcomes[-1].server)
        self.supply.recording.write_behind(len(outcomes))
        for outcome, (row, verdict, domain) in zip(outcomes, judged, strict=True):
            self.lessons.learn(row, verdict, outcome, domain=domain, now=now)
        self.progress(self.result)

    def _judge(self, outcome: Outcome, now: datetime) -> tuple[LeasedDelivery, Verdict, str]:
        """Judge one outcome and collect its update; return the recipient's domain as well."""
        line, row = self.supply.land(outcome.id)
        domain = find_domain(row)
        if outcome.stage == Stage.SIZE:
            verdict = Verdict(VerdictKind.CONTENT, outcome.reply.text, cause=Cause.TOO_LARGE)
            update = retry.record_too_large(row, outcome.reply.text, due_at=now)
        else:
            verdict = judge(outcome)
            jitter = random.random()  # noqa: S311 (spreads load, guards nothing)
            update = retry.decide(row, outcome, verdict, now=now, policy=self.policy, jitter=jitter)
        refusals.record_refusal(self.env, row, outcome, verdict, update)
        self.outcomes.record(row, outcome, update, domain=domain, now=now)
        self._note(line, update)
        self.unheard = self.unheard + 1 if verdict.kind == VerdictKind.AGAIN else 0
        return row, verdict, domain
