"""Opening a connection: what is tried again, what is said of a failure, and what travels openly."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.errors import TransportError
from newsletter.mail.smtp import connect as connect_module
from newsletter.mail.smtp.connect import (
    ConnectionEnded,
    OpenConnection,
    _BoundedSMTP,
    _fail_login,
    _fail_tls,
    _needs_no_proof,
    _ReplyStream,
    connect,
    describe_failure,
    hang_up,
)
from newsletter.mail.smtp.servers import Server
from tests.certificates import make_server_context, write_certificate
from tests.smtp.fault_server import FaultServer, always, first
from tests.waiting import PATIENCE

pytestmark = pytest.mark.any_database

BUSY = b"421 4.3.2 Busy\r\n"


@pytest.fixture
def servers() -> Iterator[list[FaultServer]]:
    started: list[FaultServer] = []
    yield started
    for server in started:
        server.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that were waited, which take no time."""
    seconds: list[float] = []
    monkeypatch.setattr("newsletter.mail.smtp.connect.time.sleep", seconds.append)
    return seconds


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("certificate") / "server.pem")


def start(servers: list[FaultServer], *args: object, **options: object) -> FaultServer:
    servers.append(FaultServer(*args, **options))  # type: ignore[arg-type]
    return servers[-1]


def call(server: FaultServer, scheme: str = "smtp", timeout: float = 5, **fields: str) -> list[str]:
    """Open a connection and hang up. Return the commands that the server heard before QUIT."""
    address = Server(scheme, "127.0.0.1", server.port, **fields)  # type: ignore[arg-type]
    opened = connect(address, make_trusting_context, timeout=timeout, hello="news.example.com")
    hang_up(opened.sock)
    return [command for command in server.conversations[-1].commands if command != "QUIT"]


def make_tls_error(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "x")
    error.reason = reason  # type: ignore[assignment]
    return error


def make_trusting_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.parametrize(
    ("script", "words", "waited"),
    [
        ({"CONNECT": always(BUSY)}, "said 421 4.3.2 Busy", [0.2, 0.4]),
        ({"EHLO": always(BUSY), "HELO": always(BUSY)}, "said 421 4.3.2 Busy", [0.2, 0.4]),
        ({"CONNECT": always(None)}, "the connection ended", [0.2, 0.4]),
        ({"CONNECT": always(b"420 4.3.2 No\r\n")}, "said 420 4.3.2 No", []),
        ({"CONNECT": always(b"554 5.7.1 No\r\n")}, "said 554 5.7.1 No", []),
        ({"CONNECT": always(b"250 Hello\r\n")}, "said 250 Hello", []),
        ({"CONNECT": always(b"221 Bye\r\n")}, "said 221 Bye", []),
    ],
)
def test_only_a_server_that_ends_the_conversation_is_called_three_times(
    servers: list[FaultServer],
    pauses: list[float],
    script: dict[str, object],
    words: str,
    waited: list[float],
) -> None:
    server = start(servers, script)
    with pytest.raises(TransportError) as error:
        call(server)
    assert words in str(error.value)
    assert isinstance(error.value, ConnectionEnded) is bool(waited)
    assert pauses == pytest.approx(waited)
    assert len(server.conversations) == 1 + len(waited)


