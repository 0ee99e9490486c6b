"""Receive returned mail over LMTP (RFC 2033) or SMTP, from a mail system on the same machine."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, syntax
from flask import Flask

from newsletter.bounce_vocabulary import BounceSource
from newsletter.bounces.mime import BYTES_AT_MOST
from newsletter.services.inbound.apply_queue import ApplyQueue
from newsletter.services.inbound.mail_data import MailData
from newsletter.services.inbound.messages import ReceivedMail
from newsletter.services.inbound.own_address import is_own_address
from newsletter.services.inbound.places import Place, Places
from newsletter.services.runtime import EXTENSION, Environment

SIZE_AT_MOST = 100 * 1024 * 1024
"""Bytes of a mail that are taken: one that is refused would be lost, for a report has no sender."""

KEPT_AT_MOST = 2 * BYTES_AT_MOST
"""Bytes of a mail that are kept; every dot in them may be doubled (RFC 5321 section 4.5.2)."""

MAILS_AT_MOST = 20
"""Mails received at a time, so that memory stays below `KEPT_AT_MOST` times this."""

CONNECTIONS_AT_MOST = 200
"""Connections at a time; for one more the oldest goes of those that send no mail."""

IDLE_SECONDS = 60
"""Seconds after which a silent client is let go."""

MAIL_SECONDS = 600
"""Seconds in which a whole mail must come, however often its client sends a byte."""

READ_AT_ONCE = 1024 * 1024
"""Bytes that are read at once, more than a stream ever holds back."""

log = logging.getLogger("newsletter.bounces")
logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's: ten lines for every mail


class LmtpOrSmtp(SMTP):
    """A server that takes LHLO as well as EHLO, and mails of any size and any length of line."""

    event_handler: BounceListener

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, argument: str) -> None:  # noqa: N802 (the library's name)
        """Greet a client that speaks LMTP."""
        await self.smtp_EHLO(argument)

    @syntax("DATA")
    async def smtp_DATA(self, argument: str) -> None:  # noqa: N802
        """Receive a mail, apply it, and answer."""
        if await self.check_helo_needed():
            return
        if not self.envelope or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
        elif argument:
            await self.push("501 5.5.4 Syntax: DATA")
        elif (place := self.event_handler.begin_mail(self)) is None:
            await self.push("451 4.3.2 Too many messages at once; try again")
        else:
            try:
                await self.push(await self._receive_mail(tuple(self.envelope.rcpt_tos), place))
            except TimeoutError:
                self.drop()
            finally:
                self.event_handler.end_mail(self)

    async def _receive_mail(self, to: tuple[str, ...], place: Place) -> str:
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        data = MailData(KEPT_AT_MOST)
        rest = None
        end = self.loop.time() + MAIL_SECONDS
        while rest is None:
            async with asyncio.timeout_at(end):
                rest = data.feed(await self._reader.read(READ_AT_ONCE))
            self._reset_timeout()
            place.size = data.size
            if data.size > 2 * SIZE_AT_MOST:
                self._writer.close()  # it does not end, or does not heed our limit
                return "552 5.3.4 Error: too much mail data"
        place.complete = True
        if rest:
            self._reader.feed_data(rest)  # the next command, which did not wait for the answer
        self.envelope = self._create_envelope()
        if data.size > SIZE_AT_MOST:
            return "552 5.3.4 Error: too much mail data"
        mail = ReceivedMail(data.content(), BounceSource.LISTENER, to)
        return await self.event_handler.apply(mail)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a conversation."""
        super().connection_made(transport)
        self.event_handler.begin_connection(self)

    def connection_lost(self, error: Exception | None) -> None:
        """End a conversation."""
        self.event_handler.end_connection(self)
        super().connection_lost(error)

    def drop(self) -> None:
        """Close the connection at once; a mail system sends what it holds again."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()


class BounceListener(Controller):
    """Applies what it receives.

    A mail is answered with 250 only after it was committed.
    """

    def __init__(self, app: Flask, host: str, port: int) -> None:
        self.env: Environment = app.extensions[EXTENSION]
        self._places: Places[LmtpOrSmtp] = Places(MAILS_AT_MOST)
        self._connections: dict[LmtpOrSmtp, None] = {}
        self._queue = ApplyQueue(app)
        super().__init__(self, hostname=host, port=port)

    def factory(self) -> SMTP:
        """Make the server of one connection."""
        return LmtpOrSmtp(
            self,
            data_size_limit=SIZE_AT_MOST,
            enable_SMTPUTF8=True,
            timeout=IDLE_SECONDS,
            hostname="newsletter",
            ident="newsletter",
            loop=self.loop,
        )

    async def handle_MAIL(  # noqa: N802 (the library's name)
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take any sender: a report has none."""
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

    def begin_connection(self, client: LmtpOrSmtp) -> None:
        """Take a connection; where there are too many, the oldest without a mail goes."""
        self._connections[client] = None
        if len(self._connections) > CONNECTIONS_AT_MOST:
            idle = (one for one in self._connections if not self._places.has(one))
            next(idle, client).drop()

    def end_connection(self, client: LmtpOrSmtp) -> None:
        """Record that a connection has ended."""
        self._connections.pop(client, None)

    def begin_mail(self, client: LmtpOrSmtp) -> Place | None:
        """Let a mail begin, in the place of a slow one if need be; None while all are in use."""
        place, slow = self._places.take(client, self.loop.time())
        if slow is not None:
            slow.drop()
        return place

    def end_mail(self, client: LmtpOrSmtp) -> None:
        """Record that a mail was received, or given up; its connection counts as new."""
        self._places.leave(client)
        if client in self._connections:
            self._connections[client] = self._connections.pop(client)

    async def apply(self, mail: ReceivedMail) -> str:
        """Apply a mail and return the answer; when that fails it stays with its sender."""
        try:
            await asyncio.wrap_future(self._queue.put(mail))
        except Exception as error:
            return await self.handle_exception(error)
        return "250 2.0.0 Ok"

    async def handle_exception(self, error: Exception) -> str:
        """Answer so that the mail is sent again: its sender keeps it."""
        log.error("a mail was not processed: %s", type(error).__name__)
        return "451 4.3.0 Not processed; try again"

    def stop(self, no_assert: bool = False) -> None:  # noqa: FBT001, FBT002 (the library's own)
        """Stop listening, and finish what was received."""
        super().stop(no_assert)
        self._queue.close()


def read_listen_address(text: str) -> tuple[str, int]:
    """Read ``127.0.0.1:8024``, or a port alone on the loopback."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)
