"""What a server says, taken apart: octets to whole replies, a reply to code, enhanced status and
text.
"""

from __future__ import annotations

import re
from unicodedata import category

from newsletter.mail.smtp.types import Reply

LINE_AT_MOST, REPLY_AT_MOST = 8_192, 65_536
"""Octets.

A reply line may have 512 (RFC 5321 §4.5.3.1.5); real servers write longer ones.
"""

TEXT_AT_MOST = 500
"""Characters of a server's words that are kept, as many as the outbox has room for."""

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})[ \t]*")
_HARMFUL = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Categories of characters that move a terminal's cursor, turn the direction of writing, or cannot
be seen.
"""


class ProtocolError(Exception):
    """What came is no SMTP reply, or none that anybody asked for."""


class ReplyParser:
    """Collects what comes, in whatever pieces, and gives out whole replies."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take what the server sent."""
        self._buffer += data

    def next(self) -> tuple[int, bytes] | None:
        """The next whole reply: its code, and what it says, lines joined by line feeds.

        Raises `Nonsense`.
        """
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            code, mark = line[:3], line[3:4]
            if not code.isdigit() or not b"200" <= code < b"600" or mark not in (b" ", b"-", b""):
                raise ProtocolError("an answer that is no SMTP")
            self._lines.append(line[4:])
            self._size += len(line) + 2
            if mark != b"-":
                said, self._lines, self._size = b"\n".join(self._lines), [], 0
                return int(code), said
            if self._size > REPLY_AT_MOST:
                raise ProtocolError("an answer without an end")
        if len(self._buffer) > LINE_AT_MOST:
            raise ProtocolError("an answer without an end")
        return None


def parse_reply(code: int, said: bytes) -> Reply:
    """A reply taken apart: its enhanced status (RFC 3463) and the rest, as one harmless line."""
    text = to_one_line(said)
    found = _ENHANCED.match(text)
    return Reply(code, found[1], text[found.end() :]) if found else Reply(code, "", text)


def to_one_line(said: bytes | str) -> str:
    """Return what a server said as one line of visible characters, 500 at most."""
    text = (
        said[: 4 * TEXT_AT_MOST].decode("utf-8", "replace")
        if isinstance(said, bytes)
        else said[: 4 * TEXT_AT_MOST]
    )
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if category(sign) in _HARMFUL else sign for sign in text)
    return " ".join(text.split())[:TEXT_AT_MOST]
