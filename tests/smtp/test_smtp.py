"""The wire against servers that behave badly: every message has one outcome, and nothing is lost or
made up.
"""

from __future__ import annotations

import select
import ssl
import threading
import time
import unicodedata
from base64 import b64decode
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from newsletter.errors import TransportError
from newsletter.mail.smtp.classify import judge
from newsletter.mail.smtp.connect import OpenConnection
from newsletter.mail.smtp.connection import PROMPT_SECONDS
from newsletter.mail.smtp.opener import OPENER_THREAD, Opener
from newsletter.mail.smtp.reply_parser import to_one_line
from newsletter.mail.smtp.servers import Server
from newsletter.mail.smtp.transport import SmtpTransport, parse_server
from newsletter.mail.smtp.types import Outcome, Outgoing, Reply
from tests.certificates import make_server_context, write_certificate
from tests.smtp.fault_server import Conversation, FaultServer, Line, always, first
from tests.waiting import PATIENCE

DATA = b"Subject: Hello\r\nMessage-ID: <1@x>\r\n\r\nHello =2Edot\r\n"


def outgoing(number: int) -> Outgoing:
    return Outgoing(number, "ana@example.com", f"r{number}@example.com", DATA)


def transport(
    server: FaultServer, *, timeout: float = 2, scheme: str = "smtp", **options: object
) -> SmtpTransport:
    url = f"{scheme}://127.0.0.1:{server.port}"
    return SmtpTransport([parse_server(url)], timeout=timeout, hello="news.example.com", **options)  # type: ignore[arg-type]


def deliver(carrier: SmtpTransport, count: int) -> list[Outcome]:
    waiting = iter([outgoing(number) for number in range(1, count + 1)])
    return [outcome for group in carrier.deliver(lambda: next(waiting, None)) for outcome in group]


def wait_until_all_have_hung_up(server: FaultServer) -> None:
    """Wait until no connection is open or being opened: a late attempt would count for the next
    delivery.
    """
    until = time.monotonic() + PATIENCE
    while server.talking or any(one.name == OPENER_THREAD for one in threading.enumerate()):
        assert time.monotonic() < until, "a connection stays open"
        time.sleep(0.005)


@pytest.fixture
def servers() -> Iterator[list[FaultServer]]:
    started: list[FaultServer] = []
    yield started
    for server in started:
        server.close()


def make(
    servers: list[FaultServer], script: dict[str, Line] | None = None, **options: object
) -> FaultServer:
    servers.append(FaultServer(script, **options))  # type: ignore[arg-type]
    return servers[-1]


def results(outcomes: list[Outcome]) -> list[str]:
    return [outcome.result for outcome in outcomes]


def test_messages_arrive_as_they_are(servers: list[FaultServer]) -> None:
    server = make(servers)
    outcomes = deliver(transport(server), 5)
    assert results(outcomes) == ["accepted"] * 5
    assert [outcome.id for outcome in outcomes] == [1, 2, 3, 4, 5]
    assert server.accepted == [("ana@example.com", f"r{n}@example.com", DATA) for n in range(1, 6)]
    assert len(server.conversations) == 1


def test_a_connection_is_changed_now_and_then(servers: list[FaultServer]) -> None:
    server = make(servers)
    assert len(deliver(transport(server), 250)) == 250
    assert len(server.conversations) == 3


def test_the_next_message_is_built_while_a_prompt_server_answers(
    servers: list[FaultServer],
) -> None:
    pulled: list[int] = []
    ahead: list[int] = []

    def answer(talk: Conversation, recipient: str) -> bytes:
        number = int(recipient[1:].partition("@")[0])
        until = time.monotonic() + PATIENCE
        while number == 3 and len(pulled) < 5 and time.monotonic() < until:
            time.sleep(0.001)
        ahead.append(len(pulled) - number)
        return b"250 Ok\r\n"

    def pull() -> Outgoing | None:
        pulled.append(1)
        return outgoing(len(pulled)) if len(pulled) <= 8 else None

    carrier = transport(make(servers, {"END": answer}))
    assert sum(len(group) for group in carrier.deliver(pull)) == 8
    assert ahead[2] == 2, "the message behind the one whose envelope goes along"


