"""Mailbox servers that hang, trickle, lie or break off: an error in bounded time and memory, and
nothing is lost.
"""

from __future__ import annotations

import contextlib
import socket
import time
import tracemalloc

import pytest

from newsletter.mail.mailbox import imap as imap_mailbox
from newsletter.mail.mailbox.connect import open_mailbox
from newsletter.mail.mailbox.types import MailboxAddress, MailboxError, parse_mailbox_url
from tests.services.inbound.fake_server import Talk, fake_server, imap, pop3

SECONDS = 1.5


def read_all(port: int, kind: str) -> list[bytes]:
    address = MailboxAddress(kind, "127.0.0.1", port, "me", "pass-word", "INBOX")
    with open_mailbox(address, seconds=SECONDS) as mailbox:
        return [data for _, data in mailbox.fetch(mailbox.list_uids())]


def hang(*_: object) -> None:
    time.sleep(SECONDS + 1)


def trickle(connection: socket.socket) -> None:
    """Send a byte now and then, which keeps every timeout of a single read from running out."""
    with contextlib.suppress(OSError):
        for _ in range(60):
            connection.sendall(b"x")
            time.sleep(0.1)


def endless(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(b"+OK\r\n")
        number = 0
        while True:
            lines = b"".join(b"%d uid%d\r\n" % (n, n) for n in range(number, number + 5000))
            connection.sendall(lines)
            number += 5000


def lie(tag: bytes, connection: socket.socket) -> None:
    connection.sendall(b"* 1 FETCH (UID 1 BODY[]<0> {50000000000}\r\n" + b"x" * 1000)
    time.sleep(0.3)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a library's file
@pytest.mark.parametrize(
    ("kind", "talk"),
    [
        ("imap", hang),
        ("pop3", hang),
        ("imap", trickle),
        ("pop3", trickle),
        ("imap", lambda connection: None),
        ("pop3", lambda connection: None),
        ("imap", lambda connection: connection.sendall(b"\xff\x00 nonsense\r\n" * 50)),
        ("pop3", lambda connection: connection.sendall(b"-ERR no\r\n")),
        ("imap", imap(fetched=hang)),
        ("imap", imap(fetched=lambda tag, connection: trickle(connection))),
        ("imap", imap(fetched=lie)),
        ("imap", imap(fetched=lambda tag, connection: connection.close())),
        ("pop3", pop3(listed=hang)),
        ("pop3", pop3(listed=endless)),
    ],
)
def test_a_server_that_fails_ends_in_an_error_and_soon(
    kind: str, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("imap", "pop3"):
        monkeypatch.setattr(f"newsletter.mail.mailbox.{module}.TIMEOUT", SECONDS)
    begun = time.monotonic()
    tracemalloc.start()
    with fake_server(talk) as port, pytest.raises(MailboxError) as error:
        read_all(port, kind)
    seconds = time.monotonic() - begun
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(error.value).startswith("127.0.0.1:")
    assert "pass-word" not in str(error.value)
    assert seconds < 30
    assert peak < 300_000_000
    assert imap_mailbox.LITERAL_AT_MOST < 10_000_000


def test_a_mail_that_is_gone_meanwhile_is_left_out() -> None:
    nothing = imap(fetched=lambda tag, connection: connection.sendall(tag + b" OK done\r\n"))
    with fake_server(nothing) as port:
        assert read_all(port, "imap") == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "imaps://host",
        "http://u:p@host",
        "imaps://u:p@",
        "imaps://u@host",
        "imaps://u:p@h:99999",
        "imap://u:a%0d%0ab@h",
    ],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="must look like") as error:
        parse_mailbox_url(url)
    assert not url or url not in str(error.value)


def test_user_and_folder_may_hold_anything() -> None:
    address = parse_mailbox_url("imaps://me%40example.com:p%2Fw@mail.example.com/INBOX/Re%20turned")
    assert (address.user, address.password, address.folder) == (
        "me@example.com",
        "p/w",
        "INBOX/Re turned",
    )
    assert address.port == 993
    assert address.encrypted
    assert not address.trusted