@pytest.mark.parametrize("times", [1, 2])
def test_a_server_may_be_willing_a_moment_later(
    servers: list[FaultServer], pauses: list[float], times: int
) -> None:
    server = start(servers, {"CONNECT": first(times, BUSY, b"220 Hello\r\n")})
    assert call(server) == ["EHLO"]
    assert len(pauses) == times


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (421, ConnectionEnded, "said 421 4.7.0 … and … again"),
        (400, TransportError, "cannot check the user and password for now. It says: 400 4.7.0"),
        (420, TransportError, "cannot check the user and password for now. It says: 420 4.7.0"),
        (499, TransportError, "cannot check the user and password for now"),
        (500, TransportError, "does not accept the user and password. It says: 500 4.7.0 … and …"),
        (535, TransportError, "does not accept the user and password"),
        (399, TransportError, "does not accept the user and password"),
    ],
)
def test_a_refused_log_in_is_told_without_user_and_password(
    code: int, error: type[TransportError], words: str
) -> None:
    server = Server("smtps", "mail.example", 465, "ann@x.example", "pa55word")
    with pytest.raises(TransportError) as failed:
        _fail_login(server, code, b"4.7.0 ann@x.example and pa55word\r\nagain")
    assert type(failed.value) is error
    assert words in str(failed.value)
    assert ("(it is asked again)" in str(failed.value)) is ("for now" in words)
    assert ("(check smtp.url)" in str(failed.value)) is ("does not" in words)
    with pytest.raises(TransportError, match=r"It says: 535 no( |$)"):
        _fail_login(Server("smtps", "mail.example", 465), 535, "no")


def test_words_about_tls_name_the_setting() -> None:
    wrong = make_tls_error("WRONG_VERSION_NUMBER")
    other = make_tls_error("NO_SHARED_CIPHER")
    untrusted = ssl.SSLCertVerificationError(1, "x")
    untrusted.verify_message = "self-signed certificate"

    def words(scheme: str, error: ssl.SSLError) -> str:
        with pytest.raises(TransportError) as failed:
            _fail_tls(Server(scheme, "mail.example", 2525), error)
        return str(failed.value)

    assert "use smtp+starttls:// for port 2525, or smtps:// with port 465" in words("smtps", wrong)
    assert "TLS failed: wrong version number" in words("smtp+starttls", wrong)
    assert "TLS failed: no shared cipher" in words("smtps", other)
    assert "TLS failed: unknown" in words("smtps", make_tls_error(None))
    assert "the server must speak TLS 1.2 or newer" in words("smtps", other)
    distrust = words("smtps", untrusted)
    assert "its certificate cannot be trusted: self-signed certificate" in distrust
    assert "smtp.ca_file" in distrust


