"""Sends what is due: takes rows from the supply, composes messages, hands them to the transport, judges what became
of them. Decides nothing itself: services/sending/retry.py says who may be mailed, mail/smtp/classify.py what a reply
means."""

from __future__ import annotations

import random
from collections import Counter as Tally
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import NewsletterError, TransportError
from newsletter.mail.render import MailContent
from newsletter.mail.smtp.classify import Verdict, judge
from newsletter.mail.smtp.types import Outcome, Outgoing, Transport
from newsletter.models import Campaign, MailingList
from newsletter.outbox import Mark, Row
from newsletter.services import installation, notifications
from newsletter.services.letters import series
from newsletter.services.runtime import Environment
from newsletter.services.sending import retry
from newsletter.services.sending.domain_backoff import Rests
from newsletter.services.sending.message_builder import Composer, compile_for_list, mail_date, view
from newsletter.services.sending.retry import Breaker, Patience
from newsletter.services.sending.throttle import Pace
from newsletter.services.sending.work_queue import Line, Supply
from newsletter.services.signup import flood_control
from newsletter.tokens import random_message_id
from newsletter.vocabulary import CampaignStatus

UNSENT_AT_MOST = 20
"""So many messages in a row that a server would not even listen to end the run."""

PACE_PATIENCE = 5.0
"""Seconds. A run does not wait longer than that for a ceiling (smtp.max_per_hour and its like) to make room."""
SERVER_STREAK = 3
"""So many refusals in a row of a sender, or of us, let a server rest where there is another."""
MARKS_AT_MOST = 200
"""Rows passed over without a message are written down at the latest when there are so many."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run has done so far. `deferred` were refused for now; `problem` says why the run ended early."""

    sent: int = 0
    failed: int = 0
    deferred: int = 0
    cancelled: int = 0
    problem: str = ""


Progress = Callable[[Sent], None]
Stop = Callable[[], bool]


def never() -> bool:
    """The `stop` of a run that nobody interrupts."""
    return False


def unwatched(sent: Sent) -> None:
    """The `progress` of a run that nobody watches."""


def send_due(
    env: Environment,
    *,
    campaign_id: int | None = None,
    progress: Progress = unwatched,
    stop: Stop = never,
    transport: Transport | None = None,
) -> Sent:
    """Sends all that is due now: single mails first, then campaigns (one of them only, if `campaign_id` is given).

    Ends when nothing is due, when `stop()` says so (messages in flight get their outcome first), or when no server can
    be used (`Sent.problem`). Raises `DatabaseError` where an outcome cannot be recorded: nothing more is sent then.
    Sends nothing while mail is held after a restore.
    """
    if hold := installation.find_hold():
        return Sent(problem=f"nothing is mailed: {hold.because}; `{installation.RELEASE}` lets mail leave")
    flood_control.open_gate(env)
    pace = Pace(env)
    run = Run(env, Supply(env, campaign_id=campaign_id, bulk=pace.wait() < PACE_PATIENCE), pace, progress, stop)
    return run(transport or env.transport())


def example(env: Environment, slug: str, content: MailContent, *, to: str) -> tuple[str, bytes]:
    """The sender's address and a whole message that says `content`, to one address; its links lead to the list."""
    with reading() as session:
        shown = view(env, session.scalars(select(MailingList).where(MailingList.slug == slug)).one())
    values = {
        "name": "",
        "email": to,
        "date": mail_date(env.now),
        "message_id": random_message_id(shown.from_email.rpartition("@")[2]),
        "unsubscribe_url": shown.url,
        "preferences_url": shown.url,
        "stay_url": shown.url,
    }
    return shown.from_email, compile_for_list(env, shown, content, stream="test").build(values)


