"""One loop over several connections: messages are asked for where there is room, outcomes are
handed over in groups.

Runs in the caller's own thread; only opening a connection, which blocks, has threads of its own.
"""

from __future__ import annotations

import queue
import selectors
import socket
import threading
import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Generator

from newsletter.errors import TransportError
from newsletter.mail.smtp.connect import OpenConnection, describe_failure, hang_up
from newsletter.mail.smtp.connection import Connection
from newsletter.mail.smtp.protocol import Conversation
from newsletter.mail.smtp.servers import Server, Servers
from newsletter.mail.smtp.types import Outcome, Outgoing, Pull, Reply

UNKNOWN_AT_MOST = 2
"""So many messages of a connection may have an outcome, or be on their way, and not yet be handed
to the caller.
"""
GOODBYE_SECONDS = 2.0
LONG_SECONDS = 0.004
BEAT_SECONDS = 10.0
"""A caller hears something at least that often, if only that nothing has come."""


class EventLoop:
    """One call of `deliver`."""

    def __init__(
        self,
        servers: Servers,
        opener: Callable[[Server], OpenConnection],
        pull: Pull,
        *,
        connections: int,
        timeout: float,
    ) -> None:
        self._servers = servers
        self._open = opener
        self._pull = pull
        self._most = connections
        self._timeout = timeout
        self._connections: list[Connection] = []
        self._leaving: list[Connection] = []
        self._parked: deque[Outgoing] = deque()
        self._exhausted = False
        self._ask_at = 0.0
        self._found: list[Outcome] = []
        self._held_up = False
        self._opening: Tally[str] = Tally()
        self._refused: dict[str, TransportError] = {}
        self._arrivals: queue.SimpleQueue[tuple[Server, OpenConnection | TransportError]] = (
            queue.SimpleQueue()
        )
        self._error: TransportError | None = None
        self._look_at = 0.0
        self._heard_at = time.monotonic()
        self._caller_took = 0.0
        self._closed = False
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._ear, self._bell = socket.socketpair()
        self._ear.settimeout(0)
        self._selector.register(self._ear, selectors.EVENT_READ, None)

    def run(self) -> Generator[list[Outcome], None, None]:
        """Until nothing is left.

        Outcomes are handed over when a connection may not go on before, or all is quiet.
        """
        while True:
            self._go_on()
            if self._held_up:
                yield from self._hand_over()
            elif self._finished():
                break
            elif not self._listen(self._linger() if self._found else self._patience()) and (
                self._found or self._silent()
            ):
                yield from self._hand_over()
        if self._error is not None:
            said = Reply(0, "", self._error.reason)
            self._found += [
                Outcome(one.id, "unsent", "CONNECT", said, self._error.host) for one in self._parked
            ]
        if self._found:
            yield from self._hand_over()
        if self._error is not None:
            raise self._error
        self._say_goodbye()

    def _go_on(self) -> None:
        """Let every connection write what it can, and opens more where messages wait."""
        for connection in tuple(self._connections):
            self._feed(connection)
        self._open_more()

    def _feed(self, connection: Connection) -> None:
        talk, awake = connection.conversation, self._servers.awake(connection.server)
        while (talk.ready or (talk.room and awake)) and not connection.backlog:
            if talk.exposes and self._overslept():
                self._held_up = True
                return
            if connection.unknown + (talk.exposed if talk.exposes else 0) >= UNKNOWN_AT_MOST:
                self._held_up |= connection.unknown > 0
                return
            following = self._next() if talk.room and awake else None
            if following is None and not talk.ready:
                return
            connection.write(talk.advance(following))
            self._settle(connection)
        if talk.spent or not (awake or talk.working or talk.over):
            self._see_off(connection)

    def _next(self) -> Outgoing | None:
        return self._parked.popleft() if self._parked else self._ask()

    def _ask(self) -> Outgoing | None:
        """A message from the caller, if there is one now."""
        if self._exhausted or self._error or (self._ask_at and time.monotonic() < self._ask_at):
            return None
        found = self._pull()
        if found is None:
            self._exhausted = True
        elif isinstance(found, Outgoing):
            self._ask_at = 0.0
            return found
        else:
            self._ask_at = time.monotonic() + found
        return None

    def _hand_over(self) -> Generator[list[Outcome], None, None]:
        """The outcomes found so far; whoever takes them has written them down before the loop goes
        on.
        """
        found, self._found, self._held_up = self._found, [], False
        self._heard_at = time.monotonic()
        yield found
        self._caller_took = time.monotonic() - self._heard_at
        for connection in self._connections:
            connection.unknown = 0

    def _linger(self) -> float:
        """Seconds to wait for more before outcomes are handed over: none, unless the caller takes
        long over each group (a disk that is slow to flush), so that larger ones are worth a wait.
        """
        return self._caller_took / 4 if self._caller_took > LONG_SECONDS else 0.0

    def _overslept(self) -> bool:
        """Tell whether the caller must hear from us before more is offered: this process was halted
        for a while, and others may have taken its work over (R04).
        """
        return time.monotonic() - self._heard_at > 2 * BEAT_SECONDS

    def _silent(self) -> bool:
        return time.monotonic() - self._heard_at >= BEAT_SECONDS

    def _finished(self) -> bool:
        """Tell whether nothing is on its way and nothing will come."""
        if any(connection.conversation.working for connection in self._connections):
            return False
        return (self._exhausted and not self._parked) or (
            self._error is not None and not self._connections
        )

    def _open_more(self) -> None:
        """Open connections for messages that no open one has room for."""
        most = min(self._most, max(self._servers.capacity(self._most), 1))
        while len(self._parked) < most - len(self._connections) and (message := self._ask()):
            self._parked.append(message)
        while (
            self._opening.total() < len(self._parked)
            and len(self._connections) + self._opening.total() < self._most
        ):
            server = self._servers.pick(self._full)
            if server is None:
                if not (self._opening.total() or self._connections):
                    self._error = self._servers.trouble
                return
            self._opening[server.name] += 1
            threading.Thread(target=self._dial, args=(server,), daemon=True).start()

    def _full(self, server: Server) -> bool:
        return server.name in self._refused or self._open_to(server) + self._opening[
            server.name
        ] >= self._servers.most(server, self._most)

    def _dial(self, server: Server) -> None:
        """In a thread of its own: opens a connection and rings the bell."""
        try:
            made: OpenConnection | TransportError = self._open(server)
        except TransportError as error:
            made = error
        except Exception as error:  # whatever it is, the loop must hear of it
            made = TransportError(server.name, describe_failure(error))
        with self._lock:
            if not self._closed:
                self._arrivals.put((server, made))
                self._bell.send(b"\0")
                return
        if isinstance(made, OpenConnection):
            hang_up(made.sock)

    def _arrive(self) -> None:
        self._ear.recv(512)
        while not self._arrivals.empty():
            server, made = self._arrivals.get()
            self._opening[server.name] -= 1
            if isinstance(made, OpenConnection):
                self._admit(made)
            else:
                self._refused[server.name] = made
            # How many it takes is known once all that were on their way have been answered.
            if not self._opening[server.name] and (error := self._refused.pop(server.name, None)):
                self._turned_away(server, error)

    def _open_to(self, server: Server) -> int:
        return sum(connection.server == server for connection in self._connections)

    def _turned_away(self, server: Server, error: TransportError) -> None:
        """A server that carries some of ours wants no further connection; one that carries none
        rests.
        """
        if still_open := self._open_to(server):
            self._servers.refused_connection(server, still_open)
        else:
            self._servers.failed(server, error)

    def _admit(self, opened: OpenConnection) -> None:
        name = opened.server.name
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
        """Take the outcomes of a connection, and lets go of it once it is over."""
        talk = connection.conversation
        self._parked.extendleft(reversed(talk.returned))
        talk.returned = []
        if talk.outcomes:
            if any(outcome.result == "accepted" for outcome in talk.outcomes):
                self._servers.proven(connection.server)
            connection.unknown += len(talk.outcomes)
            self._found += talk.outcomes
            talk.outcomes = []
        if talk.over:
            self._drop(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.backlog else 0)
        if wanted != connection.watched:
            connection.watched = wanted
            self._selector.modify(connection.sock, wanted, connection)

    def _drop(self, connection: Connection) -> None:
        name = connection.server.name
        if connection.conversation.confused:
            self._servers.confused.add(name)
        if connection.conversation.without_chunks:
            self._servers.without_chunks.add(name)
        self._held_up |= bool(self._found)  # its successor begins with a clean slate
        self._selector.unregister(connection.sock)
        (self._connections if connection in self._connections else self._leaving).remove(connection)
        connection.sock.close()
        if connection.conversation.turned_away and (still_open := self._open_to(connection.server)):
            self._servers.refused_connection(connection.server, still_open)

    def _see_off(self, connection: Connection) -> None:
        """QUIT; the answer is waited for beside what else goes on."""
        self._held_up |= bool(self._found)  # its successor begins with a clean slate
        self._connections.remove(connection)
        self._leaving.append(connection)
        if said := connection.conversation.unwelcome:
            error = TransportError(connection.server.name, f"said {said.code} {said.text}")
            self._turned_away(connection.server, error)
        connection.write(connection.conversation.quit())
        connection.deadline = time.monotonic() + GOODBYE_SECONDS
        self._settle(connection)

    def _listen(self, seconds: float) -> bool:
        """Wait until something comes, `seconds` at most.

        Returns whether something did.
        """
        events = self._selector.select(seconds)
        for key, mask in events:
            connection: Connection | None = key.data
            if connection is None:
                self._arrive()
                continue
            if mask & selectors.EVENT_WRITE:
                connection.flush()
            if mask & selectors.EVENT_READ and not connection.conversation.over:
                connection.read()
            self._settle(connection)
        self._give_up_on_the_silent()
        return bool(events)

    def _patience(self) -> float:
        """Seconds until something must be done even if nothing comes."""
        now = time.monotonic()
        ends = [
            one.deadline for one in (*self._connections, *self._leaving) if one.conversation.busy
        ]
        if self._ask_at > now and not self._exhausted:
            ends.append(self._ask_at)
        return max(0.0, min([*ends, self._heard_at + BEAT_SECONDS]) - now)

    def _give_up_on_the_silent(self) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + 0.1
        for connection in (*self._connections, *self._leaving):
            if connection.conversation.busy and connection.deadline <= now:
                connection.conversation.give_up()
                self._settle(connection)

    def _say_goodbye(self) -> None:
        """QUIT on every connection; how that goes is of no interest (P10)."""
        for connection in tuple(self._connections):
            self._see_off(connection)
        ends = time.monotonic() + GOODBYE_SECONDS
        while self._leaving and (left := ends - time.monotonic()) > 0:
            self._listen(left)

    def close(self) -> None:
        """Let go of everything at once."""
        with self._lock:
            self._closed = True
        while not self._arrivals.empty():
            _, made = self._arrivals.get()
            if isinstance(made, OpenConnection):
                made.sock.close()
        for connection in (*self._connections, *self._leaving):
            connection.sock.close()
        self._selector.close()
        self._ear.close()
        self._bell.close()
