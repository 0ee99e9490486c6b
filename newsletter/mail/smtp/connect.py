"""Open a connection to an SMTP server: connect, greeting, TLS, AUTH. Blocks.

This uses smtplib, because none of it is done for each message; protocol.py takes over from there.
Certificates are verified (smtplib alone would not), and a password is never sent unencrypted.
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
from ipaddress import ip_address
from typing import Any, NoReturn

from newsletter.errors import TransportError
from newsletter.mail.smtp.reply_parser import REPLY_AT_MOST, to_one_line
from newsletter.mail.smtp.servers import PORTS, Server

ATTEMPTS = 3
"""Attempts to connect to a server that ends the conversation at once, because it may be busy for a
moment."""

PAUSE_SECONDS = 0.2
"""Seconds before the second attempt; each further pause is longer by as much."""

_IS_IT_UP = "is smtp.url right, and is the server up?"


class ConnectionEnded(TransportError):
    """The server refused or ended the connection at once, but may accept one a moment later."""


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """An open SMTP connection, ready for transactions.

    `offers` are the server's extensions: EHLO keyword in lower case → value.
    """

    server: Server
    sock: socket.socket
    offers: dict[str, str]


class _ReplyStream(io.RawIOBase):
    """A socket that is read one reply at a time, each limited in time and octets (P09)."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self.begin_reply()

    def begin_reply(self) -> None:
        """Reset the limits for the next reply."""
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


class _BoundedSMTP(smtplib.SMTP):
    """An smtplib client with a timeout for each whole reply, not for each octet."""

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_ReplyStream(self.sock, self.timeout))
        if self.file is not None:
            self.file.raw.begin_reply()
        return super().getreply()


class _BoundedSMTPOverTLS(_BoundedSMTP, smtplib.SMTP_SSL):
    """An smtplib client with a timeout for each whole reply, and with TLS from the first octet."""


def connect(
    server: Server, tls: Callable[[], ssl.SSLContext], *, timeout: float, hello: str
) -> OpenConnection:
    """Open an SMTP connection, with up to three attempts.

    `timeout` is for each reply, in seconds; `hello` is the name to greet with.

    Raises `TransportError`.
    """
    for number in range(1, ATTEMPTS):
        try:
            return _open(server, tls, timeout, hello)
        except ConnectionEnded:
            time.sleep(PAUSE_SECONDS * number)
    return _open(server, tls, timeout, hello)


def _open(
    server: Server, tls: Callable[[], ssl.SSLContext], timeout: float, hello: str
) -> OpenConnection:
    smtp: smtplib.SMTP
    if server.scheme == "smtps":
        smtp = _BoundedSMTPOverTLS(local_hostname=hello, timeout=timeout, context=tls())
    else:
        smtp = _BoundedSMTP(local_hostname=hello, timeout=timeout)
    try:
        _greet(smtp, server, tls)
        return _detach(smtp, server)
    except smtplib.SMTPAuthenticationError as error:
        _fail_login(server, error.smtp_code, error.smtp_error)
    except smtplib.SMTPResponseException as error:
        kind = ConnectionEnded if error.smtp_code == 421 else TransportError
        _fail(server, f"said {error.smtp_code} {to_one_line(error.smtp_error)}", kind=kind)
    except ssl.SSLError as error:
        _fail_tls(server, error)
    except (ConnectionError, smtplib.SMTPServerDisconnected) as error:
        _fail(server, describe_failure(error), _IS_IT_UP, kind=ConnectionEnded)
    except UnicodeEncodeError:
        why = "the user or the password has letters that AUTH cannot carry"
        _fail(server, why, "check smtp.url")
    except (OSError, smtplib.SMTPException, ValueError) as error:
        hint = _IS_IT_UP
        if server.scheme != "smtps" and server.port == PORTS["smtps"]:
            hint = f"port {server.port} speaks TLS from the first octet: use smtps://"
        _fail(server, describe_failure(error), hint)
    finally:
        smtp.close()


def _fail(
    server: Server, why: str, hint: str = "", *, kind: type[TransportError] = TransportError
) -> NoReturn:
    raise kind(server.name, why, hint=hint) from None