def test_nothing_is_built_early_for_a_server_that_takes_its_time(
    servers: list[FaultServer],
) -> None:
    """Its subscriber may leave meanwhile."""
    pulled: list[int] = []
    ahead: list[int] = []

    def answer(talk: Conversation, recipient: str) -> bytes:
        time.sleep(4 * PROMPT_SECONDS)
        ahead.append(len(pulled) - int(recipient[1:].partition("@")[0]))
        return b"250 Ok\r\n"

    def pull() -> Outgoing | None:
        pulled.append(1)
        return outgoing(len(pulled)) if len(pulled) <= 4 else None

    carrier = transport(make(servers, {"END": answer}))
    assert sum(len(group) for group in carrier.deliver(pull)) == 4
    assert max(ahead[1:]) == 1


def test_a_thread_that_is_done_opens_the_next_connection(servers: list[FaultServer]) -> None:
    opened_by: list[threading.Thread] = []
    carrier = transport(make(servers))

    def open_connection(server: Server) -> OpenConnection:
        opened_by.append(threading.current_thread())
        return carrier.open(server)

    opener = Opener(open_connection)
    for _ in range(3):
        opener.start(parse_server(f"smtp://127.0.0.1:{servers[0].port}"))
        select.select([opener.bell], [], [], PATIENCE)
        [(_, opened)] = opener.collect()
        assert isinstance(opened, OpenConnection)
        opened.sock.close()
    opener.close()
    assert len(set(opened_by)) == 1
    opened_by[0].join(PATIENCE)
    assert not opened_by[0].is_alive()


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("reply", [b"450 4.2.1 Later\r\n", b"550 5.1.1 No\r\n"])
def test_p05_a_refusal_concerns_one_message_only(
    servers: list[FaultServer], stage: str, reply: bytes
) -> None:
    good = b"354 Go on\r\n" if stage == "DATA" else b"250 2.0.0 Ok\r\n"
    server = make(servers, {stage: first(1, reply, good)})
    outcomes = deliver(transport(server), 3)
    assert results(outcomes) == ["refused", "accepted", "accepted"]
    assert (outcomes[0].stage, outcomes[0].reply.code) == (stage, int(reply[:3]))
    assert [recipient for _, recipient, _ in server.accepted] == [
        "r2@example.com",
        "r3@example.com",
    ]
    assert len(server.conversations) == 1


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_p07_a_conversation_that_ends_early_is_no_attempt(
    servers: list[FaultServer], stage: str
) -> None:
    good = b"354 Go on\r\n" if stage == "DATA" else b"250 2.0.0 Ok\r\n"
    server = make(servers, {stage: first(1, None, good)})
    assert results(deliver(transport(server), 3)) == ["unsent", "accepted", "accepted"]


@pytest.mark.parametrize("answer", [None, b""], ids=["drop", "hang"])
def test_p08_a_lost_answer_to_the_dot_is_in_doubt(
    servers: list[FaultServer], answer: bytes | None
) -> None:
    server = make(servers, {"END": first(1, answer, b"250 Ok\r\n")})
    outcomes = deliver(transport(server, timeout=0.5), 3)
    assert results(outcomes) == ["in_doubt", "accepted", "accepted"]
    assert len(server.accepted) == 3, "the server had taken it"


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "END"])
def test_p02_421_costs_nobody_an_attempt(servers: list[FaultServer], stage: str) -> None:
    server = make(servers, {stage: first(1, b"421 4.3.2 Closing\r\n", b"250 Ok\r\n")})
    outcomes = deliver(transport(server), 3)
    assert results(outcomes) == ["unsent", "accepted", "accepted"]
    assert judge(outcomes[0]).kind == "again"


@pytest.mark.parametrize(
    "reply",
    [
        b"garbage\r\n",
        b"99999 x\r\n",
        b"\xff\xfe\r\n",
        b"2",
        b"250-never\r\n" * 3,
        b"250 " + b"x" * 20_000 + b"\r\n",
        b"\0\0\r\n",
        b"299\r\n",
    ],
    ids=["words", "number", "binary", "cut", "unfinished", "endless", "nul", "bare"],
)
def test_p09_answers_that_make_no_sense(servers: list[FaultServer], reply: bytes) -> None:
    server = make(servers, {"RCPT": first(1, reply, b"250 Ok\r\n")})
    outcomes = deliver(transport(server, timeout=0.5), 3)
    assert results(outcomes)[1:] == ["accepted", "accepted"]
    assert outcomes[0].result in ("unsent", "accepted")
    assert len({recipient for _, recipient, _ in server.accepted}) == len(server.accepted)


