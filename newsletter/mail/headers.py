"""Which headers a mail carries: the contract's table, as code.

Every value may hold slots (mail/message.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.mail.message import (
    Header,
    mailbox_header,
    make_slot,
    text_header,
    url_header,
    verbatim_header,
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom a mail is from.

    `list_id` is the identifier inside the angle brackets (RFC 2919 §3).
    """

    name: str
    email: str
    reply_to: str = ""

    @property
    def domain(self) -> str:
        """Where its Message-IDs live."""
        return self.email.rpartition("@")[2]


def single_headers(sender: Sender, subject: str) -> list[Header]:
    """A mail of its own, like a confirmation: nothing about a list (nobody is on it yet), but that
    a machine wrote it (RFC 3834 §5).
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
    """A mail to a list: with one-click unsubscription (RFC 8058 §3.1), and what RFC 2369 and RFC
    2919 ask for.
    """
    unsubscribe = ["unsubscribe_url", *(["unsubscribe_mail"] if unsubscribe_by_mail else [])]
    return [
        *single_headers(sender, subject),
        mailbox_like("List-ID", title, list_id),
        url_header("List-Unsubscribe", *(make_slot(name) for name in unsubscribe)),
        verbatim_header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        url_header("List-Help", help_url),
        url_header("List-Archive", archive_url),
        verbatim_header("List-Post", "NO"),
        verbatim_header("Feedback-ID", feedback_id),
        verbatim_header("Precedence", "bulk"),
    ]


def mailbox_like(name: str, phrase: str, identifier: str) -> Header:
    """``Phrase <identifier>`` where the identifier is no address (RFC 2919 §3)."""
    made = mailbox_header(name, phrase, "x@x")
    return Header(
        name,
        made.parts,
        lambda shown, _: made.write(shown, "x@x").replace("<x@x>", f"<{identifier}>"),
    )
