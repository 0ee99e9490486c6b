"""The interface of a mailbox, its limits, and its URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit

from newsletter.errors import NewsletterError

FETCH_AT_MOST = 512 * 1024
"""Bytes of a mail that are fetched: a report comes before the message that it returns."""

UIDS_AT_MOST = 500_000
"""Maximum number of a mailbox's mails that are listed."""

TIMEOUT = 30.0
"""Seconds without a byte after which a mail server counts as unreachable."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts to which a password may be sent without encryption."""

PORTS = {"imaps": 993, "imap": 143, "pop3s": 995, "pop3": 110}


class MailboxError(NewsletterError):
    """The mailbox for returned mail cannot be read.

    The message contains no password.
    """


class ReturnMailbox(Protocol):
    """An open mailbox for returned mail.

    Every method raises `MailboxError`.
    """

    def list_uids(self) -> list[str]:
        """List the mails by identifiers that never change; IMAP ones include the UIDVALIDITY."""

    def fetch(self, uids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Fetch the first `FETCH_AT_MOST` bytes of each mail, and leave the mails unread."""

    def delete(self, uids: Sequence[str]) -> None:
        """Delete these mails and no others."""

    def close(self) -> None:
        """End the session.

        Raises nothing.
        """


@dataclass(frozen=True, slots=True)
class MailboxAddress:
    """The parsed URL of a mailbox: ``imaps://user:password@host:993/INBOX``, imap, pop3s or pop3.

    Without the final s the connection is encrypted with STARTTLS or STLS, except on the loopback.
    """

    scheme: str
    host: str
    port: int
    user: str
    password: str
    folder: str

    @property
    def encrypted(self) -> bool:
        """Tell whether the connection uses TLS from the first byte."""
        return self.scheme.endswith("s")

    @property
    def trusted(self) -> bool:
        """Tell whether the server is on this machine."""
        return self.host in LOOPBACK

    @property
    def is_imap(self) -> bool:
        """Tell whether the protocol is IMAP rather than POP3."""
        return self.scheme.startswith("imap")


def parse_mailbox_url(url: str) -> MailboxAddress:
    """Parse the URL of a mailbox.

    Raises `ValueError`, whose text does not repeat the address.
    """
    parts = urlsplit(url)
    wrong = "must look like imaps://user:password@host/INBOX or pop3s://user:password@host"
    try:
        port = parts.port or PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise ValueError(wrong) from None
    if not parts.hostname or not parts.username or parts.password is None:
        raise ValueError(wrong)
    folder = unquote(parts.path.strip("/")) or "INBOX"
    user = unquote(parts.username)
    password = unquote(parts.password)
    if any(ord(letter) < 32 for letter in user + password + folder):
        raise ValueError(wrong)
    return MailboxAddress(parts.scheme, parts.hostname, port, user, password, folder)
