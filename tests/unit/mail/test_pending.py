"""Messages that wait for a connection: in which order, for which server, and until when."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from newsletter.errors import TransportError
from newsletter.mail.smtp.pending import PendingMessages
from newsletter.mail.smtp.servers import Server, Servers
from newsletter.mail.smtp.types import Outgoing, Result, Stage

SMALL = Server("smtp", "small.example.com", 25)
LARGE = Server("smtp", "large.example.com", 25)


def message(number: int, size: int = 10) -> Outgoing:
    return Outgoing(number, "ana@example.com", f"r{number}@example.com", b"x" * size)


class Caller:
    """Gives these answers one after the other, and counts how often it was asked."""

    def __init__(self, *answers: Outgoing | float | None) -> None:
        self._answers: Iterator[Outgoing | float | None] = iter(answers)
        self.asked = 0

    def __call__(self) -> Outgoing | float | None:
        self.asked += 1
        return next(self._answers)


@pytest.fixture
def servers() -> Servers:
    both = Servers([SMALL, LARGE])
    both.record_size(SMALL, 100)
    return both


def numbers(messages: PendingMessages, server: Server, count: int) -> list[int | None]:
    following = [messages.next_for(server) for _ in range(count)]
    return [message.id if message else None for message in following]


def test_no_more_is_pulled_than_asked_for_and_nothing_after_the_end(servers: Servers) -> None:
    caller = Caller(message(1), message(2), message(3), None)
    messages = PendingMessages(servers, caller)
    messages.fill(2)
    assert (len(messages), caller.asked) == (2, 2)
    messages.fill(2)
    assert caller.asked == 2
    assert numbers(messages, LARGE, 4) == [1, 2, 3, None]
    assert messages.are_done
    messages.fill(1)
    assert caller.asked == 4, "never again after None"


def test_it_is_done_only_when_nothing_waits(servers: Servers) -> None:
    messages = PendingMessages(servers, Caller(message(1), None))
    assert not messages.are_done
    messages.fill(2)
    assert not messages.are_done
    messages.next_for(LARGE)
    assert messages.are_done


def test_a_large_message_waits_for_its_server_and_nothing_is_pulled_meanwhile(
    servers: Servers,
) -> None:
    caller = Caller(message(1, 500), message(2), message(3))
    messages = PendingMessages(servers, caller)
    assert messages.next_for(SMALL) is None
    assert (len(messages), caller.asked) == (1, 1)
    assert not messages.suit(SMALL)
    assert messages.suit(LARGE)
    assert messages.next_for(SMALL) is None
    assert caller.asked == 1
    messages.fill(2)
    assert numbers(messages, SMALL, 1) == [2], "a later one that it takes goes by"
    assert numbers(messages, LARGE, 2) == [1, 3]


def test_what_no_server_takes_goes_to_any_of_them(servers: Servers) -> None:
    servers.record_size(LARGE, 200)
    messages = PendingMessages(servers, Caller(message(1, 500)))
    assert numbers(messages, SMALL, 1) == [1]


def test_what_had_not_had_its_turn_comes_first_again_in_its_order(servers: Servers) -> None:
    messages = PendingMessages(servers, Caller(message(3)))
    messages.fill(1)
    messages.put_back([message(1), message(2)])
    assert numbers(messages, LARGE, 3) == [1, 2, 3]


def test_a_caller_that_named_a_time_is_left_alone_until_then(servers: Servers) -> None:
    caller = Caller(1_000.0)
    messages = PendingMessages(servers, caller)
    assert messages.next_pull_at is None
    before = time.monotonic()
    assert messages.next_for(LARGE) is None
    assert messages.next_pull_at is not None
    assert before + 1_000 <= messages.next_pull_at <= time.monotonic() + 1_000
    messages.fill(1)
    assert caller.asked == 1


def test_a_time_that_has_passed_is_forgotten_with_the_next_message(servers: Servers) -> None:
    messages = PendingMessages(servers, Caller(0.0, message(1), 1_000.0, None))
    assert messages.next_for(LARGE) is None
    assert numbers(messages, LARGE, 1) == [1]
    assert messages.next_pull_at is None


def test_nobody_waits_for_a_caller_that_has_ended(servers: Servers) -> None:
    messages = PendingMessages(servers, Caller(0.0, None))
    messages.fill(1)
    assert messages.next_pull_at is not None
    messages.fill(1)
    assert messages.next_pull_at is None


def test_what_only_resting_servers_take_is_returned_while_others_are_awake(
    servers: Servers,
) -> None:
    messages = PendingMessages(servers, Caller(message(1, 500), message(2), message(3, 600), None))
    messages.fill(4)
    assert messages.return_unreachable() == []
    servers.record_failure(LARGE, TransportError(LARGE.host, "is down"))
    outcomes = messages.return_unreachable()
    assert [(one.id, one.result, one.stage) for one in outcomes] == [
        (1, Result.UNSENT, Stage.CONNECT),
        (3, Result.UNSENT, Stage.CONNECT),
    ]
    assert outcomes[0].reply == (0, "", "is down")
    assert outcomes[0].server == LARGE.host
    assert len(messages) == 1
    servers.record_failure(SMALL, TransportError(SMALL.host, "is down as well"))
    assert messages.return_unreachable() == [], "all rest: that is another matter"
    assert [one.id for one in messages.return_all(TransportError("x", "all are down"))] == [2]
    assert len(messages) == 0
