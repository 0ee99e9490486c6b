"""A scriptable SMTP server on the loopback. It writes down what it accepted before it says so."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

Line = Callable[["Conversation", str], bytes | None]
"""Answers a command: bytes to send, b"" for silence, None to hang up."""

DEFAULT_EHLO = ("PIPELINING", "SIZE 10000000", "8BITMIME", "ENHANCEDSTATUSCODES")


@dataclass
class Conversation:
    """One connection, as its script sees it. `count` numbers the messages accepted on it."""

    number: int
    sender: str = ""
    recipient: str = ""
    count: int = 0
    secure: bool = False
    commands: list[str] = field(default_factory=list)
    wrapped: socket.socket | None = None


class FaultServer:
    """`script` maps a command's first word (CONNECT, EHLO, MAIL, RCPT, DATA, END, RSET, AUTH, QUIT …) to its answer."""

    def __init__(self, script: dict[str, Line] | None = None, *, context: ssl.SSLContext | None = None,
                 implicit: bool = False, ehlo: tuple[str, ...] = DEFAULT_EHLO) -> None:  # fmt: skip
        self.script = script or {}
        self.ehlo = ehlo
        self.accepted: list[tuple[str, str, bytes]] = []
        self.conversations: list[Conversation] = []
        self._context, self._implicit = context, implicit
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._guarded, args=[connection], daemon=True).start()

    def _guarded(self, connection: socket.socket) -> None:
        talk = Conversation(len(self.conversations) + 1, secure=self._implicit)
        self.conversations.append(talk)
        try:
            if self._implicit and self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._converse(connection, talk)
        except (OSError, ValueError):
            pass
        finally:
            connection.close()
            if talk.wrapped is not None:
                talk.wrapped.close()

    def _answer(self, talk: Conversation, command: str, line: str) -> bytes | None:
        if command in self.script:
            return self.script[command](talk, line)
        if command == "CONNECT":
            return b"220 fault.example ESMTP\r\n"
        if command in ("EHLO", "HELO"):
            lines = ["fault.example", *self.ehlo]
            return "".join(f"250{'-' if n < len(lines) - 1 else ' '}{x}\r\n" for n, x in enumerate(lines)).encode()
        if command == "DATA":
            return b"354 Go on\r\n"
        if command == "QUIT":
            return b"221 Bye\r\n"
        if command == "AUTH":
            return b"235 2.7.0 Welcome\r\n"
        return b"250 2.0.0 Ok\r\n"

    def _converse(self, connection: socket.socket, talk: Conversation) -> None:
        reader = connection.makefile("rb")

        def say(data: bytes | None) -> bool:
            if data:
                connection.sendall(data)
            return data is not None

        if not say(self._answer(talk, "CONNECT", "")):
            return
        while raw := reader.readline(1_000_000):
            line = raw.decode("latin-1").rstrip("\r\n")
            command = line.split(" ")[0].upper().split(":")[0]
            talk.commands.append(command)
            if command == "MAIL":
                talk.sender = line.split("<")[1].split(">")[0]
            elif command == "RCPT":
                talk.recipient = line.split("<")[1].split(">")[0]
            if command == "STARTTLS" and self._context:
                connection.sendall(b"220 2.0.0 Ready\r\n")
                connection = self._context.wrap_socket(connection, server_side=True)
                talk.wrapped = connection
                reader, talk.secure = connection.makefile("rb"), True
                continue
            answer = self._answer(talk, command, line)
            if not say(answer):
                return
            if command == "QUIT":
                return
            if command == "DATA" and answer and answer.startswith(b"354") and not self._data(talk, reader, say):
                return

    def _data(self, talk: Conversation, reader: object, say: Callable[[bytes | None], bool]) -> bool:
        lines = []
        while (line := reader.readline(1_000_000)) not in (b".\r\n", b""):  # type: ignore[attr-defined]
            lines.append(line[1:] if line.startswith(b".") else line)
        if line == b"":
            return False
        data = b"".join(lines)
        answer = self._answer(talk, "END", talk.recipient)
        taken = answer is None or answer == b"" or answer[:1] == b"2"
        if taken:
            with self._lock:
                self.accepted.append((talk.sender, talk.recipient, data))
            talk.count += 1
        return say(answer)


def always(answer: bytes | None) -> Line:
    """The same answer every time."""
    return lambda talk, line: answer


def first(times: int, answer: bytes | None, then: bytes) -> Line:
    """`answer` the first times, `then` afterwards, over all connections."""
    left = [times]
    lock = threading.Lock()

    def line(talk: Conversation, text: str) -> bytes | None:
        with lock:
            left[0] -= 1
            return answer if left[0] >= 0 else then

    return line
