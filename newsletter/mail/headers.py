"""Which headers a mail carries: the contract's table, as code.

Every value may hold slots (mail/message.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.mail.message import Header, mailbox, slot, unstructured, urls, verbatim


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
        mailbox("From", sender.name, sender.email),
        mailbox("To", slot("name"), slot("email")),
        unstructured("Subject", subject),
        verbatim("Date", slot("date")),
        verbatim("Message-ID", f"<{slot('message_id')}>"),
    ]
    if sender.reply_to:
        headers.append(mailbox("Reply-To", "", sender.reply_to))
    return [
        *headers,
        verbatim("Auto-Submitted", "auto-generated"),
        verbatim("X-Auto-Response-Suppress", "All"),
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
) -> list[Header]:
    """A mail to a list: with one-click unsubscription (RFC 8058 §3.1), and what RFC 2369 and RFC
    2919 ask for.
    """
    return [
        *single_headers(sender, subject),
        mailbox_like("List-ID", title, list_id),
        urls("List-Unsubscribe", slot("unsubscribe_url")),
        verbatim("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        urls("List-Help", help_url),
        urls("List-Archive", archive_url),
        verbatim("List-Post", "NO"),
        verbatim("Feedback-ID", feedback_id),
        verbatim("Precedence", "bulk"),
    ]


def mailbox_like(name: str, phrase: str, identifier: str) -> Header:
    """``Phrase <identifier>`` where the identifier is no address (RFC 2919 §3)."""
    made = mailbox(name, phrase, "x@x")
    return Header(
        name,
        made.parts,
        lambda shown, _: made.write(shown, "x@x").replace("<x@x>", f"<{identifier}>"),
    )
