"""Open a mailbox of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from newsletter.mail.mailbox.imap import ImapMailbox
from newsletter.mail.mailbox.pop3 import Pop3Mailbox
from newsletter.mail.mailbox.types import MailboxAddress, ReturnMailbox


@contextmanager
def open_mailbox(address: MailboxAddress, *, seconds: float) -> Iterator[ReturnMailbox]:
    """Open a mailbox, and close it at the end, at the latest after `seconds`.

    Raises `MailboxError`.
    """
    kind = ImapMailbox if address.is_imap else Pop3Mailbox
    mailbox: ReturnMailbox = kind(address, seconds=seconds)
    try:
        yield mailbox
    finally:
        mailbox.close()
