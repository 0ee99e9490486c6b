"""The choice among several servers, their rests, and what was learnt of each: a fake clock."""

from __future__ import annotations

import pytest

from newsletter.errors import TransportError
from newsletter.mail.smtp.servers import Server, Servers, parse_server

A, B, C = (Server("smtp", f"{letter}.example.com", 25) for letter in "abc")
DOWN = TransportError("a.example.com:25", "is down")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def moment() -> Clock:
    return Clock()


def make(moment: Clock, *servers: Server) -> Servers:
    return Servers(servers or (A, B, C), clock=moment)


def test_servers_take_turns_and_one_that_is_excluded_does_not_lose_its_turn(moment: Clock) -> None:
    servers = make(moment)
    assert [servers.pick() for _ in range(4)] == [A, B, C, A]
    assert servers.pick(lambda server: server == B) == C
    assert servers.pick() == A
    assert servers.pick(lambda _: True) is None
    assert servers.pick() == B, "a turn in which nobody was chosen counts for nothing"


def test_a_server_that_fails_rests_twice_as_long_each_time_up_to_a_quarter_hour(
    moment: Clock,
) -> None:
    servers = make(moment, A, B)
    rests = []
    for _ in range(10):
        servers.record_failure(A, DOWN)
        began = moment.now
        while not servers.is_awake(A):
            moment.now += 5
        rests.append(moment.now - began)
    assert rests == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert servers.is_any_resting, "until it has taken a message"
    servers.record_success(B)
    assert servers.is_any_resting
    servers.record_success(A)
    assert not servers.is_any_resting
    servers.record_failure(A, DOWN)
    moment.now += 4.99
    assert not servers.is_awake(A)
    moment.now += 0.01
    assert servers.is_awake(A)


def test_a_server_is_rested_only_while_another_is_awake(moment: Clock) -> None:
    servers = make(moment, A, B)
    assert servers.rest(A.name, "too fast")
    assert (servers.is_awake(A), servers.is_awake(B)) == (False, True)
    assert servers.rest(A.name, "too fast"), "another is awake"
    moment.now += 5
    assert servers.is_awake(A), "one that rests already rests no longer for being told again"
    servers.rest(A.name, "too fast")
    assert not servers.rest(B.name, "too fast")
    assert servers.is_awake(B), "the last one goes on"
    assert servers.trouble is None


def test_trouble_is_the_error_of_the_server_that_wakes_first(moment: Clock) -> None:
    servers = make(moment, A, B)
    servers.record_failure(A, TransportError(A.name, "first"))
    servers.record_failure(A, TransportError(A.name, "twice"))
    assert servers.trouble is None, "the other one is awake"
    servers.record_failure(B, TransportError(B.name, "once"))
    moment.now += 1
    assert servers.trouble is not None
    assert (servers.trouble.reason, servers.trouble.rests_for) == ("once", 4.0)
    moment.now += 4
    assert servers.trouble is None


def test_a_refused_connection_teaches_a_limit_that_is_tried_again_in_ten_minutes(
    moment: Clock,
) -> None:
    servers = make(moment, A, B)
    assert servers.limit_connections(A, 4) == 4
    assert servers.count_capacity(4) == 8
    servers.record_connection_refusal(A, 2)
    assert servers.limit_connections(A, 4) == 2
    assert servers.limit_connections(A, 1) == 1
    assert servers.limit_connections(B, 4) == 4
    assert servers.count_capacity(4) == 6
    moment.now += 599.9
    assert servers.limit_connections(A, 4) == 2
    moment.now += 0.1
    assert servers.limit_connections(A, 4) == 3
    assert servers.limit_connections(A, 4) == 3, "one more, not one more at each question"
    moment.now += 599.9
    assert servers.limit_connections(A, 4) == 3
    moment.now += 0.1
    assert servers.limit_connections(A, 4) == 4
    moment.now += 10_000
    assert servers.limit_connections(A, 4) == 4, "forgotten once it takes as many as are wanted"
    servers.record_connection_refusal(B, 0)
    assert servers.limit_connections(B, 4) == 1, "no server gets fewer than one"


def test_a_server_that_rests_counts_for_no_connection(moment: Clock) -> None:
    servers = make(moment, A, B)
    servers.record_failure(A, DOWN)
    assert servers.count_capacity(3) == 3


def test_a_message_of_exactly_the_size_is_taken_and_0_is_no_limit(moment: Clock) -> None:
    servers = make(moment, A, B)
    servers.record_size(A, 100)
    assert servers.takes(A, 100)
    assert not servers.takes(A, 101)
    assert servers.takes(B, 101), "nothing is known of it"
    assert not servers.is_too_large(101)
    servers.record_size(B, 50)
    assert not servers.is_too_large(100)
    assert servers.is_too_large(101)
    servers.record_size(B, 0)
    assert not servers.is_too_large(10**9)


def test_a_message_is_unreachable_while_all_that_take_it_rest(moment: Clock) -> None:
    servers = make(moment, A, B, C)
    servers.record_size(C, 50)
    assert servers.why_unreachable(100) is None
    servers.record_failure(A, DOWN)
    assert servers.why_unreachable(100) is None
    servers.record_failure(B, TransportError(B.name, "is down as well"))
    assert servers.why_unreachable(100) is DOWN
    assert servers.why_unreachable(50) is None, "the small one takes it"
    for server in (A, B):
        servers.record_size(server, 50)
    assert servers.why_unreachable(100) is None, "no server takes it at all"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mx.example.com", Server("smtp", "mx.example.com", 25)),
        ("smtp://me:pa@mx.example.com", Server("smtp", "mx.example.com", 587, "me", "pa")),
        ("smtp://me@mx.example.com", Server("smtp", "mx.example.com", 587, "me")),
        ("smtp://me@mx.example.com:26", Server("smtp", "mx.example.com", 26, "me", "")),
        ("smtp+starttls://mx.example.com", Server("smtp+starttls", "mx.example.com", 587)),
        ("smtps://m%40x:p%3Aw@h", Server("smtps", "h", 465, "m@x", "p:w")),
        ("smtps://m:t@h?auth=xoauth2", Server("smtps", "h", 465, "m", "t", True)),
        ("smtps://m:t@h?auth=plain", Server("smtps", "h", 465, "m", "t")),
    ],
)
def test_what_an_address_of_a_server_says(url: str, expected: Server) -> None:
    assert parse_server(url) == expected


@pytest.mark.parametrize("url", ["ftp://h:25", "smtp:///inbox", "smtp://:25", "h:25"])
def test_an_address_names_a_known_scheme_and_a_host(url: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        parse_server(url)


def test_a_login_beside_the_address_is_for_one_that_names_no_user() -> None:
    assert parse_server("smtp://h", user="u", password="p") == Server("smtp", "h", 587, "u", "p")
    assert parse_server("smtp://h", password="p") == Server("smtp", "h", 25)
    assert parse_server("smtp://m:t@h", user="u", password="p") == Server(
        "smtp", "h", 587, "m", "t"
    )
