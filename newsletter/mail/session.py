"""One conversation with an SMTP server: greeting, TLS, AUTH, then transactions, each with its outcome (RFC 5321 §3).

TLS is always verified (smtplib alone would not), a password never travels in the clear, and a conversation that ends
early says of its message whether the server can have taken it.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from newsletter.errors import TransportError
from newsletter.mail.transport import Outcome, Outgoing, Reply, Stage

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
MESSAGES_A_CONNECTION = 100
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})[ \t]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_GARBAGE = -1


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed over, and how: `scheme` is smtp, smtp+starttls or smtps."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """``host:port``, for people."""
        return f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether it is this machine, where nobody listens in."""
        return self.host in ("localhost", "127.0.0.1", "::1")


def parse_server(url: str) -> Server:
    """The server of ``smtp://user:password@host:port``, ``smtp+starttls://…`` or ``smtps://…``. Raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("must look like smtp://user:password@host:587, smtp+starttls://… or smtps://…")
    port = parts.port or (587 if parts.scheme == "smtp" and parts.username else PORTS[parts.scheme])
    return Server(parts.scheme, parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""))


class _Ended(Exception):
    """The conversation ended; nothing more can be said on this connection."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class HungUp(TransportError):
    """The server refused or ended the conversation at once: it may be busy, and willing a moment later."""


class Session:
    """One connection, ready for transactions."""

    def __init__(self, server: Server, tls: ssl.SSLContext, *, timeout: float, hello: str) -> None:
        self.server = server
        self.count = 0
        self.over = False
        try:
            self._open(server, tls, timeout, hello)
        except smtplib.SMTPAuthenticationError as error:
            self._fail(f"does not accept the user and password ({error.smtp_code})", "check smtp.url")
        except smtplib.SMTPResponseException as error:
            kind = HungUp if error.smtp_code == 421 else TransportError
            self._fail(f"said {error.smtp_code} {_text(error.smtp_error)}", kind=kind)
        except (ConnectionError, smtplib.SMTPServerDisconnected) as error:
            self._fail(_reason(error), "is smtp.url right, and is the server up?", kind=HungUp)
        except ssl.SSLCertVerificationError as error:
            self._fail(f"its certificate cannot be trusted: {error.verify_message}", "or set smtp.ca_file")
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self._fail(_reason(error), "is smtp.url right, and is the server up?")

    def _fail(self, reason: str, hint: str = "", *, kind: type[TransportError] = TransportError) -> NoReturn:
        self.close()
        raise kind(self.server.name, reason, hint=hint) from None

    def _open(self, server: Server, tls: ssl.SSLContext, timeout: float, hello: str) -> None:
        if server.scheme == "smtps":
            self._smtp: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=hello, timeout=timeout, context=tls)
        else:
            self._smtp = smtplib.SMTP(local_hostname=hello, timeout=timeout)
        self._smtp._host = server.host  # type: ignore[attr-defined]  # the name that starttls() verifies
        code, said = self._smtp.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPResponseException(code, said)
        self._smtp.ehlo_or_helo_if_needed()
        self._start_tls(server, tls)
        if server.user:
            if not self._encrypted and not server.local:
                self._fail("offers no TLS, and a password is not sent in the clear", "use smtps:// or another port")
            self._smtp.login(server.user, server.password)
        self.offers = dict(self._smtp.esmtp_features)

    def _start_tls(self, server: Server, tls: ssl.SSLContext) -> None:
        self._encrypted = server.scheme == "smtps"
        if self._encrypted:
            return
        if self._smtp.has_extn("starttls"):
            self._smtp.starttls(context=tls)
            self._smtp.ehlo_or_helo_if_needed()
            self._encrypted = True
        elif server.scheme == "smtp+starttls":
            self._fail("offers no STARTTLS", "smtp+starttls:// asks for it; somebody may be in between")

    def send(self, outgoing: Outgoing) -> Outcome:
        """One transaction (RFC 5321 §3.3). A refusal is an outcome, and leaves the session clean for the next."""
        self.count += 1
        stage: Stage = "MAIL"
        try:
            for stage, command in self._envelope(outgoing):
                reply = self._say(command)
                if reply.code // 100 != (3 if stage == "DATA" else 2):
                    return self._refused(outgoing, stage, reply)
        except _Ended as ended:
            return self._lost(outgoing, "unsent", stage, ended.reason)
        return self._content(outgoing)

    def _envelope(self, outgoing: Outgoing) -> Iterator[tuple[Stage, str]]:
        size = f" SIZE={len(outgoing.data)}" if "size" in self.offers else ""
        yield "MAIL", f"MAIL FROM:<{outgoing.sender}>{size}"
        yield "RCPT", f"RCPT TO:<{outgoing.recipient}>"
        yield "DATA", "DATA"

    def _content(self, outgoing: Outgoing) -> Outcome:
        """The content and its final dot. An answer that does not come leaves us in doubt only where the dot can
        have been read."""
        try:
            # In one piece: a dot that follows by itself waits for the other side's delayed acknowledgement.
            self._smtp.sock.sendall(outgoing.data + b".\r\n")  # type: ignore[union-attr]
        except OSError as error:
            return self._lost(outgoing, "unsent", "END", _reason(error))
        try:
            reply = self._hear()
        except _Ended as ended:
            return self._lost(outgoing, "in_doubt", "END", ended.reason)
        if reply.code // 100 == 2:
            self.over = self.count >= MESSAGES_A_CONNECTION
            return Outcome(outgoing.id, "accepted", "END", reply, self.server.name)
        return self._refused(outgoing, "END", reply)

    def _refused(self, outgoing: Outgoing, stage: Stage, reply: Reply) -> Outcome:
        if reply.code == 421 or not 400 <= reply.code < 600:
            return self._lost(outgoing, "unsent", stage, reply.text or "an answer that makes no sense", reply)
        if stage != "END":
            try:
                self.over = self._say("RSET").code != 250
            except _Ended:
                self.over = True
        return Outcome(outgoing.id, "refused", stage, reply, self.server.name)

    def _lost(self, outgoing: Outgoing, result: str, stage: Stage, reason: str, reply: Reply | None = None) -> Outcome:
        self.over = True
        said = reply or Reply(0, "", reason)
        return Outcome(outgoing.id, result, stage, said, self.server.name)  # type: ignore[arg-type]

    def _say(self, command: str) -> Reply:
        """Sends a line and reads the whole reply. Raises `_Ended` where none can be read."""
        try:
            self._smtp.putcmd(command)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise _Ended(_reason(error)) from None
        return self._hear()

    def _hear(self) -> Reply:
        try:
            code, text = self._smtp.getreply()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise _Ended(_reason(error)) from None
        if code == _GARBAGE:
            raise _Ended("an answer that is no SMTP")
        return _reply(code, text)

    def close(self) -> None:
        """Ends the conversation; how that goes is of no interest (P10)."""
        smtp = getattr(self, "_smtp", None)
        if smtp is None:
            return
        with suppress(OSError, smtplib.SMTPException, ValueError):
            if not self.over and smtp.sock is not None:
                smtp.sock.settimeout(2)
                smtp.quit()
        smtp.close()


def _reply(code: int, text: bytes) -> Reply:
    said = _text(text)
    found = _ENHANCED.match(said)
    return Reply(code, found[1] if found else "", said[found.end() :] if found else said)


def _text(raw: bytes | str) -> str:
    """What a server said, as one harmless line."""
    said = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return _CONTROL.sub(" ", said).strip()[:500]


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "the connection ended"
    return _text(str(error)) or type(error).__name__
