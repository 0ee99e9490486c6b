"""Enums of returned mail: class, source, proof, effect; see vocabulary.py."""

from __future__ import annotations

from enum import StrEnum


class BounceClass(StrEnum):
    """The meaning of a returned message for its recipient."""

    HARD = "hard"
    """The address or its domain is dead."""
    SOFT = "soft"
    """It could not be delivered for now."""
    POLICY = "policy"
    """Refused by policy, reputation or quota, because of the sender."""
    CONTENT = "content"
    """Refused because of the message's content."""
    SENDER = "sender"
    """Our sender address, account or commands are refused."""
    COMPLAINT = "complaint"
    """The recipient reported it as spam."""
    UNSUBSCRIBE = "unsubscribe"
    """A mail that asks to unsubscribe."""
    REPLY = "reply"
    """A person's reply."""
    AUTO_REPLY = "auto-reply"
    """Out of office, or a challenge."""
    IGNORE = "ignore"
    """A delay notice, a receipt, a loop or foreign mail."""


class BounceSource(StrEnum):
    """The channel by which a bounce was reported."""

    SMTP = "smtp"
    """A server's reply while sending."""
    PIPE = "pipe"
    MAILBOX = "mailbox"
    LISTENER = "listener"
    SES = "ses"
    POSTMARK = "postmark"
    SENDGRID = "sendgrid"
    MAILGUN = "mailgun"
    BREVO = "brevo"
    MAILJET = "mailjet"
    RESEND = "resend"


class BounceProof(StrEnum):
    """The proof that a bounce is about a message of ours, in order of strength."""

    SMTP = "smtp"
    VERP = "verp"
    ENVELOPE_ID = "envid"
    TOKEN = "token"  # noqa: S105 (names a proof)
    """The CFBL-Feedback-ID (RFC 9477), or the signed address of a List-Unsubscribe header."""
    HOOK = "hook"
    """A provider's verified event names the message or the address."""
    MESSAGE_ID = "message-id"
    """Only our Message-ID, which anybody with a forwarded mail or a copy of a reply knows."""
    ADDRESS = "address"
    """Only a subscriber's address, which is no proof."""
    NONE = "none"

    @property
    def valid(self) -> bool:
        """Tell whether an event with this proof may have an effect."""
        return self not in (BounceProof.ADDRESS, BounceProof.NONE)

    @property
    def secret(self) -> bool:
        """Tell whether the proof is unknown to somebody with only a forwarded mail."""
        return self.valid and self is not BounceProof.MESSAGE_ID


class BounceEffect(StrEnum):
    """The effect of a bounce event."""

    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    PROPOSED = "proposed"
    """A reply asks to unsubscribe, and the author decides."""
    COUNTED = "counted"
    """It was counted towards a limit."""
    NOTED = "noted"
    """It concerns no subscriber, or a subscriber's earlier address."""
    ADVISORY = "advisory"
    """It is not proved, so it has no effect."""
    UNKNOWN = "unknown"
    """It was not understood, and waits for the author."""
