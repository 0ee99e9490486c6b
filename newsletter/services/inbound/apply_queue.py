"""Apply received mails in order, on SQLite several in one transaction.

There a commit waits for the disk, and one writer at a time is all there is. On PostgreSQL each mail
has a transaction of its own: two that held several subscribers could wait for each other.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from datetime import datetime

from flask import Flask

from newsletter.db.session import db
from newsletter.services.inbound import receivers
from newsletter.services.inbound.messages import ReceivedMail, apply_messages
from newsletter.services.runtime import EXTENSION, Environment

MAILS_AT_ONCE = 20
"""Mails of one transaction on SQLite, which keeps other writers waiting for about 50 ms."""

THREADS = 2
"""Threads on PostgreSQL, which apply mails concurrently."""

Waiting = tuple[ReceivedMail, "Future[None]"]


class ApplyQueue:
    """Applies mails in its own threads, and reports each commit by a future."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.env: Environment = app.extensions[EXTENSION]
        self._mails: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._noted: datetime | None = None
        with app.app_context():
            sqlite = db.engine.dialect.name == "sqlite"
        self._at_once = MAILS_AT_ONCE if sqlite else 1
        self._threads = [
            threading.Thread(target=self._work, name="bounces", daemon=True)
            for _ in range(1 if sqlite else THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, mail: ReceivedMail) -> Future[None]:
        """Queue a mail; return a future that is done once it was committed, or failed."""
        done: Future[None] = Future()
        self._mails.put((mail, done))
        return done

    def close(self) -> None:
        """Apply what is queued, and end the threads."""
        for _ in self._threads:
            self._mails.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (first := self._mails.get()) is not None:
            mails = [first]
            while len(mails) < self._at_once and not self._mails.empty():
                following = self._mails.get()
                if following is None:
                    self._mails.put(None)  # the end comes again
                    break
                mails.append(following)
            # A client that left will come again with its mail.
            self._apply([(mail, done) for mail, done in mails if is_awaited(done)])

    def _apply(self, mails: list[Waiting]) -> None:
        """Apply mails in one transaction, or each alone if that fails."""
        if not mails:
            return
        try:
            with self.app.app_context():
                try:
                    apply_messages(self.env, [mail for mail, _ in mails])
                    self._note_run()
                finally:
                    db.session.remove()
        except Exception as error:
            if len(mails) > 1:
                for mail in mails:
                    self._apply([mail])
                return
            mails[0][1].set_exception(error)
        else:
            for _, done in mails:
                done.set_result(None)

    def _note_run(self) -> None:
        now = self.env.now
        if self._noted is None or abs(now - self._noted) >= receivers.NOTED_EVERY:
            receivers.note_run(self.env, receivers.LISTENER)
            self._noted = now


def is_awaited(done: Future[None]) -> bool:
    """Tell whether a future is still awaited; from now on it cannot be cancelled."""
    return done.set_running_or_notify_cancel()
