"""Parse SMTP replies: octets into whole replies, and a reply into code, status and text."""

from __future__ import annotations

import re
from collections import deque
from unicodedata import category

from newsletter.mail.smtp.types import Reply

LINE_AT_MOST = 8_192
"""Octets of a reply line: it may have 512 (RFC 5321 section 4.5.3.1.5), real ones are longer."""
REPLY_AT_MOST = 65_536
"""Octets of a whole reply, so that a server cannot fill the memory."""

TEXT_AT_MOST = 500
"""Characters of a reply's text that are used, as many as the outbox has room for."""

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})[ \t]*")
_HARMFUL = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode categories of characters that control a terminal, reverse the writing, or are
invisible."""


class ProtocolError(Exception):
    """The server sent something that is not an SMTP reply, or is a reply to no command."""


class ReplyParser:
    """A parser that collects octets in any pieces, and returns whole replies."""

    def __init__(self) -> None:
        self._rest = b""
        self._arrived: deque[bytes] = deque()
        self._lines: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Add octets that the server sent."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        self._arrived.extend(lines)

    def next(self) -> tuple[int, bytes] | None:
        """Return the next whole reply as its code and its text, lines joined by line feeds.

        Raises `ProtocolError`.
        """
        while self._arrived:
            line = self._arrived.popleft().rstrip(b"\r")
            code = line[:3]
            mark = line[3:4]
            if not code.isdigit() or not b"200" <= code < b"600" or mark not in (b" ", b"-", b""):
                raise ProtocolError("an answer that is no SMTP")
            if mark != b"-" and not self._lines:
                return int(code), line[4:]
            self._lines.append(line[4:])
            self._size += len(line) + 2
            if mark != b"-":
                text = b"\n".join(self._lines)
                self._lines = []
                self._size = 0
                return int(code), text
            if self._size > REPLY_AT_MOST:
                raise ProtocolError("an answer without an end")
        if len(self._rest) > LINE_AT_MOST:
            raise ProtocolError("an answer without an end")
        return None


def parse_reply(code: int, words: bytes) -> Reply:
    """Split a reply into its enhanced status (RFC 3463) and its text, as one safe line."""
    text = to_one_line(words)
    match = _ENHANCED.match(text)
    return Reply(code, match[1], text[match.end() :]) if match else Reply(code, "", text)


def to_one_line(words: bytes | str) -> str:
    """Return a server's text as one line of visible characters, 500 at most."""
    words = words[: 4 * TEXT_AT_MOST]
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if category(sign) in _HARMFUL else sign for sign in text)
    return " ".join(text.split())[:TEXT_AT_MOST]
