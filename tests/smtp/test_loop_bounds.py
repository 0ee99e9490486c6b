"""Bounds of what the loop pulls, opens and waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from newsletter.errors import TransportError
from newsletter.mail.smtp import event_loop, unrecorded
from newsletter.mail.smtp.connect import OpenConnection
from newsletter.mail.smtp.event_loop import EventLoop
from newsletter.mail.smtp.servers import Server, Servers
from newsletter.mail.smtp.types import Outcome, Outgoing
from tests.smtp.fault_server import Conversation, FaultServer
from tests.smtp.test_event_loop import (
    address,
    begin,
    message,
    name,
    open_plainly,
    pull_each,
    results,
)
from tests.waiting import PATIENCE

pytestmark = pytest.mark.any_database


def run(loop: EventLoop) -> list[Outcome]:
    outcomes = [outcome for group in loop.run() for outcome in group]
    loop.close()
    return outcomes


@pytest.mark.parametrize("connections", [1, 3])
def test_while_every_server_rests_one_message_tells_why(
    start: Callable[..., FaultServer], connections: int
) -> None:
    servers = Servers([address(start()), address(start())])
    for server in servers._servers:
        servers.record_failure(server, TransportError(server.name, "was down"))
    loop = begin(servers, pull_each(1, 3, 5, 7), connections)
    outcomes: list[Outcome] = []
    with pytest.raises(TransportError, match="was down"):
        for group in loop.run():
            outcomes += group
    loop.close()
    assert results(outcomes) == {1: "unsent"}


@pytest.mark.parametrize(("connections", "beside"), [(1, 0), (2, 1)])
def test_a_large_message_gets_the_place_of_an_idle_connection_if_there_is_no_other(
    start: Callable[..., FaultServer], connections: int, beside: int
) -> None:
    small, large = start(ehlo=("PIPELINING", "SIZE 100")), start()
    servers = Servers([address(small), address(large)])
    waiting = iter([message(3, b"x" * 200 + b"\r\n"), message(5)])
    before = iter([message(1)])
    outcomes: list[Outcome] = []
    open_before: list[tuple[int, int]] = []

    def pull() -> Outgoing | float | None:
        return next(waiting, None) if outcomes else next(before, 0.01)

    def open_connection(server: Server) -> OpenConnection:
        others = [*loop._connections, *loop._leaving]
        working = sum(connection.conversation.working for connection in others)
        open_before.append((len(loop._connections), working))
        return open_plainly(server)

    loop = EventLoop(servers, open_connection, pull, connections=connections, timeout=PATIENCE)
    for group in loop.run():
        outcomes += group
    loop.close()
    assert results(outcomes) == dict.fromkeys([1, 3, 5], "accepted")
    assert {outcome.id: outcome.server for outcome in outcomes if outcome.id != 5} == {
        1: name(small),
        3: name(large),
    }
    assert open_before == [(0, 0), (beside, 0)]


def test_a_large_message_waits_until_the_only_connection_is_idle(
    start: Callable[..., FaultServer],
) -> None:
    small, large = start(ehlo=("PIPELINING", "SIZE 100")), start()

    def take_time(talk: Conversation, line: str) -> bytes:
        time.sleep(0.1)
        return b"250 Ok\r\n"

    small.script["END"] = take_time
    servers = Servers([address(small), address(large)])
    waiting = iter([message(1), message(3, b"x" * 200 + b"\r\n")])
    working: list[bool] = []

    def open_connection(server: Server) -> OpenConnection:
        others = [*loop._connections, *loop._leaving]
        working.extend(connection.conversation.working for connection in others)
        return open_plainly(server)

    loop = EventLoop(
        servers, open_connection, lambda: next(waiting, None), connections=1, timeout=PATIENCE
    )
    assert results(run(loop)) == {1: "accepted", 3: "accepted"}
    assert not any(working)


def test_attempts_that_are_under_way_count_for_what_a_server_takes(
    start: Callable[..., FaultServer],
) -> None:
    one, two = start(), start()
    servers = Servers([address(one), address(two)])
    servers.record_connection_refusal(address(one), 1)
    servers.record_connection_refusal(address(two), 2)
    everybody = threading.Barrier(3, timeout=PATIENCE)
    for server in (one, two):
        server.script["RCPT"] = lambda talk, line: (everybody.wait() + 1) * 0 or b"250 Ok\r\n"
    outcomes = run(begin(servers, pull_each(1, 3, 5), 3))
    assert results(outcomes) == dict.fromkeys([1, 3, 5], "accepted")
    assert [len(server.conversations) for server in (one, two)] == [1, 2]


def test_no_message_is_pulled_behind_one_that_the_socket_has_not_taken(
    start: Callable[..., FaultServer],
) -> None:
    server = start(ehlo=("PIPELINING", "CHUNKING"))
    large = b"".join(b"%d %b\r\n" % (number, b"x" * 99_000) for number in range(100))
    waiting = iter([message(1, large), message(3)])
    held_back: list[bool] = []

    def pull() -> Outgoing | None:
        held_back.extend(bool(connection.backlog) for connection in loop._connections)
        return next(waiting, None)

    loop = begin(Servers([address(server)]), pull, 1)
    assert results(run(loop)) == {1: "accepted", 3: "accepted"}
    assert held_back
    assert not any(held_back)


def test_a_caller_is_slow_only_while_it_has_the_outcomes(
    start: Callable[..., FaultServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unrecorded, "SLOW_CALLER_SECONDS", PATIENCE)
    loop = begin(Servers([address(start())]), pull_each(1, 3), 2)
    loop._unrecorded._handed_over_at -= 10 * PATIENCE
    assert results(run(loop)) == {1: "accepted", 3: "accepted"}
    assert loop._unrecorded.linger() == 0.0


def test_a_caller_that_was_halted_acts_before_more_is_offered(
    start: Callable[..., FaultServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_loop, "BEAT_SECONDS", 0.1)
    first_is_known = threading.Event()

    def ask_for_content(talk: Conversation, line: str) -> bytes:
        if talk.count:
            first_is_known.wait(PATIENCE)
        return b"354 Go on\r\n"

    server = start({"DATA": ask_for_content}, ehlo=("PIPELINING",))
    loop = begin(Servers([address(server)]), pull_each(1, 3, 5), 1)
    groups = loop.run()
    assert [outcome.id for outcome in next(group for group in groups if group)] == [1]
    first_is_known.set()
    time.sleep(0.25)
    assert next(groups) == []
    assert loop._connections[0].conversation.exposed == 0, "the second message was not offered"
    assert [one.id for group in groups for one in group] == [3, 5]
    loop.close()
