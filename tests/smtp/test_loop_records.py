"""Outcomes that the caller records beside the wire: the loop goes on as they are recorded."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from newsletter.errors import TransportError
from newsletter.mail.smtp import event_loop, unrecorded
from newsletter.mail.smtp.event_loop import EventLoop
from newsletter.mail.smtp.servers import Servers
from newsletter.mail.smtp.types import Outcome, Pull
from tests.smtp.fault_server import FaultServer, always
from tests.smtp.test_event_loop import (
    address,
    message,
    name,
    open_plainly,
    pull_each,
    results,
)
from tests.waiting import PATIENCE

pytestmark = pytest.mark.any_database


class Notebook:
    """The records of a caller, whose descriptor is readable when something was recorded."""

    def __init__(self, pool: int) -> None:
        self.pool = pool
        self._ours, self._theirs = socket.socketpair()
        self._recorded = 0

    def watch(self) -> int | None:
        return self._ours.fileno()

    def count(self) -> int:
        if select.select([self._ours], [], [], 0)[0]:
            self._ours.recv(1000)
        return self._recorded

    def record(self, count: int) -> None:
        self._recorded += count
        self._theirs.send(b"x")

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    notes = Notebook(pool=0)
    yield notes
    notes.close()


@pytest.fixture(autouse=True)
def no_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing but what happens wake the loop."""
    monkeypatch.setattr(event_loop, "BEAT_SECONDS", 10 * PATIENCE)


def begin(servers: Servers, pull: Pull, notebook: Notebook, connections: int = 1) -> EventLoop:
    return EventLoop(
        servers, open_plainly, pull, notebook, connections=connections, timeout=PATIENCE
    )


def test_the_wire_goes_on_as_soon_as_something_is_recorded(
    start: Callable[..., FaultServer], notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unrecorded, "LINGER_SECONDS", 10 * PATIENCE)
    loop = begin(Servers([address(start())]), pull_each(*range(1, 16, 2)), notebook)
    outcomes: list[Outcome] = []
    recording: list[threading.Timer] = []
    for group in loop.run():
        outcomes += group
        assert len(group) == 1, "enough for one connection"
        if len(outcomes) % 2 == 0:  # two of one connection: it waits
            recording.append(threading.Timer(0.05, notebook.record, [2]))
            recording[-1].start()
    loop.close()
    for timer in recording:
        timer.join()
    assert results(outcomes) == dict.fromkeys(range(1, 16, 2), "accepted")


def test_messages_that_no_server_takes_are_recorded_as_well(
    start: Callable[..., FaultServer], notebook: Notebook
) -> None:
    servers = Servers([address(start({"CONNECT": always(b"554 No\r\n")}))])
    loop = begin(servers, pull_each(1, 3, 5), notebook, connections=2)
    outcomes: list[Outcome] = []
    with pytest.raises(TransportError, match="554"):
        for group in loop.run():
            outcomes += group
            notebook.record(len(group))
    loop.close()
    assert results(outcomes) == {1: "unsent", 3: "unsent"}


def test_a_message_whose_only_server_rests_is_recorded_as_well(
    start: Callable[..., FaultServer], notebook: Notebook
) -> None:
    small, large = start(ehlo=("SIZE 100",)), start()
    servers = Servers([address(small), address(large)])
    servers.record_size(address(small), 100)
    servers.record_failure(address(large), TransportError("x", "was down"))
    waiting = iter([message(1), message(3, b"x" * 200 + b"\r\n"), message(5)])
    loop = begin(servers, lambda: next(waiting, None), notebook)
    outcomes: list[Outcome] = []
    for group in loop.run():
        outcomes += group
        notebook.record(len(group))
    loop.close()
    assert results(outcomes) == {1: "accepted", 3: "unsent", 5: "accepted"}
    assert {outcome.server for outcome in outcomes if outcome.id != 3} == {name(small)}