@pytest.mark.parametrize("command", ["CONNECT", "EHLO"])
@pytest.mark.parametrize("drop", [b"250-\r\n" * 20, b"x" * 10], ids=["lines", "letters"])
def test_p09_an_opening_without_an_end(
    servers: list[FaultServer], command: str, drop: bytes
) -> None:
    def drip(talk: Conversation, text: str) -> bytes | None:
        while True:
            time.sleep(0.02)
            talk.socket.sendall(drop.replace(b"250", b"220") if command == "CONNECT" else drop)

    server = make(servers, {command: drip})
    begun = time.monotonic()
    with pytest.raises(TransportError, match=r"no answer in time|without an end"):
        deliver(transport(server, timeout=0.5), 1)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("a_connection", [100, 3])
def test_p06_refusals_are_handed_over_as_they_come(
    servers: list[FaultServer], monkeypatch: pytest.MonkeyPatch, a_connection: int
) -> None:
    """However many there are, and however few a connection carries: whoever takes them may want to
    stop.
    """
    monkeypatch.setattr("newsletter.mail.smtp.protocol.MESSAGES_A_CONNECTION", a_connection)
    everybody = make(servers, {"RCPT": always(b"550 5.1.1 User unknown\r\n")})
    too_big = make(servers, ehlo=("PIPELINING", "SIZE 10"))
    for server in (everybody, too_big):
        waiting = iter([outgoing(number) for number in range(1, 200)])
        groups = list(
            transport(server, connections=4).deliver(lambda waiting=waiting: next(waiting, None))
        )  # type: ignore[misc]
        assert sum(map(len, groups)) == 199
        assert max(map(len, groups)) <= 2 * 4


def test_p02_a_server_that_turns_further_connections_away_gets_fewer(
    servers: list[FaultServer],
) -> None:
    """It lets everybody in, and says 421 to all as long as they are more than two."""
    server = make(servers)

    def mail(talk: Conversation, text: str) -> bytes | None:
        time.sleep(0.02)
        return b"421 4.7.0 Too many\r\n" if server.talking > 2 else b"250 Ok\r\n"

    server.script["MAIL"] = mail
    outcomes = deliver(transport(server, connections=8), 60)
    assert results(outcomes).count("unsent") <= 8
    assert results(outcomes).count("accepted") >= 52


def test_p09_answers_in_several_lines_and_letters(servers: list[FaultServer]) -> None:
    server = make(
        servers,
        {
            "RCPT": first(
                1, "550-5.1.1 Größe\r\n550 5.1.1 \x07unbekannt\r\n".encode("latin-1"), b"250 Ok\r\n"
            )
        },
    )
    [outcome, _] = deliver(transport(server), 2)
    assert (outcome.reply.code, outcome.reply.enhanced) == (550, "5.1.1")
    assert "\x07" not in outcome.reply.text
    assert "\n" not in outcome.reply.text


def test_p10_quit_may_fail(servers: list[FaultServer]) -> None:
    server = make(servers, {"QUIT": always(None)})
    assert results(deliver(transport(server), 2)) == ["accepted", "accepted"]


@pytest.mark.parametrize(
    "script",
    [
        {"CONNECT": always(b"554 5.7.1 No\r\n")},
        {"CONNECT": always(b"421 Busy\r\n")},
        {"CONNECT": always(None)},
        {"CONNECT": always(b"SSH-2.0\r\n")},
    ],
    ids=["554", "421", "drop", "other"],
)
def test_p01_a_server_that_will_not_talk(
    servers: list[FaultServer], script: dict[str, Line]
) -> None:
    server = make(servers, script)
    carrier = transport(server, timeout=0.5)
    waiting = iter([outgoing(1), outgoing(2)])
    outcomes = []
    with pytest.raises(TransportError) as caught:
        for group in carrier.deliver(lambda: next(waiting, None)):
            outcomes += group
    assert results(outcomes) == ["unsent"]
    assert f"127.0.0.1:{server.port}" in str(caught.value)


def test_p01_refused_and_unknown(servers: list[FaultServer]) -> None:
    server = make(servers)
    server.close()
    for url in ("smtp://127.0.0.1:1", "smtp://no-such-host.invalid:25"):
        carrier = SmtpTransport([parse_server(url)], timeout=2, hello="x")
        with pytest.raises(TransportError) as caught:
            deliver(carrier, 1)
        assert "\n" not in str(caught.value)


def test_a_server_that_is_down_rests_and_the_next_takes_over(servers: list[FaultServer]) -> None:
    down = make(servers, {"CONNECT": always(b"421 Busy\r\n")})
    up = make(servers)
    now = [0.0]
    both = [parse_server(f"smtp://127.0.0.1:{server.port}") for server in (down, up)]
    carrier = SmtpTransport(both, timeout=1, hello="x", clock=lambda: now[0])
    assert results(deliver(carrier, 2)) == results(deliver(carrier, 2)) == ["accepted", "accepted"]
    assert len(down.conversations) == 3, "called three times, then left to rest"
    now[0] = 60
    deliver(carrier, 1)
    assert len(down.conversations) == 6


