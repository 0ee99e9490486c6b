"""Read a file of any program as rows: detect its encoding, delimiter and quotes.

A broken row is returned with its line number and the reason, and the rows after it are read.
Streamed; knows nothing of what the cells mean.
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
"""Characters of a line that are read. The csv module stops at 131,072 in a cell by default, and a
consent record can be longer.
"""
LINES_AT_MOST = 100
"""Lines of a cell. A quotation mark that is not closed by then counts as never closed."""

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
    """A row and the number of the line on which it begins.

    A row that cannot be read has a `problem` and no cells. A `loose` row is not a row of RFC 4180
    and was read as the csv module understands it.
    """

    line: int
    cells: list[str]
    problem: str = ""
    loose: bool = False


def detect_encoding(file: Path) -> str:
    """Detect the encoding of a file: UTF-16, UTF-8, or Excel's Western encodings.

    UTF-16 is recognised by its byte order mark or its zeros. Raises `Refused` for a file that is
    not text or cannot be read.
    """
    try:
        with file.open("rb") as raw:
            head = raw.read(4096)
    except OSError as error:
        raise Refused(f"{file.name} cannot be read: {error.strerror}") from None
    for mark, kind, remedy in _NO_TEXT:
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(mark):
            raise Refused(f"{file.name} is {kind}, not a CSV file", hint=remedy)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    odd_zeros = head[1::2].count(0)
    even_zeros = head[::2].count(0)
    if max(odd_zeros, even_zeros) > len(head) / 5:
        return "utf-16-le" if odd_zeros > even_zeros else "utf-16-be"
    if len(head.translate(None, _CONTROLS)) < len(head) * 0.95:
        raise Refused(f"{file.name} is not a text file", hint="export the subscribers as CSV")
    return "utf-8-sig" if _is_mostly_utf8(file) else _detect_western(file)


def _is_mostly_utf8(file: Path) -> bool:
    """Tell whether most of the bytes beyond ASCII are valid UTF-8."""
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


def _detect_western(file: Path) -> str:
    """Tell Mac Roman (Excel on a Mac) from Windows-1252.

    Mac Roman has line ends without a line feed, and accented letters at 0x80 to 0x9F, where
    Windows-1252 has few.
    """
    mac_letters = bytes(range(0x80, 0xA0))
    windows_letters = bytes(range(0xC0, 0x100))
    mac_count = 0
    windows_count = 0
    with file.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            if b"\n" in chunk:
                return "cp1252"
            mac_count += len(chunk) - len(chunk.translate(None, mac_letters))
            windows_count += len(chunk) - len(chunk.translate(None, windows_letters))
    return "mac_roman" if mac_count > windows_count else "cp1252"


def is_too_long(line: str) -> bool:
    """Tell whether a line is longer than `LINE_AT_MOST`."""
    return len(line) >= LINE_AT_MOST and not line.endswith("\n")


class Lines:
    """The lines of a text, numbered from 1; lines can be put back.

    `escapes` is set once a line has a backslash before a quotation mark.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._back: deque[str] = deque()
        self.number = 0
        self.escapes = False

    def next(self) -> str | None:
        """Return the next line without its end, or None.

        Only the beginning of a line that is too long is returned; the rest is skipped.
        """
        if self._back:
            line = self._back.popleft()
        elif not (line := self._text.readline(LINE_AT_MOST)):
            return None
        elif is_too_long(line):
            self._skip_rest()
        self.number += 1
        self.escapes = self.escapes or '\\"' in line
        return line.rstrip("\n")

    def _skip_rest(self) -> None:
        while (rest := self._text.readline(LINE_AT_MOST)) and not rest.endswith("\n"):
            pass

    def put_back(self, lines: list[str]) -> None:
        """Put back the last lines, so that they are returned again."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)


def read_rows(
    lines: Lines, delimiter: str, width: int, *, escaped: bool = False
) -> Iterator[TableRow]:
    """Yield every row that is not empty.

    `width` is the number of cells of a complete row, 0 if unknown. `escaped`: the file writes a
    quotation mark inside a cell as \\" (MySQL, PHP) and not only as "" (RFC 4180 section 2.7).
    """
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
    """Read a row whose quotation mark closes on a later line.

    If it never closes, or closes in the wrong place, the lines after the first are put back: they
    are rows of their own. A row with a wrong number of cells is accepted only if its later lines
    have no address in them.
    """
    number = lines.number
    text = first
    later: list[str] = []
    while (
        len(later) < LINES_AT_MOST
        and len(text) < LINE_AT_MOST
        and (line := lines.next()) is not None
    ):
        later.append(line)
        text = f"{text}\n{line}"
        if '"' in line and (row := _parse(number, text, delimiter, escaped=escaped)) is not None:
            if (
                len(row.cells) == width
                or not width
                or (row.cells and not any("@" in line for line in later))
            ):
                return row
            break
    lines.put_back(later)
    return TableRow(number, [], "a quotation mark is never closed", loose=True)


def _parse(number: int, text: str, delimiter: str, *, escaped: bool) -> TableRow | None:
    """Parse a row with quotation marks.

    Returns None while a mark is still open, and a row without cells if a cell is too long.
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
    try:  # a stray mark in the middle: read it as the csv module does
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
