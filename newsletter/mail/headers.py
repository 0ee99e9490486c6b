"""Choose the header fields of a mail (docs/mail.md). Every value may hold slots (slots.py)."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.mail.header_fields import (
    Header,
    mailbox_header,
    text_header,
    url_header,
    verbatim_header,
)
from newsletter.mail.slots import make_slot


@dataclass(frozen=True, slots=True)
class Sender:
    """The name and addresses that a mail is from."""

    name: str
    email: str
    reply_to: str = ""

    @property
    def domain(self) -> str:
        """Return the domain of its Message-IDs."""
        return self.email.rpartition("@")[2]


def single_headers(sender: Sender, subject: str) -> list[Header]:
    """Return the fields of a single mail, like a confirmation.

    They say nothing of a list, because the recipient may not be on it yet, but that a machine wrote
    the mail (RFC 3834 section 5).
    """
    headers = [
        mailbox_header("From", sender.name, sender.email),
        mailbox_header("To", make_slot("name"), make_slot("email")),
        text_header("Subject", subject),
        verbatim_header("Date", make_slot("date")),
        verbatim_header("Message-ID", f"<{make_slot('message_id')}>"),
    ]
    if sender.reply_to:
        headers.append(mailbox_header("Reply-To", "", sender.reply_to))
    return [
        *headers,
        verbatim_header("Auto-Submitted", "auto-generated"),
        verbatim_header("X-Auto-Response-Suppress", "All"),
    ]


def list_headers(
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
    """Return the fields of a mail to a list.

    With one-click unsubscription (RFC 8058 section 3.1), and what RFC 2369 and RFC 2919 ask for.
    `list_id` is the identifier inside the angle brackets.
    """
    unsubscribe = ["unsubscribe_url", *(["unsubscribe_mail"] if unsubscribe_by_mail else [])]
    return [
        *single_headers(sender, subject),
        identifier_header("List-ID", title, list_id),
        url_header("List-Unsubscribe", *(make_slot(name) for name in unsubscribe)),
        verbatim_header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        url_header("List-Help", help_url),
        url_header("List-Archive", archive_url),
        verbatim_header("List-Post", "NO"),
        verbatim_header("Feedback-ID", feedback_id),
        verbatim_header("CFBL-Feedback-ID", make_slot("report_id")),
        verbatim_header("Precedence", "bulk"),
    ]


def identifier_header(name: str, phrase: str, identifier: str) -> Header:
    """Make a field ``Phrase <identifier>`` whose identifier is no address (RFC 2919 section 3)."""
    field = mailbox_header(name, phrase, "x@x")
    return Header(
        name,
        field.parts,
        lambda display, _: field.write(display, "x@x").replace("<x@x>", f"<{identifier}>"),
    )
