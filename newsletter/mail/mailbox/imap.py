"""A mailbox over IMAP (RFC 3501), by IMAPClient."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from imapclient import DELETED, IMAPClient, imap4, tls
from imapclient.exceptions import IMAPClientError

from newsletter.mail.mailbox.types import (
    FETCH_AT_MOST,
    TIMEOUT,
    UIDS_AT_MOST,
    MailboxAddress,
    MailboxError,
)
from newsletter.mail.mailbox.watchdog import Watchdog

NUMBERS_AT_ONCE = 20_000
"""Mails whose UIDs are requested in one command: the response is one line of limited length."""

FETCHED_AT_ONCE = 8
"""Mails fetched by one FETCH command, of at most 4 MB together."""

LITERAL_AT_MOST = 2 * FETCH_AT_MOST
"""Bytes of one IMAP literal that are read; a server that announces more is not answering the
request."""

_PART = f"BODY.PEEK[]<0.{FETCH_AT_MOST}>"
_ERRORS = (IMAPClientError, OSError, ValueError, EOFError)


IDLE_CHECKED_EVERY = 1.0
"""Seconds between two checks of `stop` while waiting for mail."""


class _Client(IMAPClient):  # type: ignore[misc]
    """An IMAPClient whose connection is watched from its first byte, including the greeting."""

    def __init__(self, host: str, port: int, *, watchdog: Watchdog, **options: Any) -> None:
        self._watchdog = watchdog
        super().__init__(host, port, **options)

    def _create_IMAP4(self) -> Any:  # noqa: N802 (the library's name)
        base = tls.IMAP4_TLS if self.ssl else imap4.IMAP4WithTimeout
        watchdog = self._watchdog

        class WatchedImap(base):  # type: ignore[misc, valid-type]
            def _create_socket(self, timeout: float | None = None) -> socket.socket:
                connection: socket.socket = super()._create_socket(timeout)
                watchdog.watch(connection, self)
                return connection

        if self.ssl:
            return WatchedImap(self.host, self.port, self.ssl_context, TIMEOUT)
        return WatchedImap(self.host, self.port, TIMEOUT)


class ImapMailbox:
    """An open IMAP folder.

    A UID is written ``UIDVALIDITY:UID``, as only both together identify a mail permanently.
    """

    def __init__(self, address: MailboxAddress, *, seconds: float) -> None:
        self._where = f"{address.host}:{address.port}"
        self._watchdog = Watchdog(seconds)
        try:
            with self._translate_errors():
                self._client: Any = _Client(
                    address.host,
                    address.port,
                    ssl=address.encrypted,
                    timeout=TIMEOUT,
                    ssl_context=ssl.create_default_context() if address.encrypted else None,
                    watchdog=self._watchdog,
                )
        except MailboxError:
            self._watchdog.stop()
            raise
        try:
            with self._translate_errors():
                self._open(address)
        except MailboxError:
            self.close()
            raise

    def _open(self, address: MailboxAddress) -> None:
        _limit_literals(self._client)
        if not address.encrypted and not address.trusted:
            self._client.starttls(ssl.create_default_context())
        self._client.login(address.user, address.password)
        selected = self._client.select_folder(address.folder)
        self._validity = int(selected[b"UIDVALIDITY"])
        self._count = int(selected[b"EXISTS"])

    def list_uids(self) -> list[str]:
        """List the UIDs of the mails, oldest first."""
        uids: list[str] = []
        with self._translate_errors():
            for first in range(1, min(self._count, UIDS_AT_MOST) + 1, NUMBERS_AT_ONCE):
                last = min(first + NUMBERS_AT_ONCE - 1, self._count)
                numbers = self._client.search(f"{first}:{last}")
                uids += [f"{self._validity}:{int(number)}" for number in numbers[:NUMBERS_AT_ONCE]]
        return uids

    def fetch(self, uids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Fetch the beginning of each mail; skip mails that were deleted meanwhile."""
        for start in range(0, len(uids), FETCHED_AT_ONCE):
            numbers = [_number(uid) for uid in uids[start : start + FETCHED_AT_ONCE]]
            with self._translate_errors():
                answers = self._client.fetch(numbers, [_PART])
            for number in numbers:
                data = answers.get(number, {}).get(b"BODY[]<0>")
                if data is not None:
                    yield f"{self._validity}:{number}", bytes(data)[:FETCH_AT_MOST]

    def delete(self, uids: Sequence[str]) -> None:
        """Delete these mails (UID EXPUNGE, RFC 4315).

        Without UIDPLUS, a plain EXPUNGE would also delete mails that somebody else has marked; then
        these mails are only marked as deleted.
        """
        numbers = [_number(uid) for uid in uids]
        if not numbers:
            return
        with self._translate_errors():
            self._client.add_flags(numbers, [DELETED], silent=True)
            if self._client.has_capability("UIDPLUS"):
                self._client.uid_expunge(numbers)
            elif set(self._client.search("DELETED")) <= set(numbers):
                self._client.expunge()

    def wait(self, seconds: float, stop: Callable[[], bool]) -> bool:
        """Wait until a mail arrives (IDLE, RFC 2177). Return whether one did.

        Returns soon after `stop` becomes true, and at once if the server does not support IDLE.
        """
        with self._translate_errors():
            if not self._client.has_capability("IDLE"):
                return False
            self._client.idle()
            arrived = self._watch_responses(time.monotonic() + seconds, stop)
            self._client.idle_done()
            return arrived

    def _watch_responses(self, ends: float, stop: Callable[[], bool]) -> bool:
        while not stop() and (began := time.monotonic()) < ends:
            responses = self._client.idle_check(timeout=IDLE_CHECKED_EVERY)
            if any(b"EXISTS" in response for response in responses):
                return True
            if not responses and time.monotonic() - began < IDLE_CHECKED_EVERY / 2:
                break  # the library says nothing of a connection that ended; leaving IDLE will
        return False

    def close(self) -> None:
        """Log out, or drop the connection."""
        with contextlib.suppress(Exception):
            self._client.logout()
        with contextlib.suppress(Exception):
            self._client.shutdown()
        self._watchdog.stop()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except _ERRORS as error:
            words = (
                "the mailbox took too long"
                if self._watchdog.barked
                else " ".join(str(error).split())[:200]
            )
            raise MailboxError(f"{self._where}: {words or type(error).__name__}") from None


def _number(uid: str) -> int:
    return int(uid.partition(":")[2])


def _limit_literals(client: Any) -> None:
    """Refuse to read an IMAP literal larger than any that was requested.

    imaplib would read all of it into memory.
    """
    original: Callable[[int], bytes] = client._imap.read

    def read(size: int) -> bytes:
        if size > LITERAL_AT_MOST:
            raise OSError(f"the server announces {size} bytes where {FETCH_AT_MOST} were asked for")
        return original(size)

    client._imap.read = read
