"""Parse messages, however broken, in bounded time: headers, parts, text in any charset.

Pure.

The standard library's parser is not used: many programs cut, wrap and re-encode reports, and that
parser needs line feeds, follows nesting without a limit, and raises on odd input.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.header import decode_header
from email.message import Message
from itertools import dropwhile
from operator import not_

BYTES_AT_MOST = 512 * 1024
"""Bytes of a message that are read: a report comes before the message it returns."""

HEADER_LINES_AT_MOST = 500
"""Lines of one header that are read; real ones have a hundred."""

HEADER_GAP_AT_MOST = 30
"""Lines after an invalid line of a header that are searched for its next known field."""

PARTS_AT_MOST = 64
"""Parts of a message that are parsed; the rest counts as text. Real reports have three or four."""

DEPTH_AT_MOST = 8
"""Levels of nesting that are parsed; deeper parts count as text."""

TEXT_AT_MOST = 64 * 1024
"""Characters of a part that are read."""

_ODD_CODECS = ("punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_BREAK = re.compile(r"<(?:br|p|/p|div|/div|tr|/tr|/td|li)\b[^<>]{0,200}>", re.I)
_KNOWN_FIELD = re.compile(rb"(?:from|to|subject|date|message-id|mime-version|received):", re.I)
_FIELD = re.compile(r"([!-9;-~]{1,80})[ \t]{0,8}:(.*)", re.S)


@dataclass(slots=True)
class Part:
    """One MIME part of a message.

    `headers` keeps order and repetition, names in lower case.
    """

    headers: list[tuple[str, str]]
    body: list[bytes]
    depth: int = 0
    parts: list[Part] = field(default_factory=list)

    def get(self, name: str) -> str:
        """Return the first header called `name`, decoded, or ""."""
        return next((decode_words(value) for key, value in self.headers if key == name), "")

    def get_all(self, name: str) -> list[str]:
        """Return every header called `name`, decoded."""
        return [decode_words(value) for key, value in self.headers if key == name]

    def param(self, name: str) -> str:
        """Return a parameter of Content-Type (RFC 2045 section 5.1), or ""."""
        raw = next((value for key, value in self.headers if key == "content-type"), "")
        message = Message()
        try:
            message["Content-Type"] = " ".join(raw.split())[:2000]
            value = message.get_param(name, "")
        except Exception:  # the standard library raises what it likes on odd parameters
            return ""
        return (value[2] if isinstance(value, tuple) else value) or ""

    @property
    def content_type(self) -> str:
        """The media type in lower case, text/plain by default."""
        value = self.get("content-type").partition(";")[0].strip().lower()
        return value if "/" in value else "text/plain"

    def walk(self) -> Iterator[Part]:
        """Yield this part and all parts in it, outer ones first."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def text(self) -> str:
        """Return the decoded content of this part as text, with HTML tags replaced by spaces."""
        text = decode_text(self._decode_body(), self.param("charset"))[:TEXT_AT_MOST]
        return strip_tags(text) if self.content_type == "text/html" else text

    def _decode_body(self) -> bytes:
        raw = b"\n".join(self.body)
        encoding = self.get("content-transfer-encoding").strip().lower()
        if encoding == "base64":
            return decode_base64(raw)
        return quopri.decodestring(raw) if encoding == "quoted-printable" else raw


def parse_message(data: bytes) -> Part:
    """Parse a message; any bytes result in at least one part."""
    lines = split_lines(data[:BYTES_AT_MOST].lstrip(b"\r\n\t "))
    if lines and lines[0].startswith(b"From "):  # an mbox separator
        lines = lines[1:]
    return _parse(lines, 0, [PARTS_AT_MOST])


def split_lines(data: bytes) -> list[bytes]:
    """Split a message into lines, whatever its line endings."""
    data = data.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.split(b"\n")


