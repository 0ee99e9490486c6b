"""The mailbox of returned mail over POP3, how its address is read, and what watches over it."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from newsletter.mail.mailbox import pop3 as pop3_module
from newsletter.mail.mailbox.connect import open_mailbox
from newsletter.mail.mailbox.types import MailboxAddress, MailboxError, parse_mailbox_url
from newsletter.mail.mailbox.watchdog import Watchdog
from tests.unit.mail.scripted_mailbox import FOREIGN, Pop3, count_timers, opened, wait_until
from tests.waiting import PATIENCE

UIDL = b"+OK\r\n1 one\r\n2 two\r\n\r\n3\r\nx four\r\n5 " + b"a" * 70 + b"\r\n6 " + b"b" * 71
UIDL += b"\r\n.\r\n"


def test_pop3_lists_names_that_can_be_names() -> None:
    server = Pop3({"UIDL": UIDL})
    with opened(server) as mailbox:
        assert mailbox.list_uids() == mailbox.list_uids() == ["one", "two", "a" * 70]
    assert server.said == ["USER me", "PASS pass-word", "UIDL", "UIDL", "QUIT"]


@pytest.mark.parametrize(("most", "count"), [(1, 1), (2, 2), (3, 3), (4, 3)])
def test_pop3_believes_no_more_mails_than_a_mailbox_has(
    most: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pop3_module, "UIDS_AT_MOST", most)
    with opened(Pop3({"UIDL": UIDL})) as mailbox:
        assert len(mailbox.list_uids()) == count


def test_pop3_fetches_the_beginning_of_each_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pop3_module, "FETCH_AT_MOST", 12)
    server = Pop3(
        {
            "UIDL": UIDL,
            "TOP 1 8000": b"+OK\r\na\r\n..b\r\n.\r\n",
            "TOP 2 8000": b"-ERR no TOP\r\n",
            "RETR 2": b"+OK\r\n0123456789\r\nabc\r\n.\r\n",
        }
    )
    with opened(server) as mailbox:
        mailbox.list_uids()
        assert list(mailbox.fetch(["two", "one"])) == [
            ("two", b"0123456789\r\n"),
            ("one", b"a\r\n.b\r\n"),
        ]
    assert [words for words in server.said if words[:3] in ("TOP", "RET")] == [
        "TOP 2 8000",
        "RETR 2",
        "TOP 1 8000",
    ]


def test_pop3_takes_a_long_line_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dot at the start of a piece belongs to its line, and ends nothing."""
    monkeypatch.setattr(pop3_module, "LINE_AT_MOST", 4)
    server = Pop3({"UIDL": b"+OK\r\n1 a\r\n.\r\n", "TOP 1 8000": b"+OK\r\nabcd.\r\n.e\r\n.\r\n"})
    with opened(server) as mailbox:
        mailbox.list_uids()
        assert list(mailbox.fetch(["a"])) == [("a", b"abcd.\r\ne\r\n")]


def test_pop3_deletes_what_it_knows_at_the_end() -> None:
    server = Pop3({"UIDL": UIDL})
    with opened(server) as mailbox:
        mailbox.list_uids()
        mailbox.delete(["two", "unknown"])
    assert server.said[-2:] == ["DELE 2", "QUIT"]


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (Pop3({"PASS pass-word": b"-ERR  [AUTH]\tno " + b"x" * 400 + b"\r\n"}), "[AUTH] no xxx"),
        (Pop3({"PASS pass-word": b""}), "took too long"),
    ],
)
def test_an_error_says_where_and_why_in_few_words(server: Pop3, words: str) -> None:
    seconds = 0.3 if "long" in words else PATIENCE
    with pytest.raises(MailboxError) as error, opened(server, seconds):
        pass
    assert str(error.value).startswith("127.0.0.1:")
    assert words in str(error.value)
    assert len(str(error.value)) <= len("127.0.0.1:65535: ") + 200


