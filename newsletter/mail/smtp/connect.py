"""Opens a conversation with an SMTP server: connect, greeting, TLS, AUTH.

Blocks; what follows is conversation.py's.

The standard library speaks here: none of it happens per message. TLS is always verified (smtplib
alone would not), and a password never travels in the clear.
"""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from newsletter.errors import TransportError
from newsletter.mail.smtp.reply_parser import REPLY_AT_MOST, to_one_line
from newsletter.mail.smtp.servers import Server

KNOCKS = 3
"""So often a server that hangs up at once is called before it is given up."""


class HungUp(TransportError):
    """The server refused or ended the conversation at once: it may be busy, and willing a moment
    later.
    """


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """A connection ready for transactions, and what the server offers (EHLO keyword in lower case →
    value).
    """

    server: Server
    sock: socket.socket
    offers: dict[str, str]


class _Ear(io.RawIOBase):
    """Hears one reply at a time: so long and so much of it at most, however slowly or endlessly it
    comes (P09).
    """

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self.listen()

    def listen(self) -> None:
        """Begin with a reply."""
        self._until = time.monotonic() + self._timeout
        self._left = REPLY_AT_MOST

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if time.monotonic() > self._until:
            raise ValueError("no answer in time")
        if self._left <= 0:
            raise ValueError("an answer without an end")
        try:
            count = self._sock.recv_into(buffer)
        except TimeoutError:  # smtplib would take it for a connection that was ended
            raise ValueError("no answer in time") from None
        self._left -= count
        return count


class _Patient(smtplib.SMTP):
    """smtplib's, but for its patience, which begins anew with every octet."""

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Ear(self.sock, self.timeout))
        if self.file is not None:
            self.file.raw.listen()
        return super().getreply()


class _PatientOverTLS(_Patient, smtplib.SMTP_SSL):
    """The same, with TLS from the first octet."""


def connect(
    server: Server, tls: Callable[[], ssl.SSLContext], *, timeout: float, hello: str
) -> OpenConnection:
    """An open connection, if need be at the third call.

    Raises `TransportError`.
    """
    for number in range(1, KNOCKS):
        try:
            return _open(server, tls, timeout, hello)
        except HungUp:
            time.sleep(0.2 * number)
    return _open(server, tls, timeout, hello)


def _open(
    server: Server, tls: Callable[[], ssl.SSLContext], timeout: float, hello: str
) -> OpenConnection:
    smtp: smtplib.SMTP
    if server.scheme == "smtps":
        smtp = _PatientOverTLS(local_hostname=hello, timeout=timeout, context=tls())
    else:
        smtp = _Patient(local_hostname=hello, timeout=timeout)
    try:
        _shake_hands(smtp, server, tls)
        return _detached(smtp, server)
    except smtplib.SMTPAuthenticationError as error:
        _refused_login(server, error.smtp_code, error.smtp_error)
    except smtplib.SMTPResponseException as error:
        kind = HungUp if error.smtp_code == 421 else TransportError
        _fail(server, f"said {error.smtp_code} {to_one_line(error.smtp_error)}", kind=kind)
    except (ConnectionError, smtplib.SMTPServerDisconnected) as error:
        _fail(
            server, describe_failure(error), "is smtp.url right, and is the server up?", kind=HungUp
        )
    except UnicodeEncodeError:
        _fail(
            server, "the user or the password has letters that AUTH cannot carry", "check smtp.url"
        )
    except ssl.SSLCertVerificationError as error:
        _fail(
            server,
            f"its certificate cannot be trusted: {error.verify_message}",
            "or set smtp.ca_file",
        )
    except (OSError, smtplib.SMTPException, ValueError) as error:
        _fail(server, describe_failure(error), "is smtp.url right, and is the server up?")
    finally:
        smtp.close()


def _fail(
    server: Server, why: str, hint: str = "", *, kind: type[TransportError] = TransportError
) -> NoReturn:
    raise kind(server.name, why, hint=hint) from None


def _refused_login(server: Server, code: int, said: bytes | str) -> NoReturn:
    """Say why a server does not let us in, in its own words, but for the user and password."""
    words = to_one_line(said)
    for secret in (server.password, server.user):
        words = words.replace(secret, "…") if secret else words
    if code == 421:
        _fail(server, f"said {code} {words}", kind=HungUp)
    if 400 <= code < 500:
        _fail(
            server,
            f"cannot check the user and password for now. It says: {code} {words}",
            "it is asked again",
        )
    _fail(
        server, f"does not accept the user and password. It says: {code} {words}", "check smtp.url"
    )


def _shake_hands(smtp: smtplib.SMTP, server: Server, tls: Callable[[], ssl.SSLContext]) -> None:
    smtp._host = server.host  # type: ignore[attr-defined]  # the name that starttls() verifies
    code, said = smtp.connect(server.host, server.port)
    if code != 220:
        raise smtplib.SMTPResponseException(code, said)
    smtp.ehlo_or_helo_if_needed()
    encrypted = server.scheme == "smtps"
    if not encrypted and smtp.has_extn("starttls"):
        smtp.starttls(context=tls())
        smtp.ehlo_or_helo_if_needed()
        encrypted = True
    elif not encrypted and server.scheme == "smtp+starttls":
        _fail(
            server, "offers no STARTTLS", "smtp+starttls:// asks for it; somebody may be in between"
        )
    if server.user:
        if not encrypted:
            _fail(
                server,
                "offers no TLS, and a password is not sent in the clear",
                "use smtps:// or another port",
            )
        _log_in(smtp, server)


def _log_in(smtp: smtplib.SMTP, server: Server) -> None:
    if server.xoauth2:
        smtp.auth(
            "XOAUTH2",
            lambda challenge=None: f"user={server.user}\1auth=Bearer {server.password}\1\1",
        )
    else:
        smtp.login(server.user, server.password)


def _detached(smtp: smtplib.SMTP, server: Server) -> OpenConnection:
    """The socket, taken out of smtplib's hands."""
    sock, offers = smtp.sock, dict(smtp.esmtp_features)
    if smtp.file is not None:
        smtp.file.close()
    smtp.file = smtp.sock = None
    assert sock is not None
    return OpenConnection(server, sock, offers)


def hang_up(sock: socket.socket) -> None:
    """Say goodbye and closes; how that goes is of no interest (P10)."""
    with suppress(OSError, ValueError):
        sock.settimeout(2)
        sock.sendall(b"QUIT\r\n")
        sock.recv(512)
    sock.close()


def describe_failure(error: Exception) -> str:
    """What went wrong with a connection, in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "the connection ended"
    return to_one_line(str(error)) or type(error).__name__