def _parse(lines: list[bytes], depth: int, room: list[int]) -> Part:
    headers, body = split_header(lines)
    part = Part(headers, body, depth)
    kind = part.content_type
    if depth >= DEPTH_AT_MOST:
        return part
    if kind.startswith("multipart/") and (boundary := part.param("boundary")):
        part.body, pieces = _split_parts(body, boundary.encode("utf-8", "replace"), room)
        part.parts = [_parse(piece, depth + 1, room) for piece in pieces]
    elif kind in ("message/rfc822", "message/global", "message/partial"):
        if part.get("content-transfer-encoding").strip().lower() in ("base64", "quoted-printable"):
            body = split_lines(part._decode_body())
        if room[0] > 0:
            room[0] -= 1
            part.parts = [_parse(list(dropwhile(not_, body)), depth + 1, room)]
    return part


def split_header(lines: list[bytes]) -> tuple[list[tuple[str, str]], list[bytes]]:
    """Split a message into unfolded header fields and the body.

    A line that is not a field ends the header, unless well-known fields follow: pasted and
    forwarded headers lose the spaces before continuation lines.
    """
    fields: list[tuple[str, list[str]]] = []
    for number, line in enumerate(lines[:HEADER_LINES_AT_MOST]):
        text = _decode_header_bytes(line[:8_000])
        if not text.strip():
            return _join(fields), lines[number + 1 :]
        if text[0] in " \t" and fields:
            fields[-1][1].append(text.strip())
        elif match := _FIELD.match(text):
            fields.append((match[1].lower(), [match[2].strip()]))
        elif not fields or not _has_more_fields(
            lines[number + 1 : number + 1 + HEADER_GAP_AT_MOST]
        ):
            return _join(fields), lines[number:]
    return _join(fields), lines[HEADER_LINES_AT_MOST:]


def _has_more_fields(lines: list[bytes]) -> bool:
    """Tell whether a field that every message has follows before the next blank line."""
    for line in lines:
        if not line.strip():
            return False
        if _KNOWN_FIELD.match(line):
            return True
    return False


def _join(fields: list[tuple[str, list[str]]]) -> list[tuple[str, str]]:
    return [(name, " ".join(values)[:16_000]) for name, values in fields]


def _decode_header_bytes(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _split_parts(
    body: list[bytes], boundary: bytes, room: list[int]
) -> tuple[list[bytes], list[list[bytes]]]:
    """Split a multipart body at its boundary (RFC 2046 section 5.1.1) into preamble and parts."""
    opening = b"--" + boundary
    closing = opening + b"--"
    preamble: list[bytes] = []
    pieces: list[list[bytes]] = []
    current = preamble
    for line in body:
        if not line.startswith(b"--"):
            current.append(line)
            continue
        stripped = line.rstrip()
        if stripped == closing:
            break
        if stripped == opening and room[0] > 0:
            room[0] -= 1
            current = []
            pieces.append(current)
        else:
            current.append(line)
    return preamble, pieces


def decode_words(value: str) -> str:
    """Decode encoded words (RFC 2047) in a header; return it unchanged if that fails."""
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value[:4_000])
    except Exception:  # binascii.Error, ValueError and others: the header is what it is
        return value
    return "".join(
        decode_text(text, charset or "") if isinstance(text, bytes) else text
        for text, charset in pieces
    )


def decode_base64(raw: bytes) -> bytes:
    """Decode base64 leniently: ignore other characters, and an incomplete end."""
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    complete = letters[: len(letters) // 4 * 4]
    incomplete = letters[len(complete) :]
    try:
        return base64.b64decode(
            complete + (incomplete + b"==")[:4] if len(incomplete) > 1 else complete
        )
    except (binascii.Error, ValueError):
        return raw


def decode_text(raw: bytes, charset: str) -> str:
    """Decode bytes in the declared charset, else as UTF-8, else as Windows-1252."""
    for name in (charset.strip("\"' ").lower(), "utf-8", "cp1252"):
        try:
            if name and codecs.lookup(name).name not in _ODD_CODECS:
                return raw.decode(name)
        except (LookupError, UnicodeError, ValueError):
            continue
    return raw.decode("latin-1")


def strip_tags(text: str) -> str:
    """Convert HTML to lines of text, just well enough to find the reason of a bounce."""
    return html.unescape(_TAG.sub(" ", _BREAK.sub("\n", text)))
