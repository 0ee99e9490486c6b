"""A mailbox over POP3 (RFC 1939), by the standard library's poplib."""

from __future__ import annotations

import contextlib
import poplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from newsletter.mail.mailbox.types import (
    FETCH_AT_MOST,
    TIMEOUT,
    UIDS_AT_MOST,
    MailboxAddress,
    MailboxError,
)
from newsletter.mail.mailbox.watchdog import Watchdog

LINES_AT_MOST = 8_000
"""Lines of a mail's body that are requested (TOP): more than `FETCH_AT_MOST` bytes of usual lines.
"""

LINE_AT_MOST = 64 * 1024
"""Bytes of a line that are read at a time; poplib itself refuses a line of more than 2,048."""


class Pop3Mailbox:
    """An open POP3 maildrop.

    Deletions take effect when it is closed (RFC 1939 section 6).
    """

    def __init__(self, address: MailboxAddress, *, seconds: float) -> None:
        self._where = f"{address.host}:{address.port}"
        self._watchdog = Watchdog(seconds)
        try:
            with self._translate_errors():
                self._pop: Any = self._connect(address)
        except MailboxError:
            self._watchdog.stop()
            raise
        self._numbers: dict[str, int] = {}
        try:
            with self._translate_errors():
                self._log_in(address)
        except MailboxError:
            self.close()
            raise

    def _connect(self, address: MailboxAddress) -> poplib.POP3:
        watchdog = self._watchdog

        client = poplib.POP3_SSL if address.encrypted else poplib.POP3

        class WatchedPop3(client):  # type: ignore[valid-type,misc]
            def _create_socket(self, timeout: float) -> socket.socket:
                connection: socket.socket = super()._create_socket(timeout)
                watchdog.watch(connection, self)
                return connection

        options = {"context": ssl.create_default_context()} if address.encrypted else {}
        return WatchedPop3(address.host, address.port, timeout=TIMEOUT, **options)

    def _log_in(self, address: MailboxAddress) -> None:
        if not address.encrypted and not address.trusted:
            self._pop.stls(ssl.create_default_context())
        self._pop.user(address.user)
        self._pop.pass_(address.password)

    def list_uids(self) -> list[str]:
        """List the mails by their UIDL, oldest first."""
        self._numbers = {}
        with self._translate_errors():
            self._pop._shortcmd("UIDL")
            for line in self._read_lines():
                number, _, uid = line.decode("ascii", "replace").strip().partition(" ")
                if len(self._numbers) < UIDS_AT_MOST and number.isdecimal() and 0 < len(uid) <= 70:
                    self._numbers[uid] = int(number)
        return list(self._numbers)

    def fetch(self, uids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Fetch the beginning of each mail."""
        for uid in uids:
            with self._translate_errors():
                data = self._fetch(self._numbers[uid])
            yield uid, data

    def _fetch(self, number: int) -> bytes:
        try:
            self._pop._shortcmd(f"TOP {number} {LINES_AT_MOST}")
        except poplib.error_proto:  # TOP is optional (RFC 1939 section 7)
            self._pop._shortcmd(f"RETR {number}")
        data = bytearray()
        for line in self._read_lines():
            if len(data) < FETCH_AT_MOST:
                data += line
        return bytes(data[:FETCH_AT_MOST])

    def _read_lines(self) -> Iterator[bytes]:
        """Read a multi-line answer, of whatever length, in pieces of `LINE_AT_MOST`."""
        begins = True
        while True:
            piece: bytes = self._pop.file.readline(LINE_AT_MOST)
            if not piece:
                raise EOFError("the connection ended")
            if begins and piece.rstrip(b"\r\n") == b".":
                return
            yield piece[1:] if begins and piece.startswith(b".") else piece
            begins = piece.endswith(b"\n")

    def delete(self, uids: Sequence[str]) -> None:
        """Mark these mails for deletion when the session is closed."""
        with self._translate_errors():
            for uid in uids:
                if uid in self._numbers:
                    self._pop.dele(self._numbers[uid])

    def close(self) -> None:
        """End the session, which deletes the marked mails."""
        with contextlib.suppress(Exception):
            self._pop.quit()
        with contextlib.suppress(Exception):
            self._pop.close()
        self._watchdog.stop()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except (poplib.error_proto, OSError, EOFError, ValueError) as error:
            text = (
                error.args[0]
                if error.args and isinstance(error.args[0], bytes)
                else str(error).encode()
            )
            words = (
                "the mailbox took too long"
                if self._watchdog.barked
                else " ".join(text.decode("utf-8", "replace").split())[:200]
            )
            raise MailboxError(f"{self._where}: {words or type(error).__name__}") from None
