"""Watch what web requests mail in every test: nothing passes services/mailbox_limits.py.

A mail that a web request queues is counted, in the same transaction, for the mailbox that it goes
to, whatever the spelling of the address; a mail to a stranger waits at the gate.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from flask import current_app, has_request_context, request
from sqlalchemy import Connection, Engine, event, select

from newsletter.addresses import fold_address, parse_address
from newsletter.mail.kinds import MAILS, Requirement
from newsletter.models import Subscriber, Subscription
from newsletter.services.runtime import EXTENSION
from newsletter.tokens import make_keyed_hash
from newsletter.vocabulary import MailKind

TRUSTED = ("author", "api")
"""Doors behind a log-in or a token: what they end themselves says goodbye uncounted."""
BOUNDED = {
    MailKind.MOVED,  # announces a change that was counted
    MailKind.SERIES,  # each letter goes to a subscription once, in a row of its own
}
"""Mails to subscribers that something else keeps from being many. Authors are no strangers."""
KEYS = select(Subscriber.email_key).join(Subscription)
LASTING = "SELECT key FROM lasting_keys"


class DoorGuard:
    """Looks at each statement that a web request executes."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._own = threading.local()
        event.listen(Engine, "before_cursor_execute", self._look)
        event.listen(Engine, "commit", self._commit)
        event.listen(Engine, "rollback", self._forget)

    def _commit(self, connection: Connection) -> None:
        self.faults += connection.info.get("passed", [])
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if connection.invalidated:  # what was noted has gone with the driver's connection
            return
        for key in ("mailboxes", "passed", "savepoints"):
            connection.info.pop(key, None)

    def _mark(self, connection: Connection) -> None:
        marks = connection.info.setdefault("savepoints", [])
        marks.append(len(connection.info.get("passed", [])))

    def _take_back(self, connection: Connection) -> None:
        """Forget a mail that was queued for nobody, so that all visitors cause equal statements."""
        del connection.info.get("passed", [])[connection.info["savepoints"].pop() :]

    def _look(
        self,
        connection: Connection,
        _cursor: object,
        statement: str,
        _values: object,
        context: Any,
        _many: bool,
    ) -> None:
        if getattr(self._own, "looking", False) or not has_request_context() or context is None:
            return
        if statement.startswith("SAVEPOINT"):
            self._mark(connection)
        elif statement.startswith("ROLLBACK TO SAVEPOINT"):
            self._take_back(connection)
        elif statement.startswith("INSERT INTO mailboxes"):
            locked = connection.info.setdefault("mailboxes", set())
            locked |= {row["hash"] for row in context.compiled_parameters}
        elif statement.startswith("INSERT INTO deliveries"):
            # None of a campaign, which is one statement.
            for row in context.compiled_parameters:
                if "mail" in row and (fault := self._judge(connection, row)):
                    passed = connection.info.setdefault("passed", [])
                    passed.append(f"{request.method} {request.endpoint}: {fault}")

    def _judge(self, connection: Connection, row: dict[str, Any]) -> str:
        """Return why a row of the outbox has passed the door, "" if it has not."""
        kind = MailKind(row["mail"])
        mail = MAILS[kind]
        if mail.requires is Requirement.NOTHING or kind in BOUNDED:
            return ""
        if kind is MailKind.GOODBYE and str(request.endpoint).startswith(TRUSTED):
            return ""
        if mail.held and row["due_at"] is not None:
            return f"a {kind} does not wait at the gate"
        self._own.looking = True
        try:
            names = set(self._name_mailbox(connection, row))
        finally:
            self._own.looking = False
        if row["subscription_id"] is None and "domain" in (row["context"] or {}):
            return ""  # is no mail: it passes the gate in place of one
        if not names & connection.info.get("mailboxes", set()):
            return f"a {kind} is not counted for its mailbox"
        return ""

    def _name_mailbox(self, connection: Connection, row: dict[str, Any]) -> Iterable[str]:
        """Name the mailbox of a mail as the database does, under each lasting key."""
        assert EXTENSION in current_app.extensions
        to = (row["context"] or {}).get("to")
        key = parse_address(to).key if to else None
        if key is None:
            query = KEYS.where(Subscription.id == row["subscription_id"])
            key = str(connection.scalar(query))
        lasting = connection.exec_driver_sql(LASTING).scalars()
        return [make_keyed_hash(secret, fold_address(key)) for secret in lasting]

    def take(self) -> list[str]:
        """Return what was found since the last call, and begin anew."""
        faults = self.faults
        self.faults = []
        return faults