def test_a_watchdog_ends_what_takes_too_long_and_leaves_the_rest_alone() -> None:
    ours, theirs = socket.socketpair()
    late = Watchdog(0.01)
    until = time.monotonic() + PATIENCE
    while not late.barked and time.monotonic() < until:
        time.sleep(0.001)
    late.watch(ours, object())
    assert ours.recv(1) == b"", "it was late already"
    late.stop()
    assert ours.fileno() == -1
    theirs.close()
    early = Watchdog(PATIENCE)
    ours, theirs = socket.socketpair()
    early.watch(ours, object())
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"
    assert not early.barked
    timers = [one for one in threading.enumerate() if isinstance(one, threading.Timer)]
    early.stop()
    for timer in timers:
        timer.join(PATIENCE / 10)
    assert not [one for one in timers if one.is_alive()]
    theirs.close()


@pytest.mark.parametrize(
    ("url", "port", "encrypted", "is_imap"),
    [
        ("imaps://u:p@mail.example", 993, True, True),
        ("imap://u:p@mail.example", 143, False, True),
        ("pop3s://u:p@mail.example", 995, True, False),
        ("pop3://u:p@mail.example:1100", 1100, False, False),
    ],
)
def test_an_address_says_how_to_talk(url: str, port: int, encrypted: bool, is_imap: bool) -> None:
    address = parse_mailbox_url(url)
    assert (address.port, address.encrypted, address.is_imap) == (port, encrypted, is_imap)
    assert (address.user, address.password, address.folder) == ("u", "p", "INBOX")
    assert not address.trusted


@pytest.mark.parametrize("sign", ["%00", "%1f", "%0a"])
@pytest.mark.parametrize("place", ["u{}:p@h/f", "u:p{}@h/f", "u:p@h/f{}"])
def test_an_address_holds_no_sign_that_steers(sign: str, place: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        parse_mailbox_url("imaps://" + place.format(sign))
    assert parse_mailbox_url("imaps://" + place.format("%20"))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_server_of_this_machine_is_trusted(host: str) -> None:
    assert parse_mailbox_url(f"imap://u:p@{host}").trusted
    assert not parse_mailbox_url("imap://u:p@localhost.example").trusted


@pytest.mark.parametrize(("host", "foreign"), [("127.0.0.1", False), (FOREIGN, True)])
def test_pop3_sends_no_password_in_the_clear_to_another_machine(host: str, foreign: bool) -> None:
    server = Pop3({"CAPA": b"+OK\r\nSTLS\r\n.\r\n", "STLS": b"-ERR not now\r\n"})
    if foreign:
        with pytest.raises(MailboxError), opened(server, host=host):
            pass
    else:
        with opened(server, host=host):
            pass
    assert ("STLS" in server.said) is foreign
    assert ("PASS pass-word" in server.said) is not foreign


def test_pop3_leaves_nothing_open_where_it_is_refused() -> None:
    server = Pop3({"PASS pass-word": b"-ERR no\r\n"})
    before = count_timers()
    with pytest.raises(MailboxError), opened(server):
        pass
    assert server.said[-1] == "QUIT"
    wait_until(lambda: count_timers() == before)
    with pytest.raises(MailboxError):
        open_mailbox(MailboxAddress("pop3", "127.0.0.1", 1, "u", "p", ""), seconds=60).__enter__()
    wait_until(lambda: count_timers() == before)


def test_pop3_ends_an_answer_at_its_first_line_of_a_dot() -> None:
    server = Pop3({"UIDL": b"+OK\r\n.\r\n"})
    with opened(server, seconds=10) as mailbox:
        assert mailbox.list_uids() == []
    server = Pop3({"UIDL": b"+OK\r\n1 a\r\n.\r\n", "TOP 1 8000": b"+OK\r\n..a\r\n.\r\n"})
    with opened(server, seconds=10) as mailbox:
        mailbox.list_uids()
        assert list(mailbox.fetch(["a"])) == [("a", b".a\r\n")]
