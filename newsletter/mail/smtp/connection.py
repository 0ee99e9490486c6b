"""Transfer the octets of an SMTP conversation over a non-blocking socket; decide nothing."""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from contextlib import suppress

from newsletter.mail.smtp.connect import OpenConnection, describe_failure
from newsletter.mail.smtp.protocol import Conversation

READ_AT_MOST = 65_536
PROMPT_SECONDS = 0.05
"""Seconds within which a server answers promptly: the next message is then built before its answer
arrives."""
_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """A non-blocking socket, and the SMTP conversation on it.

    `unrecorded` counts outcomes that the caller has not recorded yet. `is_prompt` tells whether the
    server accepted its last message within `PROMPT_SECONDS`.
    """

    def __init__(self, opened: OpenConnection, conversation: Conversation, timeout: float) -> None:
        self.sock = opened.sock
        self.server = opened.server
        self.conversation = conversation
        self.timeout = timeout
        self.deadline = float("inf")
        self.unrecorded = 0
        self.is_prompt = False
        self.ended = False
        self.backlog = memoryview(b"")
        self.watched = selectors.EVENT_READ
        self.sock.settimeout(0)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        """Write as much as the socket accepts now, and keep the rest."""
        self.backlog = memoryview(bytes(self.backlog) + data if self.backlog else data)
        self.deadline = time.monotonic() + self.timeout
        self.flush()

    def flush(self) -> None:
        """Write more of what the socket did not accept before."""
        try:
            while self.backlog:
                count = self.sock.send(self.backlog)
                self.backlog = self.backlog[count:]
                self.conversation.flushed += count
                self.deadline = time.monotonic() + self.timeout
        except _LATER:
            pass
        except (OSError, ValueError) as error:
            with suppress(OSError, ValueError):  # the last answer may say why
                self.conversation.hear(self.sock.recv(READ_AT_MOST))
            self.conversation.end(describe_failure(error))

    def read(self) -> None:
        """Read what has arrived, and write the response at once.

        Only a complete reply extends the deadline.
        """
        talk = self.conversation
        answers = talk.answers
        now = time.monotonic()
        try:
            while not talk.over and (data := self.sock.recv(READ_AT_MOST)):
                waited = now - (self.deadline - self.timeout)
                if answer := talk.hear(data):
                    self.write(answer)
                if talk.outcomes:
                    self.is_prompt = waited < PROMPT_SECONDS
                if talk.answers != answers:
                    self.deadline = now + self.timeout
                if not isinstance(self.sock, ssl.SSLSocket):
                    # The selector tells of what is left; TLS may hold octets that are decrypted.
                    return
        except _LATER:
            return
        except (OSError, ValueError) as error:
            talk.end(describe_failure(error))
        talk.end("the connection ended")
