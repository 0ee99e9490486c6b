"""One run over several connections: what is learnt of servers, and what is closed when."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from itertools import islice

import pytest

from newsletter.errors import TransportError
from newsletter.mail.smtp import event_loop
from newsletter.mail.smtp.connect import OpenConnection, connect
from newsletter.mail.smtp.event_loop import EventLoop
from newsletter.mail.smtp.opener import OPENER_THREAD
from newsletter.mail.smtp.servers import Server, Servers
from newsletter.mail.smtp.types import Outcome, Outgoing, Pull
from tests.smtp.fault_server import Conversation, FaultServer, always
from tests.waiting import PATIENCE

pytestmark = pytest.mark.any_database

GROUPS_AT_MOST = 300
FULL = b"432 4.3.2 Concurrent connections limit exceeded\r\n"
TURNED_AWAY = b"421 4.7.0 Too many\r\n"
LEARNT_WITHIN = 10.0


def name(server: FaultServer) -> str:
    return f"127.0.0.1:{server.port}"


def address(server: FaultServer) -> Server:
    return Server("smtp", "127.0.0.1", server.port)


def message(number: int, data: bytes = b"Subject: x\r\n\r\nHello\r\n") -> Outgoing:
    return Outgoing(number, "ana@example.com", f"r{number}@example.com", data)


def pull_each(*numbers: int) -> Pull:
    waiting = map(message, numbers)
    return lambda: next(waiting, None)


def open_plainly(server: Server) -> OpenConnection:
    return connect(server, ssl.create_default_context, timeout=PATIENCE, hello="x.example")


def begin(servers: Servers, pull: Pull, connections: int, timeout: float = PATIENCE) -> EventLoop:
    return EventLoop(servers, open_plainly, pull, connections=connections, timeout=timeout)


def deliver(
    servers: Servers, pull: Pull, connections: int = 1, timeout: float = PATIENCE
) -> list[Outcome]:
    """Run to the end, within so many groups."""
    loop = begin(servers, pull, connections, timeout)
    try:
        groups = list(islice(loop.run(), GROUPS_AT_MOST))
    finally:
        loop.close()
    assert len(groups) < GROUPS_AT_MOST
    return [outcome for group in groups for outcome in group]


def results(outcomes: list[Outcome]) -> dict[int, str]:
    assert len({outcome.id for outcome in outcomes}) == len(outcomes)
    return {outcome.id: outcome.result.value for outcome in outcomes}


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_every_connection_is_told_goodbye(
    start: Callable[..., FaultServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_loop, "GOODBYE_SECONDS", PATIENCE)
    server = start()
    everybody = threading.Barrier(3, timeout=PATIENCE)
    server.script["RCPT"] = lambda talk, line: (everybody.wait() + 1) * 0 or b"250 Ok\r\n"
    loop = begin(Servers([address(server)]), pull_each(5, 7, 9), 3)
    outcomes = [outcome for group in loop.run() for outcome in group]
    assert loop._leaving == [], "all have answered"
    loop.close()
    assert results(outcomes) == dict.fromkeys([5, 7, 9], "accepted")
    assert len(server.conversations) == 3
    wait_until(lambda: not server.talking)
    assert [talk.commands[-1] for talk in server.conversations] == ["QUIT"] * 3


def test_a_connection_that_is_used_up_is_told_goodbye_and_followed(
    start: Callable[..., FaultServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.mail.smtp.protocol.MESSAGES_A_CONNECTION", 2)
    server = start()
    outcomes = deliver(Servers([address(server)]), pull_each(1, 3, 5, 7, 9))
    assert results(outcomes) == dict.fromkeys([1, 3, 5, 7, 9], "accepted")
    wait_until(lambda: not server.talking)
    assert [talk.count for talk in server.conversations] == [2, 2, 1]
    assert all(talk.commands[-1] == "QUIT" for talk in server.conversations)


@pytest.mark.parametrize(
    ("ehlo", "prepare", "expected"),
    [
        ("PIPELINING", "", ["MAIL", "RCPT", "DATA"]),
        ("PIPELINING", "confused", ["MAIL", "RSET"]),
        ("8BITMIME", "", ["MAIL", "RSET"]),
        ("PIPELINING CHUNKING", "", ["MAIL", "RCPT", "BDAT"]),
        ("PIPELINING CHUNKING", "without_chunks", ["MAIL", "RCPT", "DATA"]),
    ],
)
def test_a_server_is_talked_to_as_it_understands(
    start: Callable[..., FaultServer], ehlo: str, prepare: str, expected: list[str]
) -> None:
    server = start({"MAIL": always(b"450 no\r\n")}, ehlo=tuple(ehlo.split()))
    servers = Servers([address(server)])
    if prepare:
        getattr(servers, prepare).add(name(server))
    deliver(servers, pull_each(1, 3))
    commands = server.conversations[0].commands
    assert commands[1 : 1 + len(expected)] == expected
    assert (servers.confused | servers.without_chunks) == ({name(server)} if prepare else set())


def test_a_server_that_is_silent_to_a_group_is_asked_one_by_one(
    start: Callable[..., FaultServer],
) -> None:
    server = start()
    server.script["MAIL"] = lambda talk, line: b"" if talk.number == 1 else b"250 Ok\r\n"
    servers = Servers([address(server)])
    assert results(deliver(servers, pull_each(1, 3), timeout=0.3)) == {1: "unsent", 3: "accepted"}
    assert servers.confused == {name(server)}
    assert not servers.without_chunks


def test_a_server_that_does_not_know_its_chunks_is_remembered(
    start: Callable[..., FaultServer],
) -> None:
    server = start({"BDAT": always(b"502 What?\r\n")}, ehlo=("PIPELINING", "CHUNKING"))
    servers = Servers([address(server)])
    outcomes = results(deliver(servers, pull_each(1, 3, 5)))
    assert outcomes[1] == "unsent"
    assert outcomes[5] == "accepted"
    assert (servers.without_chunks, servers.confused) == ({name(server)}, set())
    assert "DATA" in server.conversations[1].commands


def test_the_size_that_a_server_takes_is_remembered(start: Callable[..., FaultServer]) -> None:
    server = start(ehlo=("SIZE 1000",))
    servers = Servers([address(server)])
    deliver(servers, pull_each(1))
    assert servers.takes(address(server), 1000)
    assert not servers.takes(address(server), 1001)


@pytest.mark.parametrize("refused", [True, False])
def test_only_a_message_that_is_taken_ends_the_trouble_of_a_server(
    start: Callable[..., FaultServer], refused: bool
) -> None:
    now = [0.0]
    server = start({"RCPT": always(b"550 5.1.1 No\r\n")} if refused else {})
    servers = Servers([address(server)], clock=lambda: now[0])
    servers.record_failure(address(server), TransportError("x", "was down"))
    now[0] = 100.0
    deliver(servers, pull_each(1))
    assert servers.is_any_resting is refused


@pytest.mark.parametrize(
    ("command", "answer"), [("CONNECT", b"554 No\r\n"), ("MAIL", TURNED_AWAY), ("MAIL", FULL)]
)
def test_a_server_that_refuses_the_second_connection_is_given_one(
    start: Callable[..., FaultServer], command: str, answer: bytes
) -> None:
    server = start()
    servers = Servers([address(server)])

    def refuse_second(talk: Conversation, line: str) -> bytes:
        if talk.number == 1:
            return b"220 Hi\r\n" if command == "CONNECT" else b"250 Ok\r\n"
        wait_until(lambda: "MAIL" in server.conversations[0].commands)
        return answer

    def wait_for_refusal(talk: Conversation, line: str) -> bytes:
        until = time.monotonic() + LEARNT_WITHIN
        while servers.limit_connections(address(server), 5) == 5 and time.monotonic() < until:
            time.sleep(0.002)
        return b"250 Ok\r\n"

    server.script |= {command: refuse_second, "END": wait_for_refusal}
    outcomes = results(deliver(servers, pull_each(1, 3, 5, 7), connections=2))
    assert sorted(outcomes) == [1, 3, 5, 7]
    assert list(outcomes.values()).count("unsent") == (1 if answer == TURNED_AWAY else 0)
    assert servers.limit_connections(address(server), 5) == 1
    assert not servers.is_any_resting, "it carries messages of ours"


def test_a_server_that_turns_its_only_connection_away_is_not_limited(
    start: Callable[..., FaultServer],
) -> None:
    server = start()
    server.script["MAIL"] = lambda talk, line: TURNED_AWAY if talk.number == 1 else b"250 Ok\r\n"
    servers = Servers([address(server)])
    assert results(deliver(servers, pull_each(1, 3))) == {1: "unsent", 3: "accepted"}
    assert servers.limit_connections(address(server), 5) == 5


def test_a_server_that_closes_after_a_message_costs_the_next_nothing(
    start: Callable[..., FaultServer],
) -> None:
    server = start()
    server.script["MAIL"] = lambda talk, line: (
        TURNED_AWAY if talk.number == 1 and talk.count else b"250 Ok\r\n"
    )
    outcomes = deliver(Servers([address(server)]), pull_each(1, 3, 5))
    assert results(outcomes) == dict.fromkeys([1, 3, 5], "accepted")
    assert len(server.conversations) == 2


@pytest.mark.parametrize("connections", [1, 3])
def test_where_no_server_can_be_used_nobody_else_is_pulled(
    start: Callable[..., FaultServer], connections: int
) -> None:
    server = start({"CONNECT": always(b"554 No\r\n")})
    servers = Servers([address(server)])
    outcomes: list[Outcome] = []
    loop = begin(servers, pull_each(*range(1, 20, 2)), connections)
    with pytest.raises(TransportError, match="554"):
        for group in loop.run():
            outcomes += group
    loop.close()
    assert results(outcomes) == dict.fromkeys(range(1, 2 * connections, 2), "unsent")
    assert servers.trouble is not None


def test_a_server_that_is_put_to_rest_is_left_and_another_goes_on(
    start: Callable[..., FaultServer],
) -> None:
    resting = start()
    other = start()
    servers = Servers([address(resting), address(other)])
    outcomes: list[Outcome] = []
    before, after = iter([message(1)]), iter([message(3), message(5)])
    loop = begin(
        servers, lambda: next(after, None) if outcomes else next(before, 0.01), connections=1
    )
    for group in loop.run():
        outcomes += group
        if group and group[0].id == 1:
            servers.rest(name(resting), "it blocks us")
    wait_until(lambda: not resting.talking)
    loop.close()
    assert {outcome.id: outcome.server for outcome in outcomes} == {
        1: name(resting),
        3: name(other),
        5: name(other),
    }
    assert resting.conversations[0].commands[-1] == "QUIT"


@pytest.mark.parametrize("ehlo", [("PIPELINING",), ("PIPELINING", "CHUNKING"), ()])
def test_a_message_that_no_socket_takes_at_once_arrives_whole(
    start: Callable[..., FaultServer], ehlo: tuple[str, ...]
) -> None:
    server = start(ehlo=ehlo)
    large = b"".join(b"%d %b\r\n" % (number, b"x" * 99_000) for number in range(100))
    waiting = iter([message(1, large), message(3)])
    outcomes = deliver(Servers([address(server)]), lambda: next(waiting, None))
    assert results(outcomes) == {1: "accepted", 3: "accepted"}
    assert server.accepted[0][2] == large


def test_a_wait_of_the_caller_ends_when_it_says_and_no_group_is_empty(
    start: Callable[..., FaultServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_loop, "BEAT_SECONDS", 10 * PATIENCE)
    server = start()
    waiting = iter([0.01, message(1), 0.01, 0.01, message(3), None])
    loop = begin(Servers([address(server)]), lambda: next(waiting), connections=1)
    groups = list(loop.run())
    loop.close()
    assert [[outcome.id for outcome in group] for group in groups] == [[1], [3]]


def test_who_stops_early_leaves_no_connection_and_no_thread(
    start: Callable[..., FaultServer],
) -> None:
    server = start()
    loop = begin(Servers([address(server)]), pull_each(*range(1, 100, 2)), 2)
    next(group for group in loop.run() if group)
    assert server.talking
    loop.close()
    wait_until(lambda: not server.talking)
    wait_until(lambda: not any(one.name == OPENER_THREAD for one in threading.enumerate()))
