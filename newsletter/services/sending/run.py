"""Sends what is due: takes rows from the supply, composes messages, hands them to the transport,
judges what became of them. Decides nothing itself: who may be mailed and what a reply means is
retry.py's and mail/smtp/classify.py's.

A run ends when nothing is due or no server takes mail, never because of one row: what cannot be
composed is put off, and said. Refusals about us are learnt by lessons.py.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from newsletter.errors import DatabaseError, NewsletterError, TransportError, place_of
from newsletter.mail.smtp.classify import Cause, Verdict, judge
from newsletter.mail.smtp.types import Outcome, Outgoing, Transport
from newsletter.outbox import DeliveryUpdate, LeasedDelivery
from newsletter.services import installation, sender_state
from newsletter.services.inbound import refusals
from newsletter.services.letters import series
from newsletter.services.runtime import Environment
from newsletter.services.sending import finish, retry
from newsletter.services.sending.lessons import Lessons, domain_of
from newsletter.services.sending.message_builder import MessageBuilder
from newsletter.services.sending.retry import RetryPolicy
from newsletter.services.sending.throttle import Throttle
from newsletter.services.sending.work_queue import WorkLine, WorkQueue
from newsletter.services.signup import flood_control
from newsletter.vocabulary import DeliveryStatus

log = logging.getLogger("newsletter.sending")

UNSENT_AT_MOST = 20
"""So many messages in a row that a server would not even listen to end the run."""

PACE_PATIENCE = 5.0
"""Seconds.