def test_servers_are_used_in_turn_and_one_that_refuses_us_can_be_rested(
    servers: list[FaultServer],
) -> None:
    one = make(servers)
    other = make(servers)
    both = [parse_server(f"smtp://127.0.0.1:{server.port}") for server in (one, other)]
    carrier = SmtpTransport(both, timeout=1, hello="x", connections=2)
    assert results(deliver(carrier, 40)) == ["accepted"] * 40
    assert one.accepted
    assert other.accepted
    carrier.rest(f"127.0.0.1:{one.port}", "no")
    before = len(one.accepted)
    assert results(deliver(carrier, 40)) == ["accepted"] * 40
    assert len(one.accepted) == before
    carrier.rest(f"127.0.0.1:{other.port}", "no")
    assert results(deliver(carrier, 1)) == ["accepted"], "the last one is not rested"


def test_more_connections_are_opened_only_as_they_are_needed(servers: list[FaultServer]) -> None:
    server = make(servers)
    carrier = SmtpTransport(
        [parse_server(f"smtp://127.0.0.1:{server.port}")], timeout=1, hello="x", connections=4
    )
    deliver(carrier, 1)
    assert len(server.conversations) == 1
    deliver(carrier, 60)
    assert len(server.conversations) == 5


def test_a_server_that_wants_no_more_connections_keeps_those_it_has(
    servers: list[FaultServer],
) -> None:
    open_now: list[int] = []

    def greet(talk: Conversation, line: str) -> bytes:
        open_now.append(talk.number)
        return b"220 Hello\r\n" if len(open_now) <= 2 else b"421 4.7.0 Too many connections\r\n"

    server = make(servers, {"CONNECT": greet, "END": slow})
    carrier = SmtpTransport(
        [parse_server(f"smtp://127.0.0.1:{server.port}")], timeout=2, hello="x", connections=6
    )
    assert results(deliver(carrier, 60)) == ["accepted"] * 60
    assert {talk.number for talk in server.conversations if talk.count} <= set(open_now[:2])


def slow(talk: Conversation, line: str) -> bytes:
    time.sleep(0.02)
    return b"250 Ok\r\n"


def test_chunks_arrive_as_they_are(servers: list[FaultServer]) -> None:
    server = make(
        servers,
        {"RCPT": first(3, b"550 5.1.1 No\r\n", b"250 Ok\r\n")},
        ehlo=("PIPELINING", "CHUNKING", "DSN"),
    )
    carrier = SmtpTransport(
        [parse_server(f"smtp://127.0.0.1:{server.port}")], timeout=1, hello="x", connections=2
    )
    result = deliver(carrier, 50)
    assert sorted(results(result)) == ["accepted"] * 47 + ["refused"] * 3
    assert {data for _, _, data in server.accepted} == {DATA}
    assert len({recipient for _, recipient, _ in server.accepted}) == 47


@pytest.mark.parametrize("ehlo", [("PIPELINING",), ("PIPELINING", "CHUNKING"), ()])
def test_what_is_accepted_and_not_handed_over_stays_within_two_a_connection(
    servers: list[FaultServer], ehlo: tuple[str, ...]
) -> None:
    server = make(servers, ehlo=ehlo)
    carrier = SmtpTransport(
        [parse_server(f"smtp://127.0.0.1:{server.port}")], timeout=1, hello="x", connections=3
    )
    waiting = iter([outgoing(number) for number in range(1, 301)])
    known = 0
    most = 0
    for group in carrier.deliver(lambda: next(waiting, None)):
        time.sleep(0.002)  # the server goes on meanwhile
        most = max(most, len(server.accepted) - known)
        known += len(group)
    assert known == 300
    assert most <= 2 * 3


def test_p01_one_refused_connection_is_no_trouble(servers: list[FaultServer]) -> None:
    server = make(servers, {"CONNECT": first(2, None, b"220 Hello\r\n")})
    assert results(deliver(transport(server), 3)) == ["accepted"] * 3


def test_nobody_is_pulled_while_every_server_rests(servers: list[FaultServer]) -> None:
    server = make(servers, {"CONNECT": always(b"554 No\r\n")})
    now = [0.0]
    pulled = []
    carrier = transport(server, clock=lambda: now[0])
    for _ in range(3):
        with pytest.raises(TransportError, match="554"):
            list(carrier.deliver(lambda: pulled.append(1) or outgoing(1)))  # type: ignore[func-returns-value]
    assert len(pulled) == 1