def _fail_tls(server: Server, error: ssl.SSLError) -> NoReturn:
    """Raise the error of a failed TLS handshake, with a hint which setting to change."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"its certificate cannot be trusted: {error.verify_message}"
        hint = (
            "put the name that the certificate is for into smtp.url,"
            " or set smtp.ca_file to a file with the certificate that signed it"
        )
        _fail(server, why, hint)
    if server.scheme == "smtps" and error.reason == "WRONG_VERSION_NUMBER":
        why = "does not speak TLS from the first octet"
        _fail(
            server, why, f"use smtp+starttls:// for port {server.port}, or smtps:// with port 465"
        )
    reason = (error.reason or "unknown").replace("_", " ").lower()
    _fail(server, f"TLS failed: {reason}", "the server must speak TLS 1.2 or newer")


def _fail_login(server: Server, code: int, reply: bytes | str) -> NoReturn:
    """Raise the error of a refused log-in with the server's reply, without user and password."""
    words = to_one_line(reply)
    for secret in (server.password, server.user):
        words = words.replace(secret, "…") if secret else words
    if code == 421:
        _fail(server, f"said {code} {words}", kind=ConnectionEnded)
    if 400 <= code < 500:
        why = f"cannot check the user and password for now. It says: {code} {words}"
        _fail(server, why, "it is asked again")
    why = f"does not accept the user and password. It says: {code} {words}"
    _fail(server, why, "check smtp.url")


def _greet(smtp: smtplib.SMTP, server: Server, tls: Callable[[], ssl.SSLContext]) -> None:
    """Connect, send EHLO, and use TLS and AUTH as offered or required."""
    smtp._host = server.host  # type: ignore[attr-defined]  # the name that starttls() verifies
    code, reply = smtp.connect(server.host, server.port)
    if code != 220:
        raise smtplib.SMTPResponseException(code, reply)
    smtp.ehlo_or_helo_if_needed()
    encrypted = server.scheme == "smtps"
    if not encrypted and smtp.has_extn("starttls"):
        smtp.starttls(context=_make_unverified_context() if _needs_no_proof(server) else tls())
        smtp.ehlo_or_helo_if_needed()
        encrypted = True
    elif not encrypted and server.scheme == "smtp+starttls":
        hint = "smtp+starttls:// asks for it; somebody may be in between"
        _fail(server, "offers no STARTTLS", hint)
    if server.user:
        if not encrypted:
            why = "offers no TLS, and a password is not sent in the clear"
            _fail(server, why, "use smtps:// or another port")
        _log_in(smtp, server)


def _needs_no_proof(server: Server) -> bool:
    """Tell whether to skip certificate checks: smtp:// to this machine, without a password.

    Mail servers sign their own certificate when they are installed, and mail that never leaves the
    machine would be sent without TLS as well (B27).
    """
    if server.scheme != "smtp" or server.user:
        return False
    try:
        return ip_address(server.host).is_loopback
    except ValueError:
        return server.host.lower() == "localhost"


def _make_unverified_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _log_in(smtp: smtplib.SMTP, server: Server) -> None:
    if server.xoauth2:
        smtp.auth(
            "XOAUTH2",
            lambda challenge=None: f"user={server.user}\1auth=Bearer {server.password}\1\1",
        )
    else:
        smtp.login(server.user, server.password)


def _detach(smtp: smtplib.SMTP, server: Server) -> OpenConnection:
    """Take the socket over from smtplib."""
    sock = smtp.sock
    offers = dict(smtp.esmtp_features)
    smtp.file = smtp.sock = None
    assert sock is not None
    return OpenConnection(server, sock, offers)


def hang_up(sock: socket.socket) -> None:
    """Send QUIT and close the socket; failures are ignored (P10)."""
    with suppress(OSError, ValueError):
        sock.settimeout(2)
        sock.sendall(b"QUIT\r\n")
        sock.recv(512)
    sock.close()


def describe_failure(error: Exception) -> str:
    """Describe in a few words why a connection failed."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "the connection ended"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'unknown').replace('_', ' ').lower()}"
    return to_one_line(str(error)) or type(error).__name__
