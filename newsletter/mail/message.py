"""Compile a message once, and fill it in for each subscriber.

What is the same for everyone is encoded once. What differs is in slots, whose values are encoded
separately and joined to the rest as bytes. The result is 7-bit with CRLF line endings, and no line
starts with a dot, so that it needs no dot-stuffing (RFC 5321 section 4.5.2) and suits both DATA and
BDAT. This module knows nothing of lists, templates or servers.

The standard library's `EmailMessage` is not used: it folds a long List-Unsubscribe address into an
encoded-word, which mail programs do not understand (cpython issue 85725).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from newsletter.mail.dkim.canonical import relax_lines
from newsletter.mail.header_fields import Header
from newsletter.mail.slots import SLOT_PATTERN, Fill, Slot, Values, find_slots

if TYPE_CHECKING:
    from newsletter.mail.dkim.signer import Sign

CRLF = b"\r\n"
SOFT_BREAK = b"=\r\n"
_QP = [
    bytes([byte]) if (33 <= byte <= 126 and byte != 61) or byte in (32, 9) else b"=%02X" % byte
    for byte in range(256)
]
_QP_LINE = 75
# Matches text without spaces that is encoded as itself but for dots at the start of a line.
_SOLID = re.compile(r"[!-<>-~]+", re.ASCII)
# Matches what is encoded as itself whatever stands around it: no "=", no dot at the start, spaces
# only within one line.
_AS_IT_IS = re.compile(r"[!-\-/-<>-~](?:[ -<>-~]{0,73}[!-<>-~])?", re.ASCII)


def encode_quoted_printable(text: str) -> bytes:
    """Encode `text` as quoted-printable (RFC 2045 section 6.7), from the start of a line.

    Lines have at most 76 characters; none starts with a dot, none ends in white space.
    """
    normal = text.replace("\r\n", "\n").replace("\r", "\n")
    data = normal.encode("utf-8", "replace")
    return CRLF.join(_encode_line(line) for line in data.split(b"\n"))


def _encode_line(line: bytes) -> bytes:
    encoded = b"".join([_QP[byte] for byte in line])
    if encoded[-1:] in (b" ", b"\t"):
        encoded = encoded[:-1] + _encode_byte(encoded[-1:])
    pieces = []
    while True:
        if encoded.startswith(b"."):
            encoded = b"=2E" + encoded[1:]
        if len(encoded) <= _QP_LINE:
            pieces.append(encoded)
            return SOFT_BREAK.join(pieces)
        cut = _QP_LINE - 2 if encoded[_QP_LINE - 2 : _QP_LINE - 1] == b"=" else _QP_LINE
        cut = _QP_LINE - 1 if encoded[_QP_LINE - 1 : _QP_LINE] == b"=" else cut
        pieces.append(encoded[:cut])
        encoded = encoded[cut:]


def _encode_byte(byte: bytes) -> bytes:
    return b"=%02X" % byte[0]


def _encode_value(value: str) -> bytes:
    if _SOLID.fullmatch(value):
        if "." not in value[::_QP_LINE]:  # a link, cut where its lines are full
            data = value.encode("ascii")
            if len(data) <= _QP_LINE:
                return data
            return SOFT_BREAK.join(
                [data[start : start + _QP_LINE] for start in range(0, len(data), _QP_LINE)]
            )
    elif len(value) <= _QP_LINE and _AS_IT_IS.fullmatch(value):
        return value.encode("ascii")
    return encode_quoted_printable(value)


class Html(str):
    """The value of a slot that is HTML already, and is inserted into HTML unescaped."""

    __slots__ = ()


def _compile_body(text: str, *, escaped: bool) -> list[bytes | Slot]:
    """Encode the constant parts of a body, with its slots between them.

    Soft line breaks around slots keep each line within its length, whatever the values.
    """
    chunks: list[bytes | Slot] = []
    pieces = SLOT_PATTERN.split(text)
    for number, piece in enumerate(pieces):
        if number % 2:
            chunks.append(Slot(piece, escaped))
        else:
            constant = encode_quoted_printable(piece)
            if number + 1 < len(pieces) and constant and not constant.endswith(CRLF):
                constant += SOFT_BREAK
            if number and (constant or number + 1 < len(pieces)):
                constant = SOFT_BREAK + constant
            chunks.append(constant)
    return chunks


@dataclass(frozen=True, slots=True)
class MessageDraft:
    """A message before it is compiled: header fields and both bodies, which may contain slots."""

    headers: Sequence[Header]
    text: str
    html: str


class CompiledMessage:
    """A message as bytes with slots, whose names are `slots`.

    A slot's value is encoded once for each kind of place, however often the slot occurs. `header`
    ends with the empty line. Each chunk of `body` ends between words, so that it can be relaxed for
    a signature separately.
    """

    def __init__(
        self,
        header: Sequence[bytes | Fill],
        body: Sequence[bytes | Slot],
        slots: frozenset[str],
    ) -> None:
        self.slots = slots
        chunks = _join_constants(header)
        self._body_at = len(chunks)
        chunks += _join_constants(body)
        self._parts = [chunk if isinstance(chunk, bytes) else b"" for chunk in chunks]
        self._headers: list[tuple[int, Fill]] = []
        text: dict[str, list[int]] = {}
        html: dict[str, list[int]] = {}
        for place, chunk in enumerate(chunks):
            if isinstance(chunk, Slot):
                (html if chunk.escaped else text).setdefault(chunk.name, []).append(place)
            elif not isinstance(chunk, bytes):
                self._headers.append((place, chunk))
        self._slots = [(name, text.get(name, []), html.get(name, [])) for name in text | html]
        self._relaxed = _RelaxedBody(self._parts, self._body_at, sorted(_list_places(self._slots)))

    def build(self, values: Values, sign: Sign | None = None) -> bytes:
        """Build the message of one subscriber, signed by `sign`.

        Raises `KeyError` for a slot without a value, `InvalidInput` for one that a header cannot
        carry.
        """
        parts = self._parts.copy()
        for place, line in self._headers:
            parts[place] = line(values)
        for name, text, html in self._slots:
            value = values[name]
            encoded = _encode_value(value)
            for place in text:
                parts[place] = encoded
            if html and type(value) is not Html and (escaped := escape(value)) != value:
                encoded = _encode_value(escaped)
            for place in html:
                parts[place] = encoded
        data = b"".join(parts)
        if sign is None:
            return data
        header = b"".join(parts[: self._body_at]).removesuffix(CRLF)
        return sign(header, self._relaxed.hash(parts)) + data


class _RelaxedBody:
    """The constant parts of a body in the relaxed form that a DKIM signature covers.

    They are relaxed once, and hashed once as far as the first slot.
    """

    def __init__(self, parts: Sequence[bytes], start: int, slots: Sequence[int]) -> None:
        self._slots = slots
        self._first = slots[0] if slots else len(parts)
        self._hash = hashlib.sha256(relax_lines(b"".join(parts[start : self._first])))
        self._parts = [relax_lines(part) for part in parts[self._first :]]

    def hash(self, parts: Sequence[bytes]) -> bytes:
        """Hash a body with its slots filled in."""
        relaxed = self._parts.copy()
        for place in self._slots:
            relaxed[place - self._first] = relax_lines(parts[place])
        digest = self._hash.copy()
        digest.update(b"".join(relaxed))
        return digest.digest()


def _list_places(slots: Sequence[tuple[str, list[int], list[int]]]) -> list[int]:
    return [place for _, text, html in slots for place in (*text, *html)]


def _join_constants(chunks: Sequence[bytes | Fill | Slot]) -> list[bytes | Fill | Slot]:
    """Join neighbouring constant parts of a message."""
    out: list[bytes | Fill | Slot] = []
    for chunk in chunks:
        if isinstance(chunk, bytes) and out and isinstance(out[-1], bytes):
            out[-1] += chunk
        elif chunk != b"":
            out.append(chunk)
    return out


def compile_message(draft: MessageDraft, *, boundary: str | None = None) -> CompiledMessage:
    """Compile a ``multipart/alternative`` message, text before HTML (RFC 2046 section 5.1.4).

    Raises `InvalidInput` if a header cannot be written.
    """
    mark = (boundary or "=_" + secrets.token_hex(16)).encode("ascii")
    header: list[bytes | Fill] = [field.compile() for field in draft.headers]
    header.append(
        b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="%b"\r\n\r\n'
        % mark
    )
    body: list[bytes | Slot] = []
    for subtype, text in ((b"plain", draft.text), (b"html", draft.html)):
        body.append(
            b'--%b\r\nContent-Type: text/%b; charset="utf-8"\r\n'
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" % (mark, subtype)
        )
        body += _compile_body(text, escaped=subtype == b"html")
        body.append(CRLF)
    body.append(b"--%b--\r\n" % mark)
    texts = [part for field in draft.headers for part in field.parts]
    return CompiledMessage(header, body, find_slots(*texts, draft.text, draft.html))