def test_p01_starttls_that_was_stripped(servers: list[FaultServer]) -> None:
    server = make(servers)
    with pytest.raises(TransportError, match="STARTTLS"):
        deliver(transport(server, scheme="smtp+starttls"), 1)
    assert server.accepted == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return write_certificate(tmp_path / "both.pem", "127.0.0.1")


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls", "smtp"])
def test_p01_certificates_are_verified(
    servers: list[FaultServer], certificate: Path, scheme: str
) -> None:
    """With a password, or where the scheme asks for TLS, on the loopback too."""
    context = make_server_context(certificate)
    server = make(
        servers, context=context, implicit=scheme == "smtps", ehlo=("STARTTLS", "AUTH PLAIN")
    )
    with pytest.raises(TransportError, match="certificate"):
        url = f"{scheme}://{'me:secret@' if scheme == 'smtp' else ''}127.0.0.1:{server.port}"
        deliver(SmtpTransport([parse_server(url)], timeout=2, hello="x"), 1)
    assert server.accepted == []
    url = f"{scheme}://me:secret@127.0.0.1:{server.port}"
    trusting = SmtpTransport([parse_server(url)], timeout=2, hello="x", ca_file=str(certificate))
    assert results(deliver(trusting, 2)) == ["accepted", "accepted"]
    assert server.conversations[-1].secure


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_b27_a_server_of_this_machine_may_sign_its_own_certificate(
    servers: list[FaultServer], certificate: Path, host: str
) -> None:
    context = make_server_context(certificate)
    server = make(servers, context=context, ehlo=("STARTTLS",))
    carrier = SmtpTransport([parse_server(f"smtp://{host}:{server.port}")], timeout=2, hello="x")
    assert results(deliver(carrier, 1)) == ["accepted"]
    assert server.conversations[-1].secure


def test_smtps_to_a_port_with_starttls_names_the_right_scheme(servers: list[FaultServer]) -> None:
    server = make(servers, ehlo=("STARTTLS",))
    with pytest.raises(TransportError) as caught:
        deliver(transport(server, scheme="smtps"), 1)
    assert "does not speak TLS from the first octet" in str(caught.value)
    assert f"use smtp+starttls:// for port {server.port}" in str(caught.value)
    assert "_ssl.c" not in str(caught.value)


