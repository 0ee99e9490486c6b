"""A file of other people's making as rows: finds its encoding, its delimiter and its quotes.

One broken row spoils no other: it comes with its line number and the reason. Streamed; knows
nothing of what the cells mean.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from newsletter.errors import Refused

LINE_AT_MOST = 1_000_000
"""Characters of a line that are read; the csv module would stop at 131,072 in one cell, and a
record of consent may be longer.
"""
LINES_AT_MOST = 100
"""A cell may run over so many lines; a quotation mark that is not closed by then never is."""

csv.field_size_limit(LINE_AT_MOST)
_CHUNK = 1 << 20
_CONTROLS = bytes(sign for sign in range(1, 32) if sign not in b"\t\n\v\f\r\x1a\x1b")
_NO_TEXT = (
    (b"PK\x03\x04", "a ZIP archive", "unpack it first"),
    (
        b"\xd0\xcf\x11\xe0",
        "an old or a locked Excel workbook",
        "save the sheet as .xlsx without a password, or as CSV UTF-8",
    ),
    (b"\x1f\x8b", "compressed", "unpack it first"),
    (b"%PDF", "a PDF", "export the subscribers as CSV"),
    (b"<", "a web page", "export the subscribers as CSV"),
    (b"[", "JSON", "export the subscribers as CSV"),
    (b"{", "JSON", "export the subscribers as CSV"),
)


class TableRow(NamedTuple):
    """A row and the line it begins on.

    Where `problem` says why, it cannot be read and has no cells. `loose`: it is not what RFC 4180
    calls a row, and was read as the csv module understands it.
    """

    line: int
    cells: list[str]
    problem: str = ""
    loose: bool = False


def detect_encoding(file: Path) -> str:
    """What a file is written in: UTF-16 by its mark or its zeros, UTF-8, else what Excel writes in
    the West.

    Raises `Refused` for what is no text at all, and where the file cannot be read.
    """
    try:
        with file.open("rb") as raw:
            head = raw.read(4096)
    except OSError as error:
        raise Refused(f"{file.name} cannot be read: {error.strerror}") from None
    for mark, what, mend in _NO_TEXT:
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(mark):
            raise Refused(f"{file.name} is {what}, not a CSV file", hint=mend)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = head[1::2].count(0), head[::2].count(0)
    if max(zeros) > len(head) / 5:
        return "utf-16-le" if zeros[0] > zeros[1] else "utf-16-be"
    if len(head.translate(None, _CONTROLS)) < len(head) * 0.95:
        raise Refused(f"{file.name} is no text", hint="export the subscribers as CSV")
    return "utf-8-sig" if _mostly_utf8(file) else _western(file)


def _mostly_utf8(file: Path) -> bool:
    """Tell whether more of what is not ASCII is UTF-8 than is not."""
    good = bad = 0
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with file.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            if not chunk.isascii():
                text = decoder.decode(chunk)
                broken = text.count("\ufffd")
                bad += broken
                good += len(text) - len(text.encode("ascii", "ignore")) - broken
    return bad == 0 or good > bad


def _western(file: Path) -> str:
    """What Excel writes on a Mac, or else on Windows: lines that end as only the one's do, and
    accented letters where the other has hardly any.
    """
    low, high = bytes(range(0x80, 0xA0)), bytes(range(0xC0, 0x100))
    here = there = 0
    with file.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            if b"\n" in chunk:
                return "cp1252"
            here += len(chunk) - len(chunk.translate(None, low))
            there += len(chunk) - len(chunk.translate(None, high))
    return "mac_roman" if here > there else "cp1252"


def is_too_long(line: str) -> bool:
    """Tell whether a line is longer than any that is read."""
    return len(line) >= LINE_AT_MOST and not line.endswith("\n")


class Lines:
    """The lines of a text, whatever ends them, numbered from 1; some may be given back.

    `escapes`: a backslash stood before a quotation mark in one of them.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._back: deque[str] = deque()
        self.number = 0
        self.escapes = False

    def next(self) -> str | None:
        """The next line without its end, or None.

        Of one that is too long, its beginning; the rest is passed over.
        """
        if self._back:
            line = self._back.popleft()
        elif not (line := self._text.readline(LINE_AT_MOST)):
            return None
        elif is_too_long(line):
            self._pass_over()
        self.number += 1
        self.escapes = self.escapes or '\\"' in line
        return line.rstrip("\n")

    def _pass_over(self) -> None:
        while (rest := self._text.readline(LINE_AT_MOST)) and not rest.endswith("\n"):
            pass

    def give_back(self, taken: list[str]) -> None:
        """These were the last; they come again."""
        self._back.extendleft(reversed(taken))
        self.number -= len(taken)


def read_rows(
    lines: Lines, delimiter: str, width: int, *, escaped: bool = False
) -> Iterator[TableRow]:
    """Every row that is not empty. `width` is how many cells a whole row has, 0 where nobody
    knows. `escaped`: the file writes a quotation mark inside a cell as \\" (MySQL, PHP) and not,
    or not only, as "" (RFC 4180 section 2.7)."""
    while (first := lines.next()) is not None:
        number = lines.number
        if is_too_long(first):
            row = TableRow(number, [], "the line is too long")
        elif '"' in first:
            row = _read_quoted(lines, first, delimiter, width, escaped=escaped)
        else:
            row = TableRow(number, first.split(delimiter))
        if row.problem or any(cell.strip().strip("\0") for cell in row.cells):
            yield row


def _read_quoted(
    lines: Lines, first: str, delimiter: str, width: int, *, escaped: bool
) -> TableRow:
    number = lines.number
    row = _parse(number, first, delimiter, escaped=escaped)
    if row is None:
        return _read_over_lines(lines, first, delimiter, width, escaped=escaped)
    return row if row.cells else TableRow(number, [], "a cell is too long")


def _read_over_lines(
    lines: Lines, first: str, delimiter: str, width: int, *, escaped: bool
) -> TableRow:
    """A row whose quotation mark closes on a later line.

    Where it never does, or closes in the wrong place, the lines after the first are given back:
    they are rows of their own. A ragged row is one only if it swallows no address.
    """
    number, text, taken = lines.number, first, list[str]()
    while (
        len(taken) < LINES_AT_MOST
        and len(text) < LINE_AT_MOST
        and (line := lines.next()) is not None
    ):
        taken.append(line)
        text = f"{text}\n{line}"
        if '"' in line and (row := _parse(number, text, delimiter, escaped=escaped)) is not None:
            if (
                len(row.cells) == width
                or not width
                or (row.cells and not any("@" in each for each in taken))
            ):
                return row
            break
    lines.give_back(taken)
    return TableRow(number, [], "a quotation mark is never closed", loose=True)


def _parse(number: int, text: str, delimiter: str, *, escaped: bool) -> TableRow | None:
    """A row with quotation marks in it; None while one is still open, no cells where one is too
    long.
    """
    source = _ESCAPE.sub(_unescape, text) if escaped else text
    try:
        return TableRow(
            number,
            next(csv.reader([source], delimiter=delimiter, skipinitialspace=True, strict=True), []),
        )
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None
    try:  # a stray mark in the middle: as the csv module understands it
        cells = (
            []
            if "\n" in text
            else next(csv.reader([source], delimiter=delimiter, skipinitialspace=True), [])
        )
    except csv.Error:
        cells = []
    return TableRow(number, cells, loose=True)


_ESCAPE = re.compile(r'\\(["\\])')


def _unescape(match: re.Match[str]) -> str:
    return '""' if match[1] == '"' else match[1]
