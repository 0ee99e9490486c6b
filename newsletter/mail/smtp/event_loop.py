"""Drive several SMTP connections in one loop: ask for messages if there is room, yield outcomes.

It runs in the caller's own thread; only opening a connection has threads of its own (opener.py).
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Generator

from newsletter.errors import TransportError
from newsletter.mail.smtp.commands import read_size_limit
from newsletter.mail.smtp.connect import OpenConnection
from newsletter.mail.smtp.connection import Connection
from newsletter.mail.smtp.opener import Opener
from newsletter.mail.smtp.pending import PendingMessages
from newsletter.mail.smtp.protocol import Conversation
from newsletter.mail.smtp.servers import Server, Servers
from newsletter.mail.smtp.types import Outcome, Pull, Records, Result
from newsletter.mail.smtp.unrecorded import Unrecorded

GOODBYE_SECONDS = 2.0
"""Seconds to wait for the reply to QUIT."""
BEAT_SECONDS = 10.0
"""Seconds between two groups of outcomes at most; a group is empty if there are none."""


class EventLoop:
    """The event loop of one call of `Transport.deliver`."""

    def __init__(
        self,
        servers: Servers,
        open_connection: Callable[[Server], OpenConnection],
        pull: Pull,
        records: Records | None = None,
        *,
        connections: int,
        timeout: float,
    ) -> None:
        self._servers = servers
        self._messages = PendingMessages(servers, pull)
        self._most = connections
        self._timeout = timeout
        self._connections: list[Connection] = []
        self._leaving: list[Connection] = []
        self._outcomes: list[Outcome] = []
        self._must_hand_over = False
        self._ahead = 0  # messages to pull while servers answer
        self._refused: dict[str, TransportError] = {}
        self._error: TransportError | None = None
        self._look_at = 0.0
        self._handed_over_at = time.monotonic()
        self._opener = Opener(open_connection)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._opener.bell, selectors.EVENT_READ, self._admit_arrivals)
        self._unrecorded = Unrecorded(records, connections)
        if self._unrecorded.descriptor is not None:
            self._selector.register(
                self._unrecorded.descriptor, selectors.EVENT_READ, self._unrecorded.collect
            )

    def run(self) -> Generator[list[Outcome], None, None]:
        """Send messages until none is left; yield groups of outcomes.

        A group is yielded when a connection has to wait for it, when it is large, or when nothing
        else is happening.
        """
        while True:
            self._advance()
            if self._must_hand_over:
                yield from self._hand_over()
            elif self._is_finished():
                break
            else:
                seconds = self._unrecorded.linger() if self._outcomes else self._seconds_to_wait()
                came = seconds is not None and self._listen(seconds)
                if not came and (self._outcomes or self._is_beat_due()):
                    yield from self._hand_over()
        if self._error is not None:
            unsent = self._messages.return_all(self._error)
            self._unrecorded.add(None, len(unsent))
            self._outcomes += unsent
        if self._outcomes:
            yield from self._hand_over()
        if self._error is not None:
            raise self._error
        self._say_goodbye()

    def _advance(self) -> None:
        """Let every connection write as much as it can, and open more if messages wait."""
        for connection in tuple(self._connections):
            self._feed(connection)
        self._open_more()

    def _feed(self, connection: Connection) -> None:
        talk = connection.conversation
        awake = self._servers.is_awake(connection.server)
        while (talk.ready or (talk.room and awake)) and not connection.backlog:
            if talk.exposes and self._was_halted():
                self._must_hand_over = True
                return
            if self._unrecorded.block(connection, self._connections):
                self._must_hand_over |= bool(self._outcomes)
                return
            following = self._messages.next_for(connection.server) if talk.room and awake else None
            if following is None and not talk.ready:
                break
            connection.write(talk.advance(following))
            self._settle(connection)
        if talk.spent or not (awake or talk.working or talk.over):
            self._quit(connection)

    # --- Outcomes ---

    def _hand_over(self) -> Generator[list[Outcome], None, None]:
        """Yield the outcomes so far, and note which have been recorded."""
        outcomes = self._outcomes
        self._outcomes = []
        self._must_hand_over = False
        self._handed_over_at = time.monotonic()
        self._unrecorded.hand_over()
        yield outcomes
        self._unrecorded.come_back()

    def _was_halted(self) -> bool:
        """Tell whether this process was suspended for a while.

        The caller must then act before more messages are offered: another worker may have taken
        over (R04).
        """
        return time.monotonic() - self._handed_over_at > 2 * BEAT_SECONDS

    def _is_beat_due(self) -> bool:
        return time.monotonic() - self._handed_over_at >= BEAT_SECONDS

    def _is_finished(self) -> bool:
        """Tell whether no message is in flight and none will come."""
        for connection in self._connections:
            if connection.conversation.working:
                return False
        return self._messages.are_done or (self._error is not None and not self._connections)

    # --- Connections ---

    def _open_more(self) -> None:
        """Open connections for messages that the open ones have no room for."""
        most = min(self._most, max(self._servers.count_capacity(self._most), 1))
        self._messages.fill(max(most - len(self._connections), self._ahead))
        if unreachable := self._messages.return_unreachable():
            self._unrecorded.add(None, len(unreachable))
            self._outcomes += unreachable
            self._must_hand_over = True
        self._make_room()
        opening = self._opener.pending
        while opening.total() < min(len(self._messages), self._most - len(self._connections)):
            server = self._servers.pick(self._is_of_no_use)
            if server is None:
                if not (opening.total() or self._connections):
                    self._error = self._servers.trouble
                return
            self._opener.start(server)

    def _make_room(self) -> None:
        """Close an idle connection whose server accepts none of the waiting messages."""
        count = len(self._connections) + self._opener.pending.total()
        if not self._messages or count < self._most:
            return
        for connection in tuple(self._connections):
            is_idle = not connection.conversation.busy and not connection.backlog
            if is_idle and not self._messages.suit(connection.server):
                self._quit(connection)
                return

    def _is_of_no_use(self, server: Server) -> bool:
        if server.name in self._refused or not self._messages.suit(server):
            return True
        count = self._count_connections(server) + self._opener.pending[server.name]
        return count >= self._servers.limit_connections(server, self._most)

    def _admit_arrivals(self) -> None:
        for server, result in self._opener.collect():
            if isinstance(result, OpenConnection):
                self._admit(result)
            else:
                self._refused[server.name] = result
            # How many it takes is known once all attempts that were under way have been answered.
            if not self._opener.pending[server.name] and (
                error := self._refused.pop(server.name, None)
            ):
                self._record_refusal(server, error)

    def _count_connections(self, server: Server) -> int:
        return sum(connection.server == server for connection in self._connections)

    def _record_refusal(self, server: Server, error: TransportError) -> None:
        """Record that a server refused a connection.

        A server that has other connections of ours wants no more of them; any other server is
        paused.
        """
        if still_open := self._count_connections(server):
            self._servers.record_connection_refusal(server, still_open)
        else:
            self._servers.record_failure(server, error)

    def _admit(self, opened: OpenConnection) -> None:
        name = opened.server.name
        self._servers.record_size(opened.server, read_size_limit(opened.offers))
        talk = Conversation(
            name,
            opened.offers,
            grouped=name not in self._servers.confused,
            chunks=name not in self._servers.without_chunks,
        )
        connection = Connection(opened, talk, self._timeout)
        self._connections.append(connection)
        self._selector.register(connection.sock, connection.watched, connection)

    def _settle(self, connection: Connection) -> None:
        """Collect the outcomes of a connection, and drop it once it has ended."""
        talk = connection.conversation
        if talk.returned:
            self._messages.put_back(talk.returned)
            talk.returned = []
        if talk.outcomes:
            if Result.ACCEPTED in [outcome.result for outcome in talk.outcomes]:
                self._servers.record_success(connection.server)
            self._unrecorded.add(connection, len(talk.outcomes))
            self._outcomes += talk.outcomes
            self._must_hand_over |= len(self._outcomes) >= self._unrecorded.enough
            talk.outcomes = []
        if talk.over:
            self._drop(connection)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.backlog else 0)
        if events != connection.watched:
            connection.watched = events
            self._selector.modify(connection.sock, events, connection)

    def _drop(self, connection: Connection) -> None:
        name = connection.server.name
        if connection.conversation.confused:
            self._servers.confused.add(name)
        if connection.conversation.without_chunks:
            self._servers.without_chunks.add(name)
        self._must_hand_over |= bool(self._outcomes)
        self._unrecorded.leave(connection)
        self._selector.unregister(connection.sock)
        (self._connections if connection in self._connections else self._leaving).remove(connection)
        connection.sock.close()
        still_open = self._count_connections(connection.server)
        if connection.conversation.turned_away and still_open:
            self._servers.record_connection_refusal(connection.server, still_open)

    def _quit(self, connection: Connection) -> None:
        """Send QUIT on a connection; the loop goes on while its reply is awaited."""
        self._must_hand_over |= bool(self._outcomes)
        self._connections.remove(connection)
        self._leaving.append(connection)
        if reply := connection.conversation.unwelcome:
            error = TransportError(connection.server.name, f"said {reply.code} {reply.text}")
            self._record_refusal(connection.server, error)
        connection.write(connection.conversation.quit())
        connection.deadline = time.monotonic() + GOODBYE_SECONDS
        self._settle(connection)

    def _listen(self, seconds: float) -> bool:
        """Wait for events, `seconds` at most. Return whether there were any."""
        events = self._selector.select(seconds)
        for key, mask in events:
            if not isinstance(connection := key.data, Connection):
                connection()  # something else that has come
                continue
            if mask & selectors.EVENT_WRITE:
                connection.flush()
            if mask & selectors.EVENT_READ and not connection.conversation.over:
                connection.read()
                self._ahead = int(connection.is_prompt)
            self._settle(connection)
        self._give_up_silent()
        return bool(events)

    def _seconds_to_wait(self) -> float:
        """Return the seconds until something must be done even without an event."""
        now = time.monotonic()
        ends = [self._handed_over_at + BEAT_SECONDS]
        for connection in (*self._connections, *self._leaving):
            if connection.conversation.busy:
                ends.append(connection.deadline)
        if (next_pull_at := self._messages.next_pull_at) is not None and next_pull_at > now:
            ends.append(next_pull_at)
        return max(0.0, min(ends) - now)

    def _give_up_silent(self) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + 0.1
        for connection in (*self._connections, *self._leaving):
            if connection.conversation.busy and connection.deadline <= now:
                connection.conversation.give_up()
                self._settle(connection)

    def _say_goodbye(self) -> None:
        """Send QUIT on every connection; failures are ignored (P10)."""
        for connection in tuple(self._connections):
            self._quit(connection)
        end = time.monotonic() + GOODBYE_SECONDS
        while self._leaving and (left := end - time.monotonic()) > 0:
            self._listen(left)

    def close(self) -> None:
        """Close all sockets at once."""
        self._opener.close()
        for connection in (*self._connections, *self._leaving):
            connection.sock.close()
        self._selector.close()