def test_other_failures_of_tls_are_words(servers: list[FaultServer], certificate: Path) -> None:
    context = make_server_context(certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-SHA")
    server = make(servers, context=context, implicit=True)
    with pytest.raises(TransportError) as caught:
        deliver(transport(server, scheme="smtps"), 1)
    assert "TLS failed: " in str(caught.value) or "certificate" in str(caught.value)
    assert "_ssl.c" not in str(caught.value)
    assert "[SSL" not in str(caught.value)


def test_p01_a_wrong_password_is_one_line_without_it(
    servers: list[FaultServer], certificate: Path
) -> None:
    context = make_server_context(certificate)
    script = {"AUTH": always(b"535 5.7.8 Bad credentials pa55word\r\n")}
    server = make(servers, script, ehlo=("AUTH PLAIN LOGIN",), context=context, implicit=True)
    result = parse_server(f"smtps://me:pa55word@127.0.0.1:{server.port}")
    with pytest.raises(TransportError) as caught:
        deliver(SmtpTransport([result], timeout=1, hello="x", ca_file=str(certificate)), 1)
    assert "535" in str(caught.value)
    assert "pa55word" not in str(caught.value)
    assert "pa55word" not in repr(result)


def test_p01_no_password_in_the_clear(servers: list[FaultServer]) -> None:
    server = make(servers, ehlo=("AUTH PLAIN LOGIN",))
    result = parse_server(f"smtp://me:secret@127.0.0.1:{server.port}")
    with pytest.raises(TransportError, match="in the clear"):
        deliver(SmtpTransport([result], timeout=1, hello="x"), 1)
    assert "AUTH" not in server.conversations[0].commands


def test_a_token_instead_of_a_password(servers: list[FaultServer], certificate: Path) -> None:
    context = make_server_context(certificate)
    server = make(servers, ehlo=("AUTH XOAUTH2",), context=context, implicit=True)
    result = parse_server(f"smtps://me%40x.org:t0ken@127.0.0.1:{server.port}?auth=xoauth2")
    carrier = SmtpTransport([result], timeout=2, hello="x", ca_file=str(certificate))
    assert results(deliver(carrier, 1)) == ["accepted"]
    [auth_line] = [line for line in server.conversations[0].lines if line.startswith("AUTH")]
    assert b64decode(auth_line.split(" ")[2]) == b"user=me@x.org\1auth=Bearer t0ken\1\1"


def test_waiting_is_no_end(servers: list[FaultServer]) -> None:
    server = make(servers)
    waiting = iter([outgoing(1), 0.01, 0.01, outgoing(2), None])
    outcomes = [
        outcome for group in transport(server).deliver(lambda: next(waiting)) for outcome in group
    ]
    assert results(outcomes) == ["accepted", "accepted"]


def test_a_caller_hears_something_while_a_server_takes_its_time(
    servers: list[FaultServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.mail.smtp.event_loop.BEAT_SECONDS", 0.1)

    def late(talk: Conversation, line: str) -> bytes:
        time.sleep(0.6)
        return b"250 Ok\r\n"

    server = make(servers, {"END": late})
    waiting = iter([outgoing(1)])
    groups = list(transport(server).deliver(lambda: next(waiting, None)))
    assert [len(group) for group in groups][-1] == 1
    assert 3 <= groups.count([]) <= 7


@pytest.mark.parametrize("command", ["CONNECT", "EHLO"])
def test_p01_a_server_that_says_nothing_is_called_once(
    servers: list[FaultServer], command: str
) -> None:
    server = make(servers, {command: always(b"")})
    with pytest.raises(TransportError, match="no answer in time"):
        deliver(transport(server, timeout=0.3), 1)
    assert len(server.conversations) == 1


def test_a_silent_server_is_given_up_in_time(servers: list[FaultServer]) -> None:
    server = make(servers, {"MAIL": always(b"")})
    begun = time.monotonic()
    assert results(deliver(transport(server, timeout=0.3), 1)) == ["unsent"]
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("url", ["http://x", "smtp://", "x", "smtps:///path"])
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        parse_server(url)


@pytest.mark.parametrize(
    ("stage", "code", "enhanced", "text", "kind", "suppressible"),
    [
        ("RCPT", 550, "5.1.1", "User unknown", "recipient", True),
        ("RCPT", 550, "5.1.10", "Null MX", "recipient", True),
        ("RCPT", 550, "", "No such user here", "recipient", True),
        (
            "RCPT",
            550,
            "5.5.0",
            "Requested action not taken: mailbox unavailable",
            "recipient",
            True,
        ),
        ("RCPT", 550, "5.4.1", "Recipient address rejected: Access denied", "recipient", True),
        ("RCPT", 552, "5.2.2", "Mailbox full", "recipient", False),
        ("RCPT", 552, "", "Too many recipients", "temporary", False),
        ("RCPT", 550, "5.7.1", "Blocked by policy", "us", False),
        ("END", 550, "5.7.515", "Access denied, authentication", "us", False),
        ("END", 554, "", "Message rejected", "unknown", False),
        ("END", 554, "", "Rejected as spam", "us", False),
        ("END", 552, "5.3.4", "Message too big", "content", False),
        ("MAIL", 550, "", "Sender rejected", "us", False),
        ("MAIL", 553, "5.1.8", "Sender domain unknown", "us", False),
        ("MAIL", 530, "5.7.0", "Authentication required", "us", False),
        ("RCPT", 450, "4.2.0", "Greylisted", "temporary", False),
        ("RCPT", 451, "4.7.1", "Greylisting in action", "temporary", False),
        ("END", 451, "4.7.28", "Rate limited: unsolicited mail", "us", False),
        ("END", 452, "4.3.1", "Disk full", "temporary", False),
        ("DATA", 503, "5.5.1", "Bad sequence", "us", False),
    ],
)
def test_b01_what_a_reply_means(
    stage: str, code: int, enhanced: str, text: str, kind: str, suppressible: bool
) -> None:
    verdict = judge(Outcome(1, "refused", stage, Reply(code, enhanced, text), "x"))  # type: ignore[arg-type]
    assert (verdict.kind, verdict.suppressible) == (kind, suppressible)


REFUSED_CONNECTION = (
    b"432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending\r\n"
)


@pytest.mark.parametrize("stage", ["CONNECT", "MAIL", "RCPT", "END"])
@pytest.mark.parametrize(
    "ehlo",
    [("PIPELINING",), ("PIPELINING", "CHUNKING"), ()],
    ids=["pipelining", "chunking", "none"],
)
def test_b23_a_refused_connection_teaches_the_limit_and_costs_no_message(
    servers: list[FaultServer], stage: str, ehlo: tuple[str, ...]
) -> None:
    """The fourth connection is told so, at its greeting or later: it is closed, and not reopened
    for a while.
    """
    welcome: set[int] = set()
    lock = threading.Lock()

    def limited(talk: Conversation, line: str) -> bytes:
        with lock:
            if len(welcome) < 3:
                welcome.add(talk.number)
        time.sleep(0.002)
        good = b"220 Hello\r\n" if stage == "CONNECT" else b"250 Ok\r\n"
        return good if talk.number in welcome else REFUSED_CONNECTION

    server = make(servers, {stage: limited}, ehlo=ehlo)
    now = [0.0]
    carrier = transport(server, connections=6, clock=lambda: now[0])
    outcomes = deliver(carrier, 90)
    assert results(outcomes) == ["accepted"] * 90
    assert len({recipient for _, recipient, _ in server.accepted}) == len(server.accepted) == 90
    wait_until_all_have_hung_up(server)
    before = len(server.conversations)
    assert before <= 6 * 3
    welcome.clear()
    assert results(deliver(carrier, 60)) == ["accepted"] * 60
    assert len(server.conversations) - before <= 3, "the limit is remembered"
    now[0] = 700
    wait_until_all_have_hung_up(server)
    welcome.clear()
    assert results(deliver(carrier, 60)) == ["accepted"] * 60, "one more is tried later"


def test_b23_a_server_that_takes_no_connection_at_all_rests(servers: list[FaultServer]) -> None:
    server = make(servers, {"MAIL": always(REFUSED_CONNECTION)})
    waiting = iter([outgoing(1), outgoing(2)])
    outcomes = []
    with pytest.raises(TransportError, match=r"432 .*Concurrent connections limit exceeded"):
        for group in transport(server).deliver(lambda: next(waiting, None)):
            outcomes += group
    assert {(one.result, one.stage) for one in outcomes} == {("unsent", "CONNECT")}
    assert len(server.conversations) == 1


def test_h10_a_message_over_size_is_not_offered(servers: list[FaultServer]) -> None:
    server = make(servers, ehlo=("PIPELINING", "SIZE 40"))
    [outcome] = deliver(transport(server), 1)
    assert (outcome.result, outcome.stage, outcome.reply.code) == ("unsent", "SIZE", 552)
    assert (
        outcome.reply.text == f"the message has {len(DATA)} octets, and the server takes 40 at most"
    )
    assert "MAIL" not in server.conversations[0].commands


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            b"535-5.7.8 Username and Password not accepted\r\n"
            b"535 5.7.8 use an application-specific password \x1b[2J\r\n",
            "does not accept the user and password. It says: 535 5.7.8 Username and Password "
            "not accepted 5.7.8 use an "
            "application-specific password [2J (check smtp.url)",
        ),
        (
            b"454 4.7.0 Temporary authentication failure\r\n",
            "cannot check the user and password for now. It says: 454 4.7.0 Temporary "
            "authentication failure "
            "(it is asked again)",
        ),
        (b"534 5.7.9 me@x.org: pa55word is old\r\n", "5.7.9 …: … is old"),
    ],
)
def test_b29_the_servers_own_words_on_auth_are_told(
    servers: list[FaultServer], certificate: Path, reply: bytes, expected: str
) -> None:
    context = make_server_context(certificate)
    server = make(
        servers, {"AUTH": always(reply)}, ehlo=("AUTH PLAIN",), context=context, implicit=True
    )
    result = parse_server(f"smtps://me%40x.org:pa55word@127.0.0.1:{server.port}")
    with pytest.raises(TransportError) as caught:
        deliver(SmtpTransport([result], timeout=1, hello="x", ca_file=str(certificate)), 1)
    assert expected in str(caught.value)
    assert "pa55word" not in str(caught.value)