def send_test(env: Environment, slug: str, content: MailContent, *, to: str) -> Outcome:
    """Sends `content` to one address now, past the outbox and marked as a test. Raises `TransportError`."""
    sender, data = example(env, slug, MailContent(f"[Test] {content.subject}", content.text, content.html), to=to)
    waiting = iter([Outgoing(0, sender, to, data)])
    [outcome] = [outcome for group in env.transport().deliver(lambda: next(waiting, None)) for outcome in group]
    return outcome


class Run:
    """One run of sending."""

    def __init__(self, env: Environment, supply: Supply, pace: Pace, progress: Progress, stop: Stop) -> None:
        self.env = env
        self.supply = supply
        self.pace = pace
        self.progress = progress
        self.stop = stop
        self.composer = Composer(env, partial(series.content, env))
        self.patience = Patience(env.settings.smtp.retry_after, env.settings.smtp.patience)
        self.rests = Rests(env)
        self.breakers: dict[int, Breaker] = {}
        self.refusals: Tally[str] = Tally()
        self.counts = {"sent": 0, "failed": 0, "deferred": 0, "cancelled": 0}
        self.unheard = 0
        self.problem = ""

    def __call__(self, transport: Transport) -> Sent:
        self.transport = transport
        with closing(self.supply.ledger):
            return self._run()

    def _run(self) -> Sent:
        self.supply.recover()
        try:
            # Closed at once, whatever happens: nothing more is sent whose outcome could not be written down (D05).
            with closing(self.transport.deliver(self.pull)) as outcomes:
                for group in outcomes:
                    self._take(group)
                    if self.supply.lost:  # what is on its way is another worker's now: not a word more of it
                        break
        except TransportError as error:
            self.problem = str(error)
        self.supply.give_back(all_known=not self.supply.lost)
        for campaign_id in self.supply.campaigns:
            close(self.env, campaign_id)
        return self.so_far

    @property
    def so_far(self) -> Sent:
        """The run in numbers."""
        return Sent(problem=self.problem, **self.counts)

    def pull(self) -> Outgoing | float | None:
        """The transport's question: the next message, or seconds to wait, or None: that is all."""
        while not self.stop() and not self.problem:
            found = self.supply.next()
            if found is None or isinstance(found, float):
                return found
            line, row = found
            if why := retry.why_not(row):
                self._note(line, Mark(row.id, "cancelled", None, why))
            elif not self._put_off(line, row):
                turn = self.pace.take(single=line.campaign_id is None, domain=domain_of(row))
                if turn.later:
                    due_at = self.env.now + timedelta(seconds=turn.later)
                    self._note(line, retry.later(row, due_at, "more may not go to its domain yet"))
                elif turn.wait:
                    return self._paced(line, row, turn.wait)
                elif outgoing := self._offer(line, row):
                    return outgoing
        return None

    def _put_off(self, line: Line, row: Row) -> bool:
        """Whether a campaign's message waits because its recipient's domain rests."""
        until = self.rests.until(domain_of(row)) if line.campaign_id is not None else None
        if until is not None:
            until += timedelta(seconds=random.uniform(0, 60))  # noqa: S311 (spreads load, guards nothing)
            self._note(line, retry.later(row, until, "its domain refuses us for now"))
        return until is not None

    def _paced(self, line: Line, row: Row, wait: float) -> float:
        """Takes a row back until there is room for it. Seconds to wait, one at most: single mails are looked for
        meanwhile. Where the wait is long, campaigns are left for a later run."""
        self.supply.put_back(line, row)
        if wait >= PACE_PATIENCE:
            self.supply.end_bulk()
            return 0.001
        return min(wait, 1.0)

    def _offer(self, line: Line, row: Row) -> Outgoing | None:
        """The message of a row, once it is noted that it may be offered; None where it cannot go."""
        if not self.supply.allow(line, row):
            return None
        try:
            outgoing = self.composer.compose(row)
        except NewsletterError as error:
            self._note(line, Mark(row.id, "failed", None, str(error)))
            return None
        line.flying[row.id] = row
        return outgoing

    def _note(self, line: Line, mark: Mark) -> None:
        line.marks.append(mark)
        kind = "deferred" if mark.due_at else mark.status
        self.counts[kind] += 1
        if len(line.marks) >= MARKS_AT_MOST:
            self.supply.write()

    def _take(self, outcomes: list[Outcome]) -> None:
        """Judges a group of outcomes and writes it down before anything more is sent."""
        now = self.env.now
        for outcome in outcomes:
            line = next(line for line in self.supply.lines if outcome.id in line.flying)
            row = line.flying.pop(outcome.id)
            verdict = judge(outcome)
            jitter = random.random()  # noqa: S311 (spreads load, guards nothing)
            self._note(line, retry.mark(row, outcome, verdict, now=now, patience=self.patience, jitter=jitter))
            self.unheard = self.unheard + 1 if verdict.kind == "again" else 0
            if row.campaign_id is not None:
                self._learn(row, row.campaign_id, verdict, outcome)
        if outcomes and self.unheard >= UNSENT_AT_MOST:
            self.problem = f"{outcomes[-1].server}: the server keeps ending the conversation"
        self.supply.write()
        self.progress(self.so_far)

    def _learn(self, row: Row, campaign_id: int, verdict: Verdict, outcome: Outcome) -> None:
        """What an outcome says beyond its own message: about the campaign, the recipient's domain, the server."""
        domain, breaker = domain_of(row), self.breakers.setdefault(campaign_id, Breaker())
        if outcome.stage != "MAIL":
            self.rests.note(domain, verdict, outcome.reply.text, campaign_id=campaign_id)
        if self.rests.until(domain) is None and (why := breaker.note(verdict, outcome.reply.text)):
            self.supply.drop_campaign(campaign_id)
            pause(self.env, campaign_id, why)
        self.refusals[outcome.server] = self.refusals[outcome.server] + 1 if verdict.kind == "us" else 0
        if outcome.stage == "MAIL" and self.refusals[outcome.server] >= SERVER_STREAK:
            self.transport.rest(outcome.server, outcome.reply.text)


