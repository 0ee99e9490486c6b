"""Declare the closed sets of returned mail: its class, its source, what proves it, what follows."""

from __future__ import annotations

from enum import StrEnum


class BounceClass(StrEnum):
    """The meaning of a returned message for its recipient."""

    HARD = "hard"
    """The address or its domain is dead."""
    SOFT = "soft"
    """It could not be delivered for a while."""
    POLICY = "policy"
    """Refused for a rule, a reputation, a quota: about the sender."""
    CONTENT = "content"
    """Refused for what the message is."""
    SENDER = "sender"
    """Our sender address, account or commands are refused."""
    COMPLAINT = "complaint"
    """The recipient called it spam."""
    UNSUBSCRIBE = "unsubscribe"
    """Asked by mail to end a subscription."""
    REPLY = "reply"
    """A person wrote back."""
    AUTO_REPLY = "auto-reply"
    """Out of office, or a challenge."""
    IGNORE = "ignore"
    """A delay, a receipt, a loop, foreign mail."""


class BounceSource(StrEnum):
    """The way on which the news of a bounce arrived."""

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
    """Only our Message-ID, which whoever got the mail forwarded, or a copy of the answer, knows."""
    ADDRESS = "address"
    """Nothing but an address that subscribes here: no proof."""
    NONE = "none"

    @property
    def valid(self) -> bool:
        """Tell whether anything may follow from an event with this proof."""
        return self not in (BounceProof.ADDRESS, BounceProof.NONE)

    @property
    def secret(self) -> bool:
        """Tell that nobody made this proof who only got the mail forwarded."""
        return self.valid and self is not BounceProof.MESSAGE_ID


class BounceEffect(StrEnum):
    """The consequence of a bounce event."""

    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    PROPOSED = "proposed"
    """A reply asks to end the subscription, and the author decides."""
    COUNTED = "counted"
    """It counts towards a limit."""
    NOTED = "noted"
    """It is about no subscriber, or about an address that they have left."""
    ADVISORY = "advisory"
    """It is not proved, so nothing follows."""
    UNKNOWN = "unknown"
    """It was not understood and waits for a person."""