def test_a_password_that_auth_cannot_carry_is_not_spelled_out(
    servers: list[FaultServer], certificate: Path
) -> None:
    context = make_server_context(certificate)
    server = make(servers, ehlo=("AUTH PLAIN",), context=context, implicit=True)
    result = parse_server(f"smtps://me:p%C3%A4ss@127.0.0.1:{server.port}")
    with pytest.raises(TransportError, match="letters that AUTH cannot carry") as caught:
        deliver(SmtpTransport([result], timeout=1, hello="x", ca_file=str(certificate)), 1)
    assert "ä" not in str(caught.value)
    assert "xe4" not in str(caught.value)


@pytest.mark.parametrize(
    "harmful",
    [
        "\x1b[2J",
        "\x07",
        "\x7f",
        "\x85",
        "\x9b31m",
        "\u202e",
        "\u2066",
        "\u200f",
        "\u061c",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\u200b",
        "\n",
        "\r",
    ],
)
def test_p1_a_servers_words_cannot_touch_a_terminal(harmful: str) -> None:
    result = to_one_line(f"a{harmful}b".encode())
    assert result == to_one_line(f"a{harmful}b")
    assert all(unicodedata.category(sign) not in ("Cc", "Cf", "Zl", "Zp") for sign in result)
    assert result[0] + result[-1] == "ab"
    assert (
        to_one_line("Größe überschritten – 大きすぎます".encode())
        == "Größe überschritten – 大きすぎます"
    )
    assert len(to_one_line("x" * 10_000)) == 500


