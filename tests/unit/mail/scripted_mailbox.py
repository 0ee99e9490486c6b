"""Mailbox servers that follow a script and write down what they are told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from newsletter.mail.mailbox.connect import open_mailbox
from newsletter.mail.mailbox.types import MailboxAddress, ReturnMailbox
from tests.services.inbound.fake_server import fake_server
from tests.waiting import PATIENCE


class Imap:
    """A scripted IMAP server; `answers` holds what it says before OK, by the command's words;
    `refused` is the beginning of one that is answered with NO.
    """

    def __init__(self, *, exists: int = 3, features: str = "UIDPLUS IDLE") -> None:
        self.exists = exists
        self.features = features
        self.said: list[str] = []
        self.answers: dict[str, bytes] = {}
        self.refused = ""
        self.connection: socket.socket | None = None

    def __call__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.sendall(f"* OK [CAPABILITY IMAP4rev1 {self.features}] hi\r\n".encode())
        with connection.makefile("rb") as lines:
            for line in lines:
                tag, _, words = line.decode().strip().partition(" ")
                self.said.append(words)
                if words.startswith("SELECT"):
                    head = f"* {self.exists} EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n"
                    connection.sendall(head.encode())
                elif words.startswith("CAPABILITY"):
                    connection.sendall(f"* CAPABILITY IMAP4rev1 {self.features}\r\n".encode())
                elif words == "IDLE":
                    connection.sendall(b"+ idling\r\n")
                    self.said.append(lines.readline().decode().strip())
                for start, answer in self.answers.items():
                    if words.startswith(start):
                        connection.sendall(answer)
                answer = "NO" if self.refused and words.startswith(self.refused) else "OK"
                connection.sendall(f"{tag} {answer} done\r\n".encode())
                if words == "LOGOUT":
                    return

    def list_said(self, start: str) -> list[str]:
        return [words for words in self.said if words.startswith(start)]


class Pop3:
    """A scripted POP3 server; `answers` holds what it says, by the command."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.said: list[str] = []
        self.answers = answers

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(b"+OK hi\r\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                words = line.decode().strip()
                self.said.append(words)
                connection.sendall(self.answers.get(words, b"+OK\r\n"))
                if words == "QUIT":
                    return


FOREIGN = "127.1"
"""This machine by a name that does not count as one of it."""


@contextmanager
def opened(
    server: Imap | Pop3, seconds: float = PATIENCE, host: str = "127.0.0.1"
) -> Iterator[ReturnMailbox]:
    kind = "imap" if isinstance(server, Imap) else "pop3"
    with fake_server(server) as port:
        address = MailboxAddress(kind, host, port, "me", "pass-word", "Returned")
        with open_mailbox(address, seconds=seconds) as mailbox:
            yield mailbox


def count_timers() -> int:
    """Count the watchdogs that are still at work."""
    return sum(isinstance(one, threading.Timer) for one in threading.enumerate())


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)
