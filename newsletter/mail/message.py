"""From content to bytes: a message is compiled once, then filled in for each reader.

What is the same for everyone is encoded once. What differs stands in a slot: it is encoded on its
own and joined to the rest as bytes. The result is 7-bit, CRLF, and no line starts with a dot, so
that it needs no dot-stuffing (RFC 5321 §4.5.2) and is right for DATA and BDAT alike. Knows nothing
of lists, templates or servers.

The standard library's `EmailMessage` is not used: it folds a long List-Unsubscribe address into an
encoded-word, which mail programs do not understand (cpython issue 85725).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.header import Header as EncodedWords
from html import escape
from operator import itemgetter
from typing import NamedTuple

from newsletter.errors import InvalidInput

CRLF = b"\r\n"
SOFT_BREAK = b"=\r\n"
SLOT_PATTERN = re.compile("\ue000([a-z0-9_:-]+)\ue001")

Values = Mapping[str, str]
Fill = Callable[[Values], bytes]


class Slot(NamedTuple):
    """A slot in a body; in HTML its value is `escaped`."""

    name: str
    escaped: bool


def make_slot(name: str) -> str:
    """The mark that stands for `name` in a text until each reader's value takes its place."""
    return f"\ue000{name}\ue001"


def fill(text: str, values: Values) -> str:
    """`text` with its slots filled in as they are: the plain rendering, for pages and tests."""
    return SLOT_PATTERN.sub(lambda match: values[match[1]], text)


# ── headers
# ────────────────────────────────────────────────────────────────────────────────────────

_FORBIDDEN = re.compile(r"[\r\n\0]")
_NAME = re.compile(r"[!-9;-~]+")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


@dataclass(frozen=True, slots=True)
class Header:
    """A header field: its name, its parts (which may hold slots), and how they are written once
    filled in.
    """

    name: str
    parts: tuple[str, ...]
    write: Callable[..., str]

    def compile(self) -> bytes | Fill:
        """The whole line, or what makes it of a reader's values."""
        if not _NAME.fullmatch(self.name):
            raise InvalidInput({self.name: "not a header name"})
        if not any(SLOT_PATTERN.search(part) for part in self.parts):
            return self._line(*self.parts)
        parts = [_part_filler(part) for part in self.parts]
        return lambda values: self._line(*[part(values) for part in parts])

    def _line(self, *parts: str) -> bytes:
        for part in parts:
            if _FORBIDDEN.search(part):
                raise InvalidInput({self.name: "holds a line break or NUL"})
        return f"{self.name}: {self.write(*parts)}\r\n".encode("ascii")


def _part_filler(part: str) -> Callable[[Values], str]:
    whole = SLOT_PATTERN.fullmatch(part)
    if whole is not None:
        return itemgetter(whole[1])
    return lambda values: fill(part, values)


def text_header(name: str, value: str) -> Header:
    """Free text, like a subject: encoded-words where it is not plain ASCII (RFC 2047)."""
    return Header(name, (value,), lambda text: _words(name, text))


def mailbox_header(name: str, display: str, address: str) -> Header:
    """``Display Name <address>``.

    The address must be ASCII (RFC 6531 would need the whole path to allow more).
    """

    def write(display: str, address: str) -> str:
        if not _VISIBLE.fullmatch(address) or address.count("@") < 1:
            raise InvalidInput({name: "not an address that can be written in ASCII"})
        if not display:
            return address
        shown = _phrase(name, display)
        last = shown.rsplit("\n", 1)[-1]
        return f"{shown}{_fold_before(len(last) + len(name) + 2, len(address) + 3)}<{address}>"

    return Header(name, (display, address), write)


def url_header(name: str, *addresses: str) -> Header:
    """``<address>, <address>``, each written as it is and folded only in between (RFC 2369 §2)."""

    def write(*filled: str) -> str:
        for address in filled:
            if (
                not _VISIBLE.fullmatch(address)
                or "<" in address
                or ">" in address
                or len(address) > 900
            ):
                raise InvalidInput({name: "not an address that a header can carry"})
        return ",\r\n ".join(f"<{address}>" for address in filled)

    return Header(name, addresses, write)


def verbatim_header(name: str, value: str) -> Header:
    """An ASCII value that is written as it is (an id, a date, a keyword)."""

    def write(text: str) -> str:
        if not text.isascii() or not text.isprintable():
            raise InvalidInput({name: "not plain ASCII"})
        return text

    return Header(name, (value,), write)


def _words(name: str, text: str) -> str:
    short = all(len(word) < 60 for word in text.split(" "))
    if (
        text.isascii()
        and text.isprintable()
        and "=?" not in text
        and short
        and text == text.strip()
    ):
        return EncodedWords(text, "us-ascii", maxlinelen=76, header_name=name).encode(
            linesep="\r\n"
        )
    return EncodedWords(text, "utf-8", maxlinelen=76, header_name=name).encode(linesep="\r\n")


def _phrase(name: str, display: str) -> str:
    if not display.isascii() or "=?" in display or len(display) > 60 or not display.isprintable():
        return _words(name, display) if not display.isascii() else _encoded(name, display)
    if _ATOMS.fullmatch(display) and display == display.strip():
        return display
    return '"' + display.replace("\\", r"\\").replace('"', r"\"") + '"'


def _encoded(name: str, text: str) -> str:
    return EncodedWords(text, "utf-8", maxlinelen=76, header_name=name).encode(linesep="\r\n")


def _fold_before(used: int, needed: int) -> str:
    return "\r\n " if used + needed > 76 else " "


# ── bodies
# ─────────────────────────────────────────────────────────────────────────────────────────

_QP = [
    bytes([byte]) if (33 <= byte <= 126 and byte != 61) or byte in (32, 9) else b"=%02X" % byte
    for byte in range(256)
]
_QP_LINE = 75
# What is encoded as itself whatever stands around it: no "=", no dot at its start; spaces only
# within one line.
_AS_IT_IS = re.compile(r"[!-\-/-<>-~](?:[ -<>-~]{0,73}[!-<>-~]|[!-<>-~]{74,})?", re.ASCII)


def quoted_printable(text: str) -> bytes:
    """`text` as quoted-printable (RFC 2045 §6.7), beginning at a line's start: lines of at most 76
    characters, none starting with a dot, none ending in white space.
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
                [data[at : at + _QP_LINE] for at in range(0, len(data), _QP_LINE)]
            )
    return quoted_printable(value)


class Html(str):
    """A slot's value that is HTML already, and goes into HTML as it is."""

    __slots__ = ()


def _compile_body(text: str, *, escaped: bool) -> list[bytes | Slot]:
    """Constant stretches encoded once, slots in between; soft breaks keep every line's length
    whatever the values.
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


# ── whole messages
# ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class MessageDraft:
    """A message but for its readers: header fields, and both bodies, all of which may hold slots."""

    headers: Sequence[Header]
    text: str
    html: str


class CompiledMessage:
    """Bytes with slots.

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
        """The message of one reader.

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
    """Neighbouring constants made one."""
    out: list[bytes | Fill | Slot] = []
    for chunk in chunks:
        if isinstance(chunk, bytes) and out and isinstance(out[-1], bytes):
            out[-1] += chunk
        elif chunk != b"":
            out.append(chunk)
    return out


def compile_message(draft: MessageDraft, *, boundary: str | None = None) -> CompiledMessage:
    """A ``multipart/alternative`` message, text before HTML (RFC 2046 §5.1.4), ready to be filled
    in.

    Raises `InvalidInput` where a header cannot be written.
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
