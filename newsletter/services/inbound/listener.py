"""Receive returned mail over LMTP (RFC 2033) or SMTP, from a mail server on the same machine."""

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
"""Bytes of the largest mail accepted; a refused report is lost, since it has no sender."""

KEPT_AT_MOST = 2 * BYTES_AT_MOST
"""Bytes of a mail that are kept in memory; dots may be doubled (RFC 5321 section 4.5.2)."""

MAILS_AT_MOST = 20
"""Mails received at the same time, so that memory stays below `KEPT_AT_MOST` times this."""

CONNECTIONS_AT_MOST = 200
"""Connections at the same time; for another one, the oldest idle one is closed."""

IDLE_SECONDS = 60
"""Seconds after which a silent client is disconnected."""

MAIL_SECONDS = 600
"""Seconds in which a whole mail must arrive, however slowly its client sends."""

READ_AT_ONCE = 1024 * 1024
"""Bytes read at once: more than a stream buffers."""

log = logging.getLogger("newsletter.bounces")
logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's: ten lines for every mail


class LmtpOrSmtp(SMTP):
    """An SMTP server that also speaks LMTP, and accepts large mails and long lines."""

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
        """Register a new connection."""
        super().connection_made(transport)
        self.event_handler.begin_connection(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Unregister a closed connection."""
        self.event_handler.end_connection(self)
        super().connection_lost(error)

    def drop(self) -> None:
        """Close the connection at once; the mail server sends unanswered mails again."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()


class BounceListener(Controller):
    """Handles the mails that the listener receives, and limits its connections.

    A mail is answered with 250 only after it was committed.
    """

    def __init__(self, app: Flask, host: str, port: int) -> None:
        self.env: Environment = app.extensions[EXTENSION]
        self._places: Places[LmtpOrSmtp] = Places(MAILS_AT_MOST)
        self._connections: dict[LmtpOrSmtp, None] = {}
        self._queue = ApplyQueue(app)
        super().__init__(self, hostname=host, port=port)

    def factory(self) -> SMTP:
        """Create the protocol object of one connection."""
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
        """Accept any sender: a report has none."""
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Accept mail for `bounces.address` and its extensions, one recipient at a time."""
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient a message"
        if not is_own_address(self.env.settings.bounces.address or "", address):
            return "550 5.1.1 No such address here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    def begin_connection(self, client: LmtpOrSmtp) -> None:
        """Register a connection; above the limit, close the oldest idle one."""
        self._connections[client] = None
        if len(self._connections) > CONNECTIONS_AT_MOST:
            idle = (one for one in self._connections if not self._places.has(one))
            next(idle, client).drop()

    def end_connection(self, client: LmtpOrSmtp) -> None:
        """Unregister a connection."""
        self._connections.pop(client, None)

    def begin_mail(self, client: LmtpOrSmtp) -> Place | None:
        """Return a place for a mail, taken from a slow client if needed; None if all are in use."""
        place, slow = self._places.take(client, self.loop.time())
        if slow is not None:
            slow.drop()
        return place

    def end_mail(self, client: LmtpOrSmtp) -> None:
        """Release the place of a received or aborted mail."""
        self._places.leave(client)
        if client in self._connections:
            self._connections[client] = self._connections.pop(client)

    async def apply(self, mail: ReceivedMail) -> str:
        """Apply a mail and return the SMTP reply; after a failure, a temporary error."""
        try:
            await asyncio.wrap_future(self._queue.put(mail))
        except Exception as error:
            return await self.handle_exception(error)
        return "250 2.0.0 Ok"

    async def handle_exception(self, error: Exception) -> str:
        """Return a temporary error, so that the mail server sends the mail again."""
        log.error("a mail was not processed: %s", type(error).__name__)
        return "451 4.3.0 Not processed; try again"

    def stop(self, no_assert: bool = False) -> None:  # noqa: FBT001, FBT002 (the library's own)
        """Stop listening, and apply what was received."""
        super().stop(no_assert)
        self._queue.close()


def read_listen_address(text: str) -> tuple[str, int]:
    """Parse a listen address: ``127.0.0.1:8024``, or a port on the loopback."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)
