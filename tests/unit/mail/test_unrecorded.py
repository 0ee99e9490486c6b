"""The mail that servers may have accepted, unrecorded, stays within its bound."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from newsletter.mail.smtp import unrecorded
from newsletter.mail.smtp.connect import OpenConnection
from newsletter.mail.smtp.connection import Connection
from newsletter.mail.smtp.protocol import Conversation
from newsletter.mail.smtp.servers import Server
from newsletter.mail.smtp.types import Outgoing
from newsletter.mail.smtp.unrecorded import Unrecorded

CHUNKED = {"pipelining": "", "chunking": ""}


class Notes:
    """The records of a caller: watched or not, with a pool or without."""

    def __init__(self, descriptor: int | None, pool: int = 0) -> None:
        self._descriptor = descriptor
        self.pool = pool
        self.recorded = 0

    def watch(self) -> int | None:
        return self._descriptor

    def count(self) -> int:
        return self.recorded


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    pairs = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(4)]
    yield pairs
    for one in pairs:
        one.close()


@pytest.fixture
def connections(sockets: list[socket.socket]) -> list[Connection]:
    """Four connections on which nothing was written."""
    server = Server("smtp", "127.0.0.1", 25)
    return [
        Connection(OpenConnection(server, one, CHUNKED), Conversation("x", CHUNKED), 5.0)
        for one in sockets
    ]


def offer(connection: Connection, number: int) -> None:
    connection.conversation.advance(Outgoing(number, "a@example.com", "r@example.com", b"x\r\n"))


def test_outcomes_are_handed_over_early_only_where_they_are_recorded_beside_the_wire() -> None:
    assert Unrecorded(None, 3).enough == 1_000
    assert Unrecorded(Notes(None), 3).enough == 1_000
    assert Unrecorded(Notes(7), 3).enough == 3, "one of each connection"
    assert Unrecorded(Notes(7, pool=8), 3).enough == 4, "half of the pool"


def test_a_connection_has_at_most_two_that_are_not_recorded(connections: list[Connection]) -> None:
    one, other = connections[:2]
    waiting = Unrecorded(Notes(7), 2)
    assert not waiting.block(one, [one, other])
    waiting.add(one, 1)
    assert not waiting.block(one, [one, other])
    waiting.add(one, 1)
    assert waiting.block(one, [one, other])
    assert not waiting.block(other, [one, other]), "the other one has two of its own"


def test_what_is_on_the_wire_counts_like_what_is_not_recorded(
    connections: list[Connection],
) -> None:
    one, other = connections[:2]
    waiting = Unrecorded(None, 2)
    waiting.add(one, 1)
    offer(other, 2)
    assert not waiting.block(one, [one, other])
    offer(one, 1)
    assert waiting.block(one, [one, other])


def test_a_connection_that_offers_nothing_counts_only_what_is_not_recorded(
    connections: list[Connection],
) -> None:
    one = connections[0]
    one.conversation = Conversation("x", {})
    waiting = Unrecorded(None, 2)
    waiting.add(one, 1)
    assert not waiting.block(one, [one])


def test_a_pool_is_shared_by_all_connections(connections: list[Connection]) -> None:
    one, other = connections[:2]
    waiting = Unrecorded(Notes(7, pool=4), 2)
    waiting.add(one, 2)
    assert not waiting.block(one, [one, other]), "no bound of its own"
    offer(other, 2)
    assert not waiting.block(one, [one, other])
    waiting.add(None, 1)
    assert waiting.block(one, [one, other]), "three and the one on the wire"
    assert waiting.block(other, [one, other])


def test_successors_wait_for_what_an_ended_connection_left(connections: list[Connection]) -> None:
    ended, one, other = connections[:3]
    notes = Notes(7)
    waiting = Unrecorded(notes, 2)
    waiting.add(ended, 2)
    waiting.add(other, 2)
    assert not waiting.block(one, [one, other]), "nobody has ended yet"
    waiting.leave(ended)
    assert waiting.block(one, [one, other]), "four are two for each of two connections"
    notes.recorded = 1
    waiting.collect()
    assert not waiting.block(one, [one, other])
    notes.recorded = 2
    waiting.collect()
    waiting.add(other, 2)
    assert not waiting.block(one, [one, other]), "what had ended is recorded; the rest is another's"
    waiting.add(ended, 1)
    assert waiting.block(one, [one, other]), "an outcome of one that has ended before"


def test_the_oldest_are_let_go_first(connections: list[Connection]) -> None:
    one, other = connections[:2]
    notes = Notes(7)
    waiting = Unrecorded(notes, 2)
    waiting.add(one, 1)
    waiting.add(None, 1)
    waiting.add(other, 1)
    notes.recorded = 2
    waiting.collect()
    assert (one.unrecorded, other.unrecorded) == (0, 1)
    waiting.collect()
    assert other.unrecorded == 1, "nothing more was recorded"
    notes.recorded = 3
    waiting.collect()
    assert other.unrecorded == 0


def test_all_is_recorded_when_a_caller_that_writes_itself_comes_back(
    connections: list[Connection],
) -> None:
    waiting = Unrecorded(Notes(None), 2)
    waiting.add(connections[0], 2)
    waiting.hand_over()
    waiting.come_back()
    assert connections[0].unrecorded == 0


def test_outcomes_wait_for_more_of_them_beside_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Unrecorded(Notes(7), 2)
    monkeypatch.setattr(unrecorded, "LINGER_SECONDS", 1_000.0)
    began = time.monotonic()
    waiting.hand_over()
    seconds = waiting.linger()
    assert seconds is not None
    assert 1_000 - (time.monotonic() - began) <= seconds <= 1_000
    monkeypatch.setattr(unrecorded, "LINGER_SECONDS", 0.0)
    assert waiting.linger() == 0.0, "never less than no time"


def test_a_slow_caller_gets_larger_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Unrecorded(None, 2)
    monkeypatch.setattr(unrecorded, "SLOW_CALLER_SECONDS", 1_000.0)
    waiting.hand_over()
    waiting.come_back()
    assert waiting.linger() == 0.0
    monkeypatch.setattr(unrecorded, "SLOW_CALLER_SECONDS", -1.0)
    began = time.monotonic()
    waiting.hand_over()
    while time.monotonic() - began < 0.002:
        pass
    waiting.come_back()
    took = time.monotonic() - began
    assert 0.002 / 5 < (waiting.linger() or 0.0) <= took / 4


def test_a_single_connection_does_not_even_look_for_more() -> None:
    assert Unrecorded(None, 1).linger() is None
    assert Unrecorded(None, 2).linger() == 0.0
