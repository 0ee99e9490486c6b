"""Messages that were pulled from the caller and wait for an SMTP connection."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from newsletter.errors import TransportError
from newsletter.mail.smtp.servers import Server, Servers
from newsletter.mail.smtp.types import Outcome, Outgoing, Pull, Reply, Result, Stage


class PendingMessages:
    """A queue that pulls messages and keeps those that no connection has room for.

    A message that is too large for a server waits for another server that may accept it. One that
    is too large for all servers is given to any of them, whose conversation reports it.
    """

    def __init__(self, servers: Servers, pull: Pull) -> None:
        self._servers = servers
        self._pull = pull
        self._parked: deque[Outgoing] = deque()
        self._exhausted = False
        self._ask_at = 0.0

    def __len__(self) -> int:
        return len(self._parked)

    @property
    def are_done(self) -> bool:
        """Tell whether no message waits and none will come."""
        return self._exhausted and not self._parked

    @property
    def next_pull_at(self) -> float | None:
        """Return the `time.monotonic` of the next pull, or None if the caller set no time."""
        return self._ask_at if self._ask_at and not self._exhausted else None

    def fill(self, count: int) -> None:
        """Pull messages until `count` wait, or the caller has no more for now."""
        while len(self._parked) < count and (message := self._ask()):
            self._parked.append(message)

    def next_for(self, server: Server) -> Outgoing | None:
        """Return the next message for `server`, or None if there is none now.

        While a message waits for another server, no further one is pulled for this server, so that
        its connection becomes idle and can be closed.
        """
        for index, message in enumerate(self._parked):
            if self._suits(server, message):
                del self._parked[index]
                return message
        pulled = None if self._parked else self._ask()
        if pulled is None or self._suits(server, pulled):
            return pulled
        self._parked.append(pulled)
        return None

    def put_back(self, messages: Iterable[Outgoing]) -> None:
        """Put back messages that were not offered to a server."""
        self._parked.extendleft(reversed(list(messages)))

    def suit(self, server: Server) -> bool:
        """Tell whether a waiting message may be given to `server`."""
        return any(self._suits(server, message) for message in self._parked)

    def _suits(self, server: Server, message: Outgoing) -> bool:
        size = len(message.data)
        return self._servers.takes(server, size) or self._servers.is_too_large(size)

    def _ask(self) -> Outgoing | None:
        if self._exhausted:
            return None
        if self._ask_at and time.monotonic() < self._ask_at:
            return None
        answer = self._pull()
        if answer is None:
            self._exhausted = True
        elif isinstance(answer, Outgoing):
            self._ask_at = 0.0
            return answer
        else:
            self._ask_at = time.monotonic() + answer
        return None

    def return_unreachable(self) -> list[Outcome]:
        """Return the outcomes of messages that suit only servers which are paused.

        If all servers are paused, no message is returned.
        """
        outcomes = []
        if self._servers.is_any_resting and self._servers.trouble is None:
            for message in tuple(self._parked):
                error = self._servers.why_unreachable(len(message.data))
                if error is not None:
                    self._parked.remove(message)
                    outcomes.append(_make_unsent_outcome(message, error))
        return outcomes

    def return_all(self, error: TransportError) -> list[Outcome]:
        """Return the outcomes of all messages because no server can be used."""
        outcomes = [_make_unsent_outcome(message, error) for message in self._parked]
        self._parked.clear()
        return outcomes


def _make_unsent_outcome(message: Outgoing, error: TransportError) -> Outcome:
    return Outcome(message.id, Result.UNSENT, Stage.CONNECT, Reply(0, "", error.reason), error.host)
