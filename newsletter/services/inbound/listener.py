"""Receive returned mail over LMTP (RFC 2033) or SMTP, from a mail system on the same machine."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, syntax
from flask import Flask

from newsletter.bounce_vocabulary import BounceSource
from newsletter.db.session import db
from newsletter.services.inbound import receivers
from newsletter.services.inbound.messages import apply_message
from newsletter.services.inbound.own_address import is_own_address
from newsletter.services.runtime import EXTENSION, Environment

SIZE_AT_MOST = 10 * 1024 * 1024
"""Bytes of a mail: a report returns headers, and Postfix itself takes no more by default."""

CONNECTIONS_AT_MOST = 20
"""Connections at a time, so that memory stays below `SIZE_AT_MOST` times this."""

IDLE_SECONDS = 60
"""Seconds after which a silent client is let go."""

log = logging.getLogger("newsletter.bounces")


class LmtpOrSmtp(SMTP):
    """A server that takes LHLO as well as EHLO."""

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, argument: str) -> None:  # noqa: N802 (the library's name)
        """Greet a client that speaks LMTP."""
        await self.smtp_EHLO(argument)


class BounceListener(Controller):
    """Applies what it receives.

    A mail is answered with 250 only after it was committed.
    """

    def __init__(self, app: Flask, host: str, port: int) -> None:
        self.app = app
        self.env: Environment = app.extensions[EXTENSION]
        self.connections = 0
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="bounces")
        super().__init__(self, hostname=host, port=port)

    def factory(self) -> SMTP:
        """Make the server of one connection."""
        return LmtpOrSmtp(
            self,
            data_size_limit=SIZE_AT_MOST,
            timeout=IDLE_SECONDS,
            hostname="newsletter",
            ident="newsletter",
            loop=self.loop,
        )

    async def handle_MAIL(  # noqa: N802 (the library's name)
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take any sender, a report has none; but not from too many clients at once."""
        if self.connections >= CONNECTIONS_AT_MOST:
            return "451 4.3.2 Too many messages at once; try again"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take mail for `bounces.address` and its extensions, one recipient at a time."""
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient a message"
        if not is_own_address(self.env.settings.bounces.address or "", address):
            return "550 5.1.1 No such address here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Apply a mail; when that fails it stays with its sender."""
        self.connections += 1
        try:
            loop = asyncio.get_running_loop()
            content: bytes = envelope.content
            to = tuple(envelope.rcpt_tos)
            await loop.run_in_executor(self._workers, self._apply, content, to)
        except Exception as error:
            log.error("a mail was not processed: %s", type(error).__name__)
            return "451 4.3.0 Not processed; try again"
        finally:
            self.connections -= 1
        return "250 2.0.0 Ok"

    def _apply(self, content: bytes, to: tuple[str, ...]) -> None:
        with self.app.app_context():
            try:
                apply_message(self.env, content, BounceSource.LISTENER, envelope_to=to)
                receivers.note_run(self.env, receivers.LISTENER)
            finally:
                db.session.remove()

    def stop(self, no_assert: bool = False) -> None:  # noqa: FBT001, FBT002 (the library's own)
        """Stop listening, and finish what was received."""
        super().stop(no_assert)
        self._workers.shutdown(wait=True)


def read_listen_address(text: str) -> tuple[str, int]:
    """Read ``127.0.0.1:8024``, or a port alone on the loopback."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)
