"""A scriptable SMTP server on the loopback. It writes down what it accepted before it says so."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

Line = Callable[["Conversation", str], bytes | None]
"""Answers a command: bytes to send, b"" to hang, None to hang up."""

DEFAULT_EHLO = ("PIPELINING", "SIZE 10000000", "8BITMIME", "ENHANCEDSTATUSCODES")


@dataclass
class Conversation:
    """One connection, as its script sees it. `count` numbers the messages accepted on it."""

    number: int
    socket: socket.socket
    sender: str = ""
    recipient: str = ""
    count: int = 0
    secure: bool = False
    open: bool = False
    commands: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    wrapped: socket.socket | None = None
    ended: bool = False


class FaultServer:
    """`script` maps a command's first word (CONNECT, EHLO, MAIL, RCPT, DATA, END, RSET, AUTH, QUIT
    …) to its answer.
    """

    def __init__(
        self,
        script: dict[str, Line] | None = None,
        *,
        context: ssl.SSLContext | None = None,
        implicit: bool = False,
        ehlo: tuple[str, ...] = DEFAULT_EHLO,
    ) -> None:
        self.script = script or {}
        self.ehlo = ehlo
        self.accepted: list[tuple[str, str, bytes]] = []
        self.conversations: list[Conversation] = []
        self._context = context
        self._implicit = implicit
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    @property
    def talking(self) -> int:
        """Return how many connections are open."""
        return sum(not talk.ended for talk in self.conversations)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            talk = Conversation(len(self.conversations) + 1, connection, secure=self._implicit)
            self.conversations.append(talk)
            threading.Thread(target=self._guarded, args=[connection, talk], daemon=True).start()

    def _guarded(self, connection: socket.socket, talk: Conversation) -> None:
        try:
            if self._implicit and self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._converse(connection, talk)
        except (OSError, ValueError):
            pass
        finally:
            talk.ended = True
            connection.close()
            if talk.wrapped is not None:
                talk.wrapped.close()

    def _answer(self, talk: Conversation, command: str, line: str) -> bytes | None:
        if command == "MAIL" and talk.open:
            return b"503 5.5.1 Nested MAIL\r\n"
        if command in self.script:
            return self.script[command](talk, line)
        if command == "CONNECT":
            return b"220 fault.example ESMTP\r\n"
        if command in ("EHLO", "HELO"):
            lines = ["fault.example", *self.ehlo]
            return "".join(
                f"250{'-' if n < len(lines) - 1 else ' '}{x}\r\n" for n, x in enumerate(lines)
            ).encode()
        if command == "RCPT" and not talk.open:
            return b"503 5.5.1 Need MAIL\r\n"
        if command == "DATA":
            return b"354 Go on\r\n" if talk.recipient else b"554 5.5.1 No valid recipients\r\n"
        return {"QUIT": b"221 Bye\r\n", "AUTH": b"235 2.7.0 Welcome\r\n"}.get(
            command, b"250 2.0.0 Ok\r\n"
        )

    def _converse(self, connection: socket.socket, talk: Conversation) -> None:
        reader = connection.makefile("rb")

        def say(data: bytes | None) -> bool:
            if data:
                connection.sendall(data)
            elif data == b"":  # it hangs: whatever is said, nothing is answered any more
                while connection.recv(65_536):
                    pass
            return bool(data)

        if not say(self._answer(talk, "CONNECT", "")):
            return
        while raw := reader.readline(1_000_000):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            command = line.split(" ")[0].upper().split(":")[0]
            talk.commands.append(command)
            talk.lines.append(line)
            if command == "STARTTLS" and self._context:
                connection.sendall(b"220 2.0.0 Ready\r\n")
                connection = self._context.wrap_socket(connection, server_side=True)
                talk.wrapped = connection
                reader = connection.makefile("rb")
                talk.secure = True
                continue
            chunk = reader.read(int(line.split(" ")[1])) if command == "BDAT" else b""
            answer = (
                self._chunk(talk, line, chunk)
                if command == "BDAT"
                else self._answer(talk, command, line)
            )
            self._note(talk, command, line, answer)
            if not say(answer) or command == "QUIT":
                return
            if (
                command == "DATA"
                and answer
                and answer.startswith(b"354")
                and not self._data(talk, reader, say)
            ):
                return

    def _note(self, talk: Conversation, command: str, line: str, answer: bytes | None) -> None:
        """Return where the transaction stands after a command."""
        good = not answer or answer[:1] == b"2"
        if command == "MAIL" and good:
            talk.open = True
            talk.sender = line.split("<")[1].split(">")[0]
            talk.recipient = ""
        elif command == "RCPT" and good:
            talk.recipient = line.split("<")[1].split(">")[0]
        elif command == "RSET":
            talk.open = False
            talk.recipient = ""

    def _data(
        self, talk: Conversation, reader: object, say: Callable[[bytes | None], bool]
    ) -> bool:
        lines = []
        while (line := reader.readline(1_000_000)) not in (b".\r\n", b""):  # type: ignore[attr-defined]
            lines.append(line[1:] if line.startswith(b".") else line)
        if line == b"":
            return False
        return say(self._ended(talk, b"".join(lines)))

    def _chunk(self, talk: Conversation, line: str, chunk: bytes) -> bytes | None:
        """BDAT (RFC 3030): what is refused leaves the transaction open, until RSET."""
        if "BDAT" in self.script:
            return self.script["BDAT"](talk, line)
        assert line.endswith(" LAST")
        return self._ended(talk, chunk) if talk.recipient else b"554 5.5.1 No valid recipients\r\n"

    def _ended(self, talk: Conversation, data: bytes) -> bytes | None:
        """Return the answer to a content, written down before it is said."""
        if not talk.recipient:
            talk.open = False
            return b"554 5.5.1 No valid recipients\r\n"
        answer = self._answer(talk, "END", talk.recipient)
        if answer is None or answer == b"" or answer[:1] == b"2":
            with self._lock:
                self.accepted.append((talk.sender, talk.recipient, data))
            talk.count += 1
        talk.open = False
        talk.recipient = ""
        return answer


def always(answer: bytes | None) -> Line:
    """Return the same answer every time."""
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