@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls"])
def test_the_port_of_tls_is_named_where_the_server_says_nothing(
    servers: list[FaultServer], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    server = start(servers, {"CONNECT": always(b"")})
    with pytest.raises(TransportError, match=r"no answer in time.*is smtp\.url right"):
        call(server, scheme, timeout=0.2)
    monkeypatch.setitem(connect_module.PORTS, "smtps", server.port)
    hint = f"port {server.port} speaks TLS from the first octet: use smtps://"
    with pytest.raises(TransportError) as error:
        call(server, scheme, timeout=0.2)
    assert hint in str(error.value)


def test_tls_is_begun_where_it_is_offered_and_only_once(
    servers: list[FaultServer], certificate: Path
) -> None:
    context = make_server_context(certificate)
    offers = ("STARTTLS", "AUTH PLAIN")
    both = start(servers, context=context, ehlo=offers)
    assert call(both) == ["EHLO", "STARTTLS", "EHLO"]
    login = {"user": "ann", "password": "pw"}
    assert call(both, "smtp+starttls", **login) == ["EHLO", "STARTTLS", "EHLO", "AUTH"]
    assert both.conversations[-1].secure
    implicit = start(servers, context=context, ehlo=offers, implicit=True)
    assert call(implicit, "smtps", **login) == ["EHLO", "AUTH"]
    plain = start(servers, ehlo=("AUTH PLAIN",))
    assert call(plain) == ["EHLO"]
    with pytest.raises(TransportError, match="offers no STARTTLS"):
        call(plain, "smtp+starttls", **login)
    with pytest.raises(TransportError, match="not sent in the clear"):
        call(plain, "smtp", **login)
    assert not any("AUTH" in talk.commands for talk in plain.conversations)


@pytest.mark.parametrize(
    ("scheme", "host", "user", "unproven"),
    [
        ("smtp", "127.0.0.1", "", True),
        ("smtp", "127.8.9.1", "", True),
        ("smtp", "::1", "", True),
        ("smtp", "LocalHost", "", True),
        ("smtp", "192.0.2.1", "", False),
        ("smtp", "localhost.example", "", False),
        ("smtp", "127.0.0.1", "ann", False),
        ("smtp", "localhost", "ann", False),
        ("smtp+starttls", "127.0.0.1", "", False),
        ("smtps", "localhost", "", False),
    ],
)
def test_a_certificate_proves_nothing_only_on_this_machine_and_without_a_password(
    scheme: str, host: str, user: str, unproven: bool
) -> None:
    assert _needs_no_proof(Server(scheme, host, 25, user)) is unproven


def test_what_is_offered_after_tls_counts(servers: list[FaultServer], certificate: Path) -> None:
    server = start(
        servers, context=make_server_context(certificate), ehlo=("STARTTLS", "SIZE 7", "X-ODD")
    )
    address = Server("smtp", "127.0.0.1", server.port)
    opened = connect(address, make_trusting_context, timeout=5, hello="news.example.com")
    assert isinstance(opened, OpenConnection)
    assert (opened.server, opened.offers["size"]) == (address, "7")
    assert opened.offers.keys() >= {"starttls", "size", "x-odd"}
    assert isinstance(opened.sock, ssl.SSLSocket)
    opened.sock.sendall(b"NOOP\r\n")
    assert opened.sock.recv(100).startswith(b"250")
    opened.sock.close()
    assert server.conversations[0].lines[0].lower() == "ehlo news.example.com"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    theirs.settimeout(PATIENCE)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_reply_has_an_end_in_octets(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect_module, "REPLY_AT_MOST", 10)
    ours, theirs = pair
    stream = _ReplyStream(ours, PATIENCE)
    theirs.sendall(b"x" * 30)
    assert stream.readinto(bytearray(6)) == 6
    assert stream.readinto(bytearray(3)) == 3
    assert stream.readinto(bytearray(1)) == 1
    with pytest.raises(ValueError, match="without an end"):
        stream.readinto(bytearray(1))
    stream.begin_reply()
    assert stream.readinto(bytearray(10)) == 10


def test_a_reply_has_an_end_in_time(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    late = _ReplyStream(ours, -1.0)
    theirs.sendall(b"x")
    with pytest.raises(ValueError, match="no answer in time"):
        late.readinto(bytearray(1))
    assert _ReplyStream(ours, PATIENCE).readinto(bytearray(1)) == 1
    ours.settimeout(0.01)
    with pytest.raises(ValueError, match="no answer in time"):
        _ReplyStream(ours, PATIENCE).readinto(bytearray(1))


def test_each_reply_of_an_opening_has_its_own_end(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect_module, "REPLY_AT_MOST", 20)
    smtp = _BoundedSMTP(timeout=PATIENCE)
    smtp.sock, theirs = pair
    for number in range(4):
        theirs.sendall(b"250 number %d\r\n" % number)
        assert smtp.getreply() == (250, b"number %d" % number)
    theirs.sendall(b"250 a\r\n250 b\r\n")
    assert [smtp.getreply(), smtp.getreply()] == [(250, b"a"), (250, b"b")], "both came at once"


def test_who_hangs_up_says_so(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"221 Bye\r\n")
    hang_up(ours)
    assert theirs.recv(100) == b"QUIT\r\n"
    assert theirs.recv(100) == b""
    assert ours.fileno() == -1
    hang_up(ours)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError("x"), "no answer in time"),
        (ConnectionRefusedError("x"), "connection refused"),
        (smtplib.SMTPServerDisconnected("x"), "the connection ended"),
        (make_tls_error(None), "TLS failed: unknown"),
        (make_tls_error("NO_SHARED_CIPHER"), "TLS failed: no shared cipher"),
        (OSError("a\r\nb"), "a b"),
        (OSError(), "OSError"),
    ],
)
def test_a_failure_has_a_few_words(error: Exception, words: str) -> None:
    assert describe_failure(error) == words
