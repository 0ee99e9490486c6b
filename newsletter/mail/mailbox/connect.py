"""Open the mailbox for returned mail over IMAP or POP3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from newsletter.mail.mailbox.types import MailboxAddress, ReturnMailbox


@contextmanager
def open_mailbox(address: MailboxAddress, *, seconds: float) -> Iterator[ReturnMailbox]:
    """Open a mailbox, and close it at the end, or after `seconds` at the latest.

    Raises `MailboxError`.
    """
    mailbox = _open(address, seconds)
    try:
        yield mailbox
    finally:
        mailbox.close()


def _open(address: MailboxAddress, seconds: float) -> ReturnMailbox:
    # Imported here: an installation without a mailbox needs neither client in memory.
    if address.is_imap:
        from newsletter.mail.mailbox.imap import ImapMailbox

        return ImapMailbox(address, seconds=seconds)
    from newsletter.mail.mailbox.pop3 import Pop3Mailbox

    return Pop3Mailbox(address, seconds=seconds)