def test_p1_the_words_reach_people_clean_from_every_stage(servers: list[FaultServer]) -> None:
    wicked = "550 5.7.1 No \u202e\u009b31m really\r\n".encode()
    for stage in ("CONNECT", "EHLO", "MAIL", "RCPT", "END"):
        server = make(servers, {stage: always(wicked), "HELO": always(wicked)})
        try:
            [outcome] = deliver(transport(server), 1)
            text = outcome.reply.text
        except TransportError as error:
            text = str(error)
        assert "really" in text, stage
        assert not {"\u202e", "\u009b"} & set(text), stage


def test_waiting_takes_no_longer_than_the_caller_says(servers: list[FaultServer]) -> None:
    """A ceiling's waits are short: ten of 50 ms are half a second, with a connection open and
    without.
    """
    server = make(servers)
    answers = iter([0.05, 0.05, outgoing(1), *[0.05] * 8, outgoing(2), None])
    begun = time.monotonic()
    outcomes = [one for group in transport(server).deliver(lambda: next(answers)) for one in group]
    assert results(outcomes) == ["accepted", "accepted"]
    assert 0.45 < time.monotonic() - begun < 8


def deliver_sizes(carrier: SmtpTransport, sizes: Sequence[int]) -> dict[int, Outcome]:
    """Deliver messages of these sizes in octets; their outcomes by size."""
    waiting = iter(
        [
            outgoing(number)._replace(data=b"x" * 60 + b"\r\n" * ((size - 60) // 2))
            for number, size in enumerate(sizes)
        ]
    )
    groups = carrier.deliver(lambda: next(waiting, None))
    return {sizes[outcome.id]: outcome for group in groups for outcome in group}


def pair(servers: list[FaultServer], first: int, second: int, connections: int) -> SmtpTransport:
    """Return a transport over two servers that take so many octets."""
    for size in (first, second):
        make(servers, ehlo=("PIPELINING", f"SIZE {size}"))
    urls = [parse_server(f"smtp://127.0.0.1:{server.port}") for server in servers]
    return SmtpTransport(urls, timeout=2, hello="x", connections=connections)


@pytest.mark.parametrize("connections", [1, 4])
def test_a_message_too_large_for_one_server_goes_to_another(
    servers: list[FaultServer], connections: int
) -> None:
    sizes = [100, 5000, 200, 300, 5002, 5004, 102, 104]
    outcomes = deliver_sizes(pair(servers, 1000, 10_000, connections), sizes)
    assert {size: outcome.result for size, outcome in outcomes.items()} == dict.fromkeys(
        sizes, "accepted"
    )
    assert sorted(len(data) for _, _, data in servers[1].accepted)[-3:] == [5000, 5002, 5004]


def test_a_message_too_large_for_every_server_is_told_so(servers: list[FaultServer]) -> None:
    outcomes = deliver_sizes(pair(servers, 1000, 2000, 2), [5000, 100])
    assert (outcomes[5000].stage, outcomes[5000].result) == ("SIZE", "unsent")
    assert outcomes[100].result == "accepted"


@pytest.mark.parametrize("connections", [1, 4])
def test_a_large_message_waits_for_its_server(servers: list[FaultServer], connections: int) -> None:
    carrier = pair(servers, 1000, 10_000, connections)
    servers[1].script["CONNECT"] = always(b"554 5.3.2 Not now\r\n")
    outcomes = deliver_sizes(carrier, [100, 5000, 200])
    assert (outcomes[5000].stage, outcomes[5000].result) == ("CONNECT", "unsent")
    assert outcomes[100].result == outcomes[200].result == "accepted"