A run does not wait longer than that for a ceiling (smtp.max_per_hour and its like) to make room.
"""
REST_AFTER_UNHEARD = timedelta(minutes=1)
"""What is said of a server that keeps ending the conversation is shown for so long."""
MARKS_AT_MOST = 200
"""Rows passed over without a message are written down at the latest when there are so many."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What a run has done so far.

    `deferred` were refused for now; `problem` says why the run ended early.
    """

    sent: int = 0
    failed: int = 0
    deferred: int = 0
    cancelled: int = 0
    problem: str = ""


Progress = Callable[[SendResult], None]
Stop = Callable[[], bool]


def never() -> bool:
    """The `stop` of a run that nobody interrupts."""
    return False


def unwatched(sent: SendResult) -> None:
    """The `progress` of a run that nobody watches."""


def send_due(
    env: Environment,
    *,
    campaign_id: int | None = None,
    progress: Progress = unwatched,
    stop: Stop = never,
    transport: Transport | None = None,
) -> SendResult:
    """Send all that is due now: single mails first, then campaigns (one of them only, if
    `campaign_id` is given).

    Ends when nothing is due, when `stop()` says so (messages in flight get their outcome first), or
    when no server can be used (`Sent.problem`). Raises `DatabaseError` where an outcome cannot be
    recorded: nothing more is sent then. Sends nothing while mail is held after a restore.
    """
    if hold := installation.find_hold():
        return SendResult(
            problem=f"nothing is mailed: {hold.because}; `{installation.RELEASE}` lets mail leave"
        )
    _open_gate(env)
    pace = Throttle(env)
    run = Run(
        env,
        WorkQueue(env, campaign_id=campaign_id, bulk=pace.wait() < PACE_PATIENCE),
        pace,
        progress,
        stop,
    )
    return run(transport or env.transport())


def _open_gate(env: Environment) -> None:
    """Let confirmations go that may; what goes wrong there keeps nothing else waiting."""
    try:
        flood_control.open_gate(env)
    except DatabaseError:
        raise
    except Exception as error:  # the worker's own tick of the gate says it again
        log.error("confirmations cannot be let go: %s", place_of(error))


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
        self.unwritten = 0
        self.problem = ""

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
        self.supply.give_back(all_known=not self.supply.lost)
        for campaign_id in self.supply.campaigns:
            finish.close(self.env, campaign_id)
        return self.so_far

    def _exchange(self) -> None:
        """Hand messages over and take outcomes, until nothing is left."""
        # Closed at once, whatever happens: nothing more is sent whose outcome could not be written
        # down (D05).
        with closing(self.transport.deliver(self.pull)) as outcomes:
            for group in outcomes:
                self._take(group)
                if (
                    self.supply.lost
                ):  # what is on its way is another worker's now: not a word more of it
                    break

    def _cut_short(self, error: DatabaseError) -> DatabaseError:
        """The error of a database that failed while mail was being sent, with what is true of the
        run.

        What is known and not written down is tried once more: a lock may be gone by now.
        """
        recorded = self.counts["sent"] - self.unwritten
        with suppress(DatabaseError):
            self._doubt_what_flies(error.message)
            self.supply.give_back(all_known=True)
            return DatabaseError(
                error.message, hint=f"{self.counts['sent']} messages were sent and recorded"
            )
        unknown = sum(len(line.marks) for line in self.supply.lines)
        hint = f"{recorded} messages were sent and recorded; what became of {unknown} more could not be written down"
        return DatabaseError(error.message, hint=hint)

    def _abandon(self, error: Exception) -> None:
        """End a run for an error that nobody foresaw: what a server may have taken is in doubt, and
        nothing else.
        """
        log.error("sending was cut short: %s", place_of(error))
        self.problem = f"Internal error while sending: {place_of(error)}. Please report it."
        self.states.note(
            sender_state.COMPOSING, self.problem, until=self.env.now + sender_state.SHOWN_FOR
        )
        self._doubt_what_flies(self.problem)

    def _doubt_what_flies(self, why: str) -> None:
        for line in self.supply.lines:
            for row in line.flying.values():
                line.marks.append(
                    retry.record_lost_reply(
                        row, why, now=self.env.now, policy=self.policy, jitter=0.5
                    )
                )
            line.flying.clear()

    @property
    def so_far(self) -> SendResult:
        """The run in numbers."""
        return SendResult(problem=self.problem, **self.counts)

    def pull(self) -> Outgoing | float | None:
        """The transport's question: the next message, or seconds to wait, or None: that is all."""
        while not self.stop() and not self.problem:
            if (state := self.states.resting()) is not None:
                self.problem = state.sentence
                return None
            found = self.supply.next()
            if found is None or isinstance(found, float):
                return found
            line, row = found
            if why := retry.find_obstacle(row):
                self._note(line, DeliveryUpdate(row.id, DeliveryStatus.CANCELLED, None, why))
            elif not self._put_off(line, row):
                turn = self.pace.take(single=line.campaign_id is None, domain=domain_of(row))
                if turn.later:
                    due_at = self.env.now + timedelta(seconds=turn.later)
                    self._note(
                        line, retry.postpone(row, due_at, "more may not go to its domain yet")
                    )
                elif turn.wait:
                    return self._paced(line, row, turn.wait)
                elif outgoing := self._offer(line, row):
                    return outgoing
        return None

    def _put_off(self, line: WorkLine, row: LeasedDelivery) -> bool:
        """Tell whether a campaign's message waits because its recipient's domain rests."""
        until = self.lessons.rests.until(domain_of(row)) if line.campaign_id is not None else None
        if until is not None:
            until += timedelta(seconds=random.uniform(0, 60))  # noqa: S311 (spreads load, guards nothing)
            self._note(line, retry.postpone(row, until, "its domain refuses us for now"))
        return until is not None

    def _paced(self, line: WorkLine, row: LeasedDelivery, wait: float) -> float:
        """Take a row back until there is room for it.

        Seconds to wait, one at most: single mails are looked for meanwhile. Where the wait is long,
        campaigns are left for a later run.
        """
        self.supply.put_back(line, row)
        if wait >= PACE_PATIENCE:
            self.supply.end_bulk()
            self._note_ceiling()
            return 0.001
        return min(wait, 1.0)

    def _note_ceiling(self) -> None:
        """Let everybody know which setting keeps the rest of the mail waiting."""
        wait, why = self.pace.full()
        if wait >= PACE_PATIENCE:
            self.states.note(
                sender_state.CEILING, why, until=self.env.now + timedelta(seconds=wait)
            )

    def _offer(self, line: WorkLine, row: LeasedDelivery) -> Outgoing | None:
        """The message of a row, once it is noted that it may be offered; None where it cannot go."""
        if not self.supply.allow(line, row):
            return None
        try:
            outgoing = self.builder.build(row)
        except DatabaseError:
            raise
        except Exception as error:
            self._not_composed(line, row, error)
            return None
        if row.campaign_id is not None:
            self.lessons.breaker(row.campaign_id).not_built = 0
        line.flying[row.id] = row
        return outgoing

    def _not_composed(self, line: WorkLine, row: LeasedDelivery, error: Exception) -> None:
        """Put off, or fail, a row whose message cannot be made, and say so; no other row is
        touched.

        What we know to be wrong (`NewsletterError`) stays wrong: that row fails. Anything else is
        our own error.
        """
        if isinstance(error, NewsletterError):
            why, mark = str(error), DeliveryUpdate(row.id, DeliveryStatus.FAILED, None, str(error))
            said = type(error).__name__  # its text may name a subscriber
        else:
            why = said = f"Internal error: {place_of(error)}"
            mark = retry.postpone_not_built(
                row, why, now=self.env.now, policy=self.policy, jitter=0.5
            )
        log.error("the %s mail %d cannot be composed: %s", row.mail, row.id, said)
        self._note(line, mark)
        note = f"the {row.mail} mail {row.id}: {said}"
        self.states.note(sender_state.COMPOSING, note, until=self.env.now + sender_state.SHOWN_FOR)
        if row.campaign_id is not None and (
            reason := self.lessons.breaker(row.campaign_id).record_not_built(why)
        ):
            self.lessons.pause(row.campaign_id, reason)

    def _note(self, line: WorkLine, mark: DeliveryUpdate) -> None:
        line.marks.append(mark)
        kind = "deferred" if mark.due_at else mark.status
        self.counts[kind] += 1
        if len(line.marks) >= MARKS_AT_MOST:
            self.supply.write()

    def _take(self, outcomes: list[Outcome]) -> None:
        """Judge a group of outcomes and writes it down before anything more is sent."""
        learnt = [
            (row, verdict, outcome)
            for outcome in outcomes
            for row, verdict in [self._judged(outcome)]
        ]
        if outcomes and self.unheard >= UNSENT_AT_MOST:
            server = outcomes[-1].server
            self.problem = f"{server}: the server keeps ending the conversation"
            until = self.env.now + REST_AFTER_UNHEARD
            self.states.note(
                sender_state.SERVER, "it keeps ending the conversation", until=until, server=server
            )
        self.supply.write()
        self.unwritten = 0
        for row, verdict, outcome in learnt:
            self.lessons.learn(row, verdict, outcome)
        self.progress(self.so_far)

    def _judged(self, outcome: Outcome) -> tuple[LeasedDelivery, Verdict]:
        """Judge one outcome, and note what is to be written down of it."""
        now = self.env.now
        line = next(line for line in self.supply.lines if outcome.id in line.flying)
        row = line.flying.pop(outcome.id)
        if outcome.stage == "SIZE":
            verdict = Verdict("content", outcome.reply.text, cause=Cause.TOO_LARGE)
            mark = retry.record_too_large(row, outcome.reply.text, due_at=now)
        else:
            verdict = judge(outcome)
            jitter = random.random()  # noqa: S311 (spreads load, guards nothing)
            mark = retry.decide(row, outcome, verdict, now=now, policy=self.policy, jitter=jitter)
        refusals.record_refusal(self.env, row, outcome, verdict, mark)
        self.unwritten += verdict.kind == "sent"
        self._note(line, mark)
        self.unheard = self.unheard + 1 if verdict.kind == "again" else 0
        return row, verdict
