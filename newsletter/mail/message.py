"""Compile a message once, and fill it in for each subscriber.

What is the same for everyone is encoded once. What differs stands in a slot: it is encoded on its
own and joined to the rest as bytes. The result is 7-bit, CRLF, and no line starts with a dot, so
that it needs no dot-stuffing (RFC 5321 section 4.5.2) and is right for DATA and BDAT alike. This
module knows nothing of lists, templates or servers.

The standard library's `EmailMessage` is not used: it folds a long List-Unsubscribe address into an
encoded-word, which mail programs do not understand (cpython issue 85725).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from newsletter.mail.header_fields import Header
from newsletter.mail.slots import SLOT_PATTERN, Fill, Slot, Values

CRLF = b"\r\n"
SOFT_BREAK = b"=\r\n"
_QP = [
    bytes([byte]) if (33 <= byte <= 126 and byte != 61) or byte in (32, 9) else b"=%02X" % byte
    for byte in range(256)
]
_QP_LINE = 75
# Matches what is encoded as itself whatever stands around it: no "=", no dot at the start, spaces
# only within one line.
_AS_IT_IS = re.compile(r"[!-\-/-<>-~](?:[ -<>-~]{0,73}[!-<>-~]|[!-<>-~]{74,})?", re.ASCII)


def quoted_printable(text: str) -> bytes:
    """Encode `text` as quoted-printable (RFC 2045 section 6.7), from the start of a line.

    Lines have at most 76 characters; none starts with a dot, none ends in white space.
    """
    normal = text.replace("\r\n", "\n").replace("\r", "\n")
    data = normal.encode("utf-8", "replace")
    return CRLF.join(_qp_line(line) for line in data.split(b"\n"))


def _qp_line(line: bytes) -> bytes:
    encoded = b"".join([_QP[byte] for byte in line])
    if encoded[-1:] in (b" ", b"\t"):
        encoded = encoded[:-1] + _hex(encoded[-1:])
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


def _hex(byte: bytes) -> bytes:
    return b"=%02X" % byte[0]


def _encoded_value(value: str) -> bytes:
    if _AS_IT_IS.fullmatch(value):
        if len(value) <= _QP_LINE:
            return value.encode("ascii")
        if "." not in value[_QP_LINE::_QP_LINE]:  # a link, cut where its lines are full
            data = value.encode("ascii")
            return SOFT_BREAK.join(
                [data[start : start + _QP_LINE] for start in range(0, len(data), _QP_LINE)]
            )
    return quoted_printable(value)


class Html(str):
    """The value of a slot that is HTML already, and goes into HTML unescaped."""

    __slots__ = ()


def _compile_body(text: str, *, escaped: bool) -> list[bytes | Slot]:
    """Encode the constant parts of a body; its slots stand in between.

    Soft breaks around them keep each line within its length, whatever the values.
    """
    chunks: list[bytes | Slot] = []
    pieces = SLOT_PATTERN.split(text)
    for number, piece in enumerate(pieces):
        if number % 2:
            chunks.append(Slot(piece, escaped))
        else:
            constant = quoted_printable(piece)
            if number + 1 < len(pieces) and constant and not constant.endswith(CRLF):
                constant += SOFT_BREAK
            if number and constant:
                constant = SOFT_BREAK + constant
            chunks.append(constant)
    return chunks


@dataclass(frozen=True, slots=True)
class MessageDraft:
    """A message before it is compiled: header fields and both bodies, which may hold slots."""

    headers: Sequence[Header]
    text: str
    html: str


class CompiledMessage:
    """A message as bytes with slots.

    However often a slot occurs, its value is encoded once for each kind of place.
    """

    def __init__(self, chunks: Sequence[bytes | Fill | Slot]) -> None:
        self._parts: list[bytes] = []
        self._headers: list[tuple[int, Fill]] = []
        text: dict[str, list[int]] = {}
        html: dict[str, list[int]] = {}
        for chunk in _joined(chunks):
            if isinstance(chunk, Slot):
                (html if chunk.escaped else text).setdefault(chunk.name, []).append(
                    len(self._parts)
                )
            elif not isinstance(chunk, bytes):
                self._headers.append((len(self._parts), chunk))
            self._parts.append(chunk if isinstance(chunk, bytes) else b"")
        self._slots = [(name, text.get(name, []), html.get(name, [])) for name in text | html]

    def build(self, values: Values) -> bytes:
        """Build the message of one subscriber.

        Raises `KeyError` for a slot without a value, `InvalidInput` for one that a header cannot
        carry.
        """
        parts = self._parts.copy()
        for place, line in self._headers:
            parts[place] = line(values)
        for name, text, html in self._slots:
            value = values[name]
            encoded = _encoded_value(value)
            for place in text:
                parts[place] = encoded
            if html and type(value) is not Html and (escaped := escape(value)) != value:
                encoded = _encoded_value(escaped)
            for place in html:
                parts[place] = encoded
        return b"".join(parts)


def _joined(chunks: Sequence[bytes | Fill | Slot]) -> list[bytes | Fill | Slot]:
    """Join neighbouring constants."""
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
    chunks: list[bytes | Fill | Slot] = [header.compile() for header in draft.headers]
    chunks.append(
        b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="%b"\r\n\r\n'
        % mark
    )
    for subtype, body in ((b"plain", draft.text), (b"html", draft.html)):
        chunks.append(
            b'--%b\r\nContent-Type: text/%b; charset="utf-8"\r\n'
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" % (mark, subtype)
        )
        chunks += _compile_body(body, escaped=subtype == b"html")
        chunks.append(CRLF)
    chunks.append(b"--%b--\r\n" % mark)
    return CompiledMessage(chunks)
