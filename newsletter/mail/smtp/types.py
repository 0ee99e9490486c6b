"""Types of messages given to a transport, and of their outcomes.

Types only.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import StrEnum
from typing import NamedTuple, Protocol


class Stage(StrEnum):
    """The stage of an SMTP transaction at which a message's delivery ended."""

    CONNECT = "CONNECT"
    SIZE = "SIZE"
    """The message is larger than the server accepts, and was not offered."""
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END = "END"


class Result(StrEnum):
    """The result of sending one message."""

    ACCEPTED = "accepted"
    """The server replied 250 after the final dot, and has taken responsibility."""
    REFUSED = "refused"
    """The server refused this message; reply and stage tell how."""
    UNSENT = "unsent"
    """The message was never offered whole (the connection was refused, or broke before the final
    dot); this is not counted against the recipient."""
    IN_DOUBT = "in_doubt"
    """The final dot was sent and no reply came; the server may have accepted the message."""


class Reply(NamedTuple):
    """An SMTP reply.

    `code` is 0 where there was none; `enhanced` is the RFC 3463 status, "" where absent.
    """

    code: int
    enhanced: str
    text: str


class Outgoing(NamedTuple):
    """One message to one recipient, ready to be sent over SMTP.

    `data` has CRLF line endings, also at its end, is 7-bit (except for the header of an
    internationalized address, RFC 6532), and no line starts with a dot (so that it suits both DATA
    and BDAT). `sender` and `recipient` are bare addresses; `envelope_id` identifies the message in
    delivery reports (RFC 3461 section 4.4), in ASCII, with 100 characters at most.
    """

    id: int
    sender: str
    recipient: str
    data: bytes
    envelope_id: str = ""


class Outcome(NamedTuple):
    """The outcome of sending one `Outgoing` message."""

    id: int
    result: Result
    stage: Stage
    reply: Reply
    server: str


Pull = Callable[[], Outgoing | float | None]
"""A function that returns the next message, called whenever a connection has room.

It can also return seconds to wait before it is called again, or None at the end.
"""


class Records(Protocol):
    """The caller's progress in recording outcomes, in the order in which they were yielded."""

    @property
    def pool(self) -> int:
        """Maximum number of unrecorded messages over all connections; 0: two for each one."""
        ...

    def watch(self) -> int | None:
        """Return a descriptor that becomes readable when more outcomes may have been recorded.

        With a descriptor, `deliver` goes on while outcomes are being recorded. None means that the
        outcomes yielded so far are recorded whenever `deliver` is resumed.
        """
        ...

    def count(self) -> int:
        """Return the number of outcomes that have been recorded.

        Raises what must stop sending at once: outcomes cannot be recorded, or another worker has
        taken over.
        """
        ...


class Transport(Protocol):
    """An interface for sending messages to SMTP servers."""

    def deliver(
        self, pull: Pull, records: Records | None = None
    ) -> Generator[list[Outcome], None, None]:
        """Send messages from `pull` until it returns None; yield their outcomes.

        Yields outcomes in small groups as replies arrive. Sending goes on while outcomes are
        recorded, as long as those that are accepted and not yet recorded (see `records`) do not
        exceed two messages a connection (or `records.pool`); without `records`, those that are not
        yet yielded count. A group is empty if nothing has happened for a while, so that the caller
        can renew its leases. Every message pulled comes back in exactly one outcome. `pull` is
        never called again after None. Closing the iterator closes the connections at once.

        Raises `TransportError` only if no server can be used at all, after every message pulled so
        far has had its outcome.
        """
        ...

    def rest(self, server: str, why: str) -> bool:
        """Pause the use of `server` because it refuses us, if there is another server.

        `server` is its name in an `Outcome`. Returns whether another server can be used now.
        """
        ...
