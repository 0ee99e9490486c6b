"""A mailbox server that says whatever a test wants, for faults that a real one never shows."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Talk = Callable[[socket.socket], None]


@contextmanager
def fake_server(talk: Talk) -> Iterator[int]:
    """Listen on the loopback and talk to whoever comes. Yields the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.2)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                continue
            with connection:
                connection.settimeout(20)
                with contextlib.suppress(OSError):
                    talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        stopping.set()
        listening.close()
        thread.join(25)


def imap(*, fetched: Callable[[bytes, socket.socket], None], uids: bytes = b"1") -> Talk:
    """Script an IMAP server with one mail (or `uids`), whose FETCH is answered by `fetched(tag,
    connection)`.
    """

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"* OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\r\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                tag, _, command = line.strip().partition(b" ")
                word = command.upper()
                if word.startswith(b"SELECT"):
                    connection.sendall(
                        b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 9] x\r\n"
                    )
                elif word.startswith(b"UID SEARCH"):
                    connection.sendall(b"* SEARCH " + uids + b"\r\n")
                elif word.startswith(b"UID FETCH"):
                    fetched(tag, connection)
                    continue
                elif word.startswith(b"CAPABILITY"):
                    connection.sendall(b"* CAPABILITY IMAP4rev1 UIDPLUS\r\n")
                connection.sendall(tag + b" OK done\r\n")

    return talk


def pop3(*, listed: Callable[[socket.socket], None]) -> Talk:
    """Script a POP3 server whose UIDL is answered by `listed(connection)`."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"+OK ready\r\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                if line.upper().startswith(b"UIDL"):
                    listed(connection)
                else:
                    connection.sendall(b"+OK\r\n")

    return talk
