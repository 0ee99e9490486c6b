"""The worker process: scheduled jobs that poll feeds, compose digests and send mail.

APScheduler only ticks; a missed tick loses nothing, and two workers at once do nothing twice,
because every claim is made in the database. Mail is looked for when the database has changed or
something becomes due, and every so often; behind PgBouncer every second.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from newsletter import supervisor
from newsletter.clock_jumps import watch_clock
from newsletter.db.changes import watch_changes
from newsletter.db.session import db, to_database_error
from newsletter.errors import DatabaseError, NewsletterError
from newsletter.logs import name_event
from newsletter.mail.mailbox.types import MailboxError
from newsletter.mail.smtp.types import Transport
from newsletter.services import installation, webhook_delivery, workers
from newsletter.services.authors import weekly_note
from newsletter.services.digests import asked
from newsletter.services.digests import due as digests
from newsletter.services.digests.composed_log import report_composed
from newsletter.services.inbound.poll import poll_mailbox
from newsletter.services.inbound.watch import wait_for_mail
from newsletter.services.operations import cleanup, compose_work, metrics, watch
from newsletter.services.operations.problem_log import ProblemLog
from newsletter.services.operations.wakeups import (
    LOOK_AGAIN,
    SOON,
    Wakeups,
    find_gate_moment,
    find_mail_moment,
)
from newsletter.services.polling import poll as polling
from newsletter.services.polling import websub
from newsletter.services.runtime import EXTENSION, Environment, utcnow
from newsletter.services.sending import requested_tests
from newsletter.services.sending import run as sending
from newsletter.services.sending.result import SendResult
from newsletter.services.signup import confirmation_gate
from newsletter.services.statistics import gather
from newsletter.services.transfer import import_work
from newsletter.services.unforeseen import run_each

log = logging.getLogger("newsletter.worker")

REST_AFTER_PROBLEM = timedelta(seconds=5)
"""Delay before the next try of a mail server that cannot be used."""

WOKEN = ("gate", "send", "tell_webhooks", "send_tests", "import_files", "poll", "compose_asked")
"""The jobs that a change of the database may make due."""


class WorkerProcess:
    """Runs each kind of job in a thread of its own, until `stop` is called."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.env: Environment = app.extensions[EXTENSION]
        self.identity = workers.make_identity()
        self.stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._transport: Transport | None = None
        self._problem = ""
        self._mailbox_problem = ""
        self._database_problems = ProblemLog(log)
        self._postponed: digests.Postponed = {}
        with app.app_context():
            self._wakeups = Wakeups(WOKEN, self._move, watch_changes())
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(12)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        look_seconds = (LOOK_AGAIN if self._wakeups.notices_changes else SOON).seconds
        for work, seconds in (
            (self.alive, 20),
            (self.tick, 60),
            (self.poll, look_seconds),
            (self.ask_hubs, 60),
            (self.compose, 30),
            (self.compose_asked, look_seconds),
            (self.gate, look_seconds),
            (self.read_mailbox, 60),
            (self.watch_mailbox, 30),
            (self.send, look_seconds),
            (self.write_metrics, 60),
            (self.count, 60),
            (self.watch, 3600),
            (self.tell_webhooks, look_seconds),
            (self.send_tests, 2 * look_seconds),
            (self.import_files, 2 * look_seconds),
            (self.upkeep, 3600),
        ):
            self._scheduler.add_job(
                self._guard(work),
                "interval",
                seconds=seconds,
                next_run_time=None,
                id=work.__name__,
            )

    def start(self) -> None:
        """Start all jobs, each for the first time immediately."""
        self._scheduler.start(paused=True)
        self._plan_everything()
        self._scheduler.resume()
        watch_clock(self._plan_everything, self.stopping)
        if self._wakeups.notices_changes:
            self._watcher = threading.Thread(target=self._watch, name="changes", daemon=True)
            self._watcher.start()

    def _plan_everything(self) -> None:
        """Reschedule all jobs to now, since APScheduler depends on the system's clock."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=utcnow())

    def _watch(self) -> None:
        with self.app.app_context():
            self._wakeups.watch(self.stopping)

    def _move(self, name: str, moment: datetime) -> None:
        with suppress(JobLookupError):
            self._scheduler.modify_job(name, next_run_time=moment)

    def stop(self) -> None:
        """Finish running jobs and messages in flight, and stop."""
        self.stopping.set()
        self._wakeups.wake()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
            if self._watcher is not None:
                self._watcher.join(5.0)  # its connection is the last and empties SQLite's log
            with self.app.app_context(), suppress(DatabaseError):
                self.write_metrics()

    def once(self) -> SendResult:
        """Run all due jobs once, and return; for cron."""
        sent: list[SendResult] = []
        with self.app.app_context():
            run_each(
                self.tick,
                partial(self.poll, eager=True),
                self.ask_hubs,
                self.read_mailbox,
                self.compose,
                self.compose_asked,
                lambda: sent.append(sending.send_due(self.env, stop=self.stopping.is_set)),
                self.send_tests,
                self.tell_webhooks,
                self.import_files,
                self.upkeep,
                self.write_metrics,
                self.count,
            )
        return sent[0]

    def _guard(self, work: Callable[[], object]) -> Callable[[], None]:
        """Wrap a job in an application context and error handling.

        A failure is logged in a line, and the work is tried again at the next tick.
        """

        def run() -> None:
            if self.stopping.is_set():
                return
            with self._wakeups.working(work.__name__), self.app.app_context():
                self._wakeups.plan(work.__name__, utcnow() + SOON)  # should it fail
                try:
                    work()
                    if self._wakeups.notices_changes:
                        self._wakeups.plan(work.__name__, self._find_next(work.__name__))
                    self._database_problems.forget(work.__name__)
                except Exception as error:
                    if gone := to_database_error(error):
                        self._database_problems.note(work.__name__, str(gone))
                    elif isinstance(error, NewsletterError):
                        log.error("%s: %s", work.__name__, error)
                    else:
                        log.exception("%s failed", work.__name__)
                finally:
                    db.session.remove()

        run.__name__ = work.__name__
        return run

    def _find_next(self, name: str) -> datetime:
        """Compute the next run of a job, unless the database changes before."""
        if name == self.gate.__name__:
            return find_gate_moment()
        return find_mail_moment(self.env) if name == self.send.__name__ else utcnow() + LOOK_AGAIN

    def alive(self) -> None:
        """Report to systemd that this worker is alive, independent of the database."""
        supervisor.tell(supervisor.ALIVE)

    def tick(self) -> None:
        """Record in the database that this worker is alive; on SQLite, that wakes it."""
        workers.record_tick(self.env, self.identity)

    def poll(self, *, eager: bool = False) -> None:
        """Poll the feeds that are due."""
        for result in polling.poll_due(self.env, eager=eager, stop=self.stopping.is_set):
            if result.error:
                self.env.tally.count("polls", "failed")
                log.warning("feed %s: %s", result.feed_id, result.error, extra=name_event("poll"))
                continue
            self.env.tally.count("polls", "new" if result.new or result.held else "unchanged")
            if result.new or result.held or result.gone:
                log.info("feed %s: %s", result.feed_id, result.describe(), extra=name_event("poll"))

    def ask_hubs(self) -> None:
        """Subscribe to feeds' hubs, and renew leases."""
        websub.ask_hubs(self.env)

    def read_mailbox(self) -> None:
        """Poll the mailbox of returned mail, if configured; log a problem once until it changes."""
        if self.env.settings.bounces.mailbox is None:
            return
        problem = poll_mailbox(self.env, stop=self.stopping.is_set).problem
        if problem and problem != self._mailbox_problem:
            log.error("the mailbox of returned mail: %s", problem)
        self._mailbox_problem = problem

    def watch_mailbox(self) -> None:
        """Wait for returned mail with IDLE, and read it."""
        if self.env.settings.bounces.mailbox is None:
            return
        try:
            arrived = wait_for_mail(self.env, stop=self.stopping.is_set)
        except MailboxError:  # said by `read_mailbox`, which meets it too
            return
        if arrived:
            self.read_mailbox()

    def compose(self) -> None:
        """Compose due digests, and start due letters and letters of series.

        Nothing happens while mail is held after a restore: it would all be due at once on release.
        """
        if not installation.find_hold():
            stop = self.stopping.is_set
            compose_work.compose_all(self.env, stop=stop, postponed=self._postponed)

    def compose_asked(self) -> None:
        """Compose the posts that programs have asked to send now."""
        if not installation.find_hold():
            report_composed(self.env, asked.send_asked(self.env))

    def send(self) -> None:
        """Send everything in the outbox that is due.

        A server that cannot be used is logged once, and tried again later.
        """
        self._transport = self._transport or self.env.transport()
        sent = sending.send_due(self.env, stop=self.stopping.is_set, transport=self._transport)
        if sent.problem != self._problem:
            if sent.problem:
                log.error("sending: %s", sent.problem)
            else:
                log.info("the mail server works again; sending continues")
        self._problem = sent.problem
        if any(counts := (sent.sent, sent.failed, sent.deferred)):
            line = "sending: %s sent, %s failed, %s to be tried again"
            log.info(line, *counts, extra=name_event("sent"))
            self._wakeups.plan(self.tell_webhooks.__name__, utcnow())  # outcomes are not announced
        if sent.problem:
            self.stopping.wait(REST_AFTER_PROBLEM.total_seconds())

    def watch(self) -> None:
        """Notify the author of problems of the installation."""
        watch.watch(self.env)

    def write_metrics(self) -> None:
        """Store this process's metrics (services/operations/metrics.py)."""
        metrics.write_tally(self.env)

    def count(self) -> None:
        """Update the totals by day."""
        gather.gather(self.env, stop=self.stopping.is_set)

    def gate(self) -> None:
        """Release confirmations from the gate.

        It asks DNS, so it has a thread of its own: sending must not wait for that.
        """
        if not installation.find_hold():
            confirmation_gate.open_gate(self.env)

    def send_tests(self) -> None:
        """Send the test mails that programs requested, unless mail is held."""
        if not installation.find_hold():
            requested_tests.send_requested(self.env, stop=self.stopping.is_set)

    def tell_webhooks(self) -> None:
        """Send events to webhooks, in a thread of its own because receivers may be slow."""
        webhook_delivery.send_due(self.env, stop=self.stopping.is_set)

    def import_files(self) -> None:
        """Read and import the subscriber files that authors uploaded on a page."""
        import_work.work_on_files(self.env, stop=self.stopping.is_set)

    def upkeep(self) -> None:
        """Send weekly reports, and delete expired data."""
        run_each(
            partial(weekly_note.send_notes, self.env),
            partial(cleanup.clean_up, self.env, stop=self.stopping.is_set),
        )