def domain_of(row: Row) -> str:
    """Where a row's recipient has her mailbox, in lower case."""
    return (row.email or "").rpartition("@")[2].lower()


def pause(env: Environment, campaign_id: int, why: str) -> None:
    """Stops a campaign that is being sent, with the reason, and tells its author."""
    with transaction() as session:
        campaign = session.get_one(Campaign, campaign_id)
        if campaign.status == "sending":
            campaign.status, campaign.reason = CampaignStatus.PAUSED, why[:500]
            notifications.campaign_paused(env, session, campaign)


def close(env: Environment, campaign_id: int) -> None:
    """Calls a campaign sent once nobody is left to be mailed; pauses it instead where nobody at all could be."""
    with reading() as session:
        campaign = session.get_one(Campaign, campaign_id)
        if campaign.status != "sending" or not outbox.worked_through(session, campaign):
            return
    with transaction() as session:
        campaign = session.get_one(Campaign, campaign_id)
        if campaign.status != "sending" or not outbox.worked_through(session, campaign):
            return
        totals = outbox.totals(session, campaign)
        if totals.waiting or totals.in_doubt or not totals.balanced:
            return
        if totals.failed and not totals.sent:
            last = outbox.rows(session, campaign, status="failed", limit=1)[0]
            campaign.status, campaign.reason = (
                CampaignStatus.PAUSED,
                f"it failed for every recipient: {last.text}"[:500],
            )
            notifications.campaign_paused(env, session, campaign)
            return
        if campaign.subject_b and not campaign.picked:
            campaign.status = CampaignStatus.PAUSED
            campaign.reason = f"both subjects are tried; pick one: newsletter campaign pick {campaign_id} a"
            return
        campaign.status, campaign.finished_at = CampaignStatus.SENT, env.now
