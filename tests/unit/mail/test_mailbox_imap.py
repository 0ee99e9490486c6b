"""The mailbox of returned mail over IMAP: which commands are said, and what is read."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from newsletter.mail.mailbox import imap as imap_module
from newsletter.mail.mailbox.types import MailboxError
from tests.unit.mail.scripted_mailbox import FOREIGN, Imap, count_timers, opened, wait_until
from tests.waiting import PATIENCE


def test_imap_opens_its_folder_and_logs_out() -> None:
    server = Imap()
    with opened(server):
        pass
    assert [words for words in server.said if not words.startswith("CAP")] == [
        'LOGIN me "pass-word"',
        'SELECT "Returned"',
        "LOGOUT",
    ]


@pytest.mark.parametrize(
    ("exists", "ranges"),
    [(0, []), (1, ["1:1"]), (4, ["1:4"]), (5, ["1:4", "5:5"]), (9, ["1:4", "5:8", "9:9"])],
)
def test_imap_asks_for_uids_in_ranges(
    exists: int, ranges: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_module, "NUMBERS_AT_ONCE", 4)
    server = Imap(exists=exists)
    server.answers = {"UID SEARCH 1:": b"* SEARCH 31 32\r\n", "UID SEARCH 5:": b"* SEARCH 55\r\n"}
    with opened(server) as mailbox:
        uids = mailbox.list_uids()
    assert server.list_said("UID SEARCH") == [f"UID SEARCH {part}" for part in ranges]
    assert uids == ["7:31", "7:32", "7:55"][: 0 if not exists else 2 if exists < 5 else 3]


@pytest.mark.parametrize(("most", "count"), [(8, 2), (9, 3)])
def test_imap_believes_no_more_mails_than_a_mailbox_has(
    most: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_module, "NUMBERS_AT_ONCE", 4)
    monkeypatch.setattr(imap_module, "UIDS_AT_MOST", most)
    server = Imap(exists=1_000_000)
    server.answers = {"UID SEARCH": b"* SEARCH " + b"9 " * 30 + b"\r\n"}
    with opened(server) as mailbox:
        assert len(mailbox.list_uids()) == count * 4, "of each answer as many as were asked for"


def test_imap_fetches_the_beginnings_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_module, "FETCHED_AT_ONCE", 2)
    monkeypatch.setattr(imap_module, "FETCH_AT_MOST", 5)
    server = Imap()
    server.answers = {
        "UID FETCH 31,32": b"* 1 FETCH (UID 31 BODY[]<0> {6}\r\nabcdef)\r\n"
        b"* 2 FETCH (UID 32 FLAGS ())\r\n",
        "UID FETCH 33": b"* 3 FETCH (UID 33 BODY[]<0> {3}\r\nxyz)\r\n",
    }
    with opened(server) as mailbox:
        mails = list(mailbox.fetch(["7:31", "7:32", "7:33"]))
        assert list(mailbox.fetch([])) == []
    assert mails == [("7:31", b"abcde"), ("7:33", b"xyz")]
    assert [words.split(" (")[0] for words in server.list_said("UID FETCH")] == [
        "UID FETCH 31,32",
        "UID FETCH 33",
    ]
    assert all("BODY.PEEK[]<0." in words for words in server.list_said("UID FETCH"))


@pytest.mark.parametrize(
    ("features", "others", "expunged"),
    [
        ("UIDPLUS", b"* SEARCH 31 32 99\r\n", ["UID EXPUNGE 31,32"]),
        ("IDLE", b"* SEARCH 31 32 99\r\n", []),
        ("IDLE", b"* SEARCH 31 32\r\n", ["EXPUNGE"]),
        ("IDLE", b"* SEARCH 31\r\n", ["EXPUNGE"]),
    ],
)
def test_imap_deletes_these_mails_and_no_others(
    features: str, others: bytes, expunged: list[str]
) -> None:
    server = Imap(features=features)
    server.answers = {"UID SEARCH DELETED": others}
    with opened(server) as mailbox:
        mailbox.delete([])
        assert server.list_said("UID STORE") == []
        mailbox.delete(["7:31", "7:32"])
    assert server.list_said("UID STORE") == [r"UID STORE 31,32 +FLAGS.SILENT (\Deleted)"]
    assert server.list_said("UID EXPUNGE") + server.list_said("EXPUNGE") == expunged


def test_imap_waits_until_a_mail_comes() -> None:
    server = Imap()
    arrivals = iter([b"* 2 RECENT\r\n", b"* 4 EXISTS\r\n"])

    def bring_and_go_on() -> bool:
        assert server.connection is not None
        server.connection.sendall(next(arrivals))
        return False

    with opened(server) as mailbox:
        assert mailbox.wait(PATIENCE, bring_and_go_on)
    assert next(arrivals, None) is None, "the first words were of no mail"
    assert server.said[-3:-1] == ["IDLE", "DONE"]


def test_imap_waits_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_module, "IDLE_CHECKED_EVERY", 0.05)
    server = Imap()
    looks: list[int] = []

    def stop_at_third() -> bool:
        looks.append(1)
        return len(looks) == 3

    with opened(server) as mailbox:
        assert not mailbox.wait(PATIENCE, stop_at_third)
        assert len(looks) == 3
        assert not mailbox.wait(0.0, lambda: False)
    assert server.said.count("IDLE") == server.said.count("DONE") == 2
    without = Imap(features="UIDPLUS")
    with opened(without) as mailbox:
        assert not mailbox.wait(PATIENCE, lambda: False)
    assert "IDLE" not in without.said


def test_imap_reads_no_literal_that_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_module, "LITERAL_AT_MOST", 10)
    server = Imap()
    server.answers = {"UID FETCH 31": b"* 1 FETCH (UID 31 BODY[]<0> {10}\r\n0123456789)\r\n"}
    with opened(server) as mailbox:
        assert list(mailbox.fetch(["7:31"])) == [("7:31", b"0123456789")]
        server.answers = {"UID FETCH 31": b"* 1 FETCH (UID 31 BODY[]<0> {11}\r\n0123456789x)\r\n"}
        with pytest.raises(MailboxError, match="the server announces 11 bytes"):
            list(mailbox.fetch(["7:31"]))


def test_an_error_of_imap_says_where_and_why() -> None:
    server = Imap()
    with pytest.raises(MailboxError) as error, opened(server) as mailbox:
        server.answers = {"UID SEARCH": b"* BYE gone\r\n"}
        server.exists = 1
        mailbox.list_uids()
        server.answers = {"UID FETCH": b"nonsense " * 100}
        list(mailbox.fetch(["7:31"]))
    assert str(error.value).startswith("127.0.0.1:")
    assert len(str(error.value)) <= len("127.0.0.1:65535: ") + 200


@pytest.mark.parametrize(("host", "foreign"), [("127.0.0.1", False), (FOREIGN, True)])
def test_imap_sends_no_password_in_the_clear_to_another_machine(host: str, foreign: bool) -> None:
    server = Imap(features="STARTTLS")
    server.refused = "STARTTLS"
    if foreign:
        with pytest.raises(MailboxError), opened(server, host=host):
            pass
    else:
        with opened(server, host=host):
            pass
    assert bool(server.list_said("STARTTLS")) is foreign
    assert bool(server.list_said("LOGIN")) is not foreign


@pytest.mark.parametrize("refused", ["LOGIN", "SELECT", "STARTTLS"])
def test_imap_leaves_nothing_open_where_it_is_refused(refused: str) -> None:
    server = Imap(features="STARTTLS")
    server.refused = refused
    before = count_timers()
    host = FOREIGN if refused == "STARTTLS" else "127.0.0.1"
    with pytest.raises(MailboxError) as error, opened(server, host=host):
        pass
    assert "pass-word" not in str(error.value)
    assert server.said[-1] == "LOGOUT"
    wait_until(lambda: count_timers() == before)


def test_imap_says_that_it_lost_the_connection_while_it_waited() -> None:
    server = Imap()

    def cut() -> bool:
        assert server.connection is not None
        with suppress(OSError):  # it is cut already
            server.connection.shutdown(socket.SHUT_RDWR)
        return False

    with opened(server) as mailbox, pytest.raises(MailboxError):
        mailbox.wait(PATIENCE, cut)
