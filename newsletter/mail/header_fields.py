"""Write header fields: encoded-words, mailboxes, lists of addresses, each with or without slots."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.header import Header as EncodedWords
from operator import itemgetter

from newsletter.errors import InvalidInput
from newsletter.mail.slots import SLOT_PATTERN, Fill, Values, fill

_FORBIDDEN = re.compile(r"[\r\n\0]")
_NAME = re.compile(r"[!-9;-~]+")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_SHORT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{0,58}[A-Za-z0-9]")
_SHORT_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+")
_PLAIN_URL = re.compile(r"[!-;=?-~]{1,900}")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


@dataclass(frozen=True, slots=True)
class Header:
    """A header field: its name, its parts, and the function that writes its line.

    Parts may contain slots, which are filled in before `write` is called. `join` is a faster
    alternative to `write` for short and plain values, with the same result; it returns None for any
    other values.
    """

    name: str
    parts: tuple[str, ...]
    write: Callable[..., str]
    join: Callable[..., str | None] | None = None

    def compile(self) -> bytes | Fill:
        """Return the whole line of the field, or a function that makes it from slots' values."""
        if not _NAME.fullmatch(self.name):
            raise InvalidInput({self.name: "not a header name"})
        if not any(SLOT_PATTERN.search(part) for part in self.parts):
            return self._write_line(*self.parts)
        parts = [_make_filler(part) for part in self.parts]
        return self._join_or_write(parts) if self.join else self._always_write(parts)

    def _always_write(self, parts: Sequence[Callable[[Values], str]]) -> Fill:
        return lambda values: self._write_line(*[part(values) for part in parts])

    def _join_or_write(self, parts: Sequence[Callable[[Values], str]]) -> Fill:
        join = self.join
        assert join is not None

        def fill_in(values: Values) -> bytes:
            filled = [part(values) for part in parts]
            line = join(*filled)
            return self._write_line(*filled) if line is None else line.encode("ascii")

        return fill_in

    def _write_line(self, *parts: str) -> bytes:
        for part in parts:
            if _FORBIDDEN.search(part):
                raise InvalidInput({self.name: "holds a line break or NUL"})
        return f"{self.name}: {self.write(*parts)}\r\n".encode("ascii")


def _make_filler(part: str) -> Callable[[Values], str]:
    only_slot = SLOT_PATTERN.fullmatch(part)
    if only_slot is not None:
        return itemgetter(only_slot[1])
    pieces = SLOT_PATTERN.split(part)
    if len(pieces) == 3:
        before, name, after = pieces
        return lambda values: f"{before}{values[name]}{after}"
    return lambda values: fill(part, values)


def make_text_header(name: str, value: str) -> Header:
    """Make a field of free text, using encoded-words if it is not plain ASCII (RFC 2047)."""
    return Header(name, (value,), lambda text: _write_text(name, text))


def make_mailbox_header(name: str, display: str, address: str) -> Header:
    """Make a header field with one mailbox, ``Display Name <address>``.

    The address must be ASCII (RFC 6531 would need the whole path to allow more).
    """

    def write(display: str, address: str) -> str:
        if not _VISIBLE.fullmatch(address) or address.count("@") < 1:
            raise InvalidInput({name: "not an address that can be written in ASCII"})
        if not display:
            return address
        phrase = _write_phrase(name, display)
        last = phrase.rsplit("\n", 1)[-1]
        return f"{phrase}{_fold_before(len(last) + len(name) + 2, len(address) + 3)}<{address}>"

    def join(display: str, address: str) -> str | None:
        line = f"{name}: {display} <{address}>\r\n"
        is_plain = _SHORT_NAME.fullmatch(display) and _SHORT_ADDRESS.fullmatch(address)
        # With CRLF: `_fold_before` counts 76 characters of a line, and one more.
        return line if is_plain and len(line) <= 78 else None

    return Header(name, (display, address), write, join)


def make_url_header(name: str, *addresses: str) -> Header:
    """Make a field of ``<address>, <address>``, folded only between them (RFC 2369 section 2)."""

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

    def join(*filled: str) -> str | None:
        for address in filled:
            if not _PLAIN_URL.fullmatch(address):
                return None
        return f"{name}: <" + ">,\r\n <".join(filled) + ">\r\n"

    return Header(name, addresses, write, join)


def make_verbatim_header(name: str, value: str) -> Header:
    """Make a field of an ASCII value that is written unchanged (an id, a date, a keyword)."""

    def write(text: str) -> str:
        if not text.isascii() or not text.isprintable():
            raise InvalidInput({name: "not plain ASCII"})
        return text

    def join(text: str) -> str | None:
        return f"{name}: {text}\r\n" if text.isascii() and text.isprintable() else None

    return Header(name, (value,), write, join)


def _write_text(name: str, text: str) -> str:
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


def _write_phrase(name: str, display: str) -> str:
    if not display.isascii() or "=?" in display or len(display) > 60 or not display.isprintable():
        return _write_text(name, display) if not display.isascii() else _encode_words(name, display)
    if _ATOMS.fullmatch(display) and display == display.strip():
        return display
    return '"' + display.replace("\\", r"\\").replace('"', r"\"") + '"'


def _encode_words(name: str, text: str) -> str:
    return EncodedWords(text, "utf-8", maxlinelen=76, header_name=name).encode(linesep="\r\n")


def _fold_before(used: int, needed: int) -> str:
    return "\r\n " if used + needed > 76 else " "
