"""Choose the header fields of a mail (docs/mail.md). Every value may contain slots (slots.py)."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.mail.header_fields import (
    Header,
    make_mailbox_header,
    make_text_header,
    make_url_header,
    make_verbatim_header,
)
from newsletter.mail.slots import make_slot


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a mail: name, From address and Reply-To address."""

    name: str
    email: str
    reply_to: str = ""

    @property
    def domain(self) -> str:
        """Return the domain of the sender's Message-IDs."""
        return self.email.rpartition("@")[2]


def make_single_headers(sender: Sender, subject: str) -> list[Header]:
    """Return the header fields of a mail to one person, like a confirmation.

    They name no list, because the recipient may not be on it yet, but state that a machine wrote
    the mail (RFC 3834 section 5).
    """
    headers = [
        make_mailbox_header("From", sender.name, sender.email),
        make_mailbox_header("To", make_slot("name"), make_slot("email")),
        make_text_header("Subject", subject),
        make_verbatim_header("Date", make_slot("date")),
        make_verbatim_header("Message-ID", f"<{make_slot('message_id')}>"),
    ]
    if sender.reply_to:
        headers.append(make_mailbox_header("Reply-To", "", sender.reply_to))
    return [
        *headers,
        make_verbatim_header("Auto-Submitted", "auto-generated"),
        make_verbatim_header("X-Auto-Response-Suppress", "All"),
    ]


def make_list_headers(
    sender: Sender,
    subject: str,
    *,
    title: str,
    list_id: str,
    help_url: str,
    archive_url: str,
    feedback_id: str,
    unsubscribe_by_mail: bool = False,
) -> list[Header]:
    """Return the header fields of a mail to a mailing list.

    They include one-click unsubscription (RFC 8058 section 3.1), and what RFC 2369 and RFC 2919 ask
    for. `list_id` is the identifier inside the angle brackets.
    """
    unsubscribe = ["unsubscribe_url", *(["unsubscribe_mail"] if unsubscribe_by_mail else [])]
    return [
        *make_single_headers(sender, subject),
        make_identifier_header("List-ID", title, list_id),
        make_url_header("List-Unsubscribe", *(make_slot(name) for name in unsubscribe)),
        make_verbatim_header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        make_url_header("List-Help", help_url),
        make_url_header("List-Archive", archive_url),
        make_verbatim_header("List-Post", "NO"),
        make_verbatim_header("Feedback-ID", feedback_id),
        make_verbatim_header("CFBL-Feedback-ID", make_slot("report_id")),
        make_verbatim_header("Precedence", "bulk"),
    ]


def make_identifier_header(name: str, phrase: str, identifier: str) -> Header:
    """Make a field ``Phrase <identifier>`` whose identifier is no address (RFC 2919 section 3)."""
    field = make_mailbox_header(name, phrase, "x@x")
    return Header(
        name,
        field.parts,
        lambda display, _: field.write(display, "x@x").replace("<x@x>", f"<{identifier}>"),
    )
