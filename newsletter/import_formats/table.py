"""Read the rows of a delimited text file that another program wrote.

A broken row does not affect the others: it is returned with its line number and the reason. Rows
are streamed; the meaning of cells is not known here.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from newsletter.errors import Refused
from newsletter.i18n import Text

LINE_AT_MOST = 1_000_000
"""Characters of a line that are read; the csv module stops at 131,072 in one cell, and a record of
consent may be longer.
"""
LINES_AT_MOST = 100
"""Lines that a cell may span; a quotation mark still open after these is never closed."""
IN_VAIN_AT_MOST = 64_000_000
"""Characters that are read ahead in a file for closing quotation marks that are missing: about a
second of work.

Afterwards a mark must close on its own line.
"""

csv.field_size_limit(LINE_AT_MOST)
_CHUNK = 1 << 20
_CONTROLS = bytes(sign for sign in range(1, 32) if sign not in b"\t\n\v\f\r\x1a\x1b")
_HIGH = bytes(range(0x80, 0xA0)) + bytes(range(0xA1, 0x100))
_WORD_BEYOND_ASCII = re.compile(rb"[\x80-\x9f\xa1-\xff]{3,}")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
"""Half a character that a program wrote as UTF-8: no word of another language."""
_NO_TEXT = (
    (b"PK\x03\x04", "a ZIP archive", "unpack it first"),
    (
        b"\xd0\xcf\x11\xe0",
        "an old or a locked Excel workbook",
        "save the sheet as .xlsx without a password, or as CSV UTF-8",
    ),
    (b"\x1f\x8b", "compressed", "unpack it first"),
    (b"%PDF", "a PDF", "export the subscribers as CSV"),
    (b"begin:vcard", "an address book (vCard)", "export the subscribers as CSV"),
    (b"dn: ", "an address book (LDIF)", "export the subscribers as CSV"),
    (b"dn:: ", "an address book (LDIF)", "export the subscribers as CSV"),
    (b"<", "a web page", "export the subscribers as CSV"),
    (b"[", "JSON", "export the subscribers as CSV"),
    (b"{", "JSON", "export the subscribers as CSV"),
)


class TableRow(NamedTuple):
    """A row of a table and the number of its first line.

    `problem` is the reason why a row cannot be read; it then has no cells. `loose`: the row breaks
    RFC 4180 and was read leniently by the csv module.
    """

    line: int
    cells: list[str]
    problem: str = ""
    loose: bool = False


def detect_encoding(file: Path) -> str:
    """Detect a file's encoding: UTF-16 (by BOM or zero bytes), UTF-8, or a Western one of Excel.

    Raises `Refused` for a file that is not text, has another encoding, or cannot be read.
    """
    try:
        with file.open("rb") as raw:
            head = raw.read(4096)
    except OSError as error:
        raise Refused(
            Text("%(name)s cannot be read: %(reason)s", name=file.name, reason=error.strerror)
        ) from None
    for mark, format_name, hint in _NO_TEXT:
        if head.lstrip(b"\xef\xbb\xbf \r\n\t")[: len(mark)].lower() == mark.lower():
            raise Refused(
                Text(
                    "%(name)s is %(format_name)s, not a CSV file",
                    name=file.name,
                    format_name=format_name,
                ),
                hint=hint,
            )
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    odd_zeros = head[1::2].count(0)
    even_zeros = head[::2].count(0)
    if max(odd_zeros, even_zeros) > len(head) / 5:
        return "utf-16-le" if odd_zeros > even_zeros else "utf-16-be"
    if len(head.translate(None, _CONTROLS)) < len(head) * 0.95:
        raise Refused(
            Text("%(name)s is not a text file", name=file.name),
            hint=Text("export the subscribers as CSV"),
        )
    if _is_mostly_utf8(file):
        return "utf-8-sig"
    if not _is_western(file):
        raise Refused(
            Text("%(name)s: its encoding is not known", name=file.name),
            hint=Text("save it as CSV UTF-8"),
        )
    return _choose_western(file)


def _is_mostly_utf8(file: Path) -> bool:
    """Tell whether most characters beyond ASCII are valid UTF-8."""
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


def _is_western(file: Path) -> bool:
    """Tell whether letters beyond ASCII stand alone or in pairs, as in Western languages.

    In other scripts (Cyrillic, Greek, Chinese) whole words consist of them: decoded as Western
    text, the columns about opting out could not be recognised.
    """
    alone = together = 0
    with file.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            chunk = _SURROGATE.sub(b"", chunk)
            high = len(chunk) - len(chunk.translate(None, _HIGH))
            run = sum(map(len, _WORD_BEYOND_ASCII.findall(chunk)))
            together += run
            alone += high - run
    return alone >= together


def _choose_western(file: Path) -> str:
    """Choose between the encodings of Excel on a Mac and on Windows.

    Only old Macs end lines without a line feed, and the two encodings have accented letters in
    different ranges.
    """
    mac_letters = bytes(range(0x80, 0xA0))
    windows_letters = bytes(range(0xC0, 0x100))
    mac = windows = 0
    with file.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            if b"\n" in chunk:
                return "cp1252"
            mac += len(chunk) - len(chunk.translate(None, mac_letters))
            windows += len(chunk) - len(chunk.translate(None, windows_letters))
    return "mac_roman" if mac > windows else "cp1252"


def is_too_long(line: str) -> bool:
    """Tell whether a line is longer than the maximum that is read."""
    return len(line) >= LINE_AT_MOST and not line.endswith("\n")


class Lines:
    """The lines of a text with any line endings, numbered from 1; the last ones can be put back.

    `escapes`: a line has a backslash before a quotation mark. `in_vain`: the number of characters
    that were put back.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._back: deque[str] = deque()
        self.number = 0
        self.escapes = False
        self.in_vain = 0

    def next(self) -> str | None:
        """Return the next line without its end, or None at the end of the text.

        Only the beginning of a line that is too long is returned.
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
        while (piece := self._text.readline(LINE_AT_MOST)) and not piece.endswith("\n"):
            pass

    def put_back(self, last: list[str]) -> None:
        """Put back the lines that `next` returned last, so that it returns them again."""
        self._back.extendleft(reversed(last))
        self.number -= len(last)
        self.in_vain += sum(map(len, last))


def read_rows(
    lines: Lines, delimiter: str, width: int, *, escaped: bool = False
) -> Iterator[TableRow]:
    """Yield every row of a table that is not empty.

    `width` is the number of cells in a whole row, 0 if it is unknown. `escaped`: the file writes a
    quotation mark inside a cell as \" (MySQL, PHP) and not, or not only, as "" (RFC 4180 section
    2.7).
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
    row = _parse_line(number, first, delimiter, escaped=escaped)
    if row is None:
        return _read_over_lines(lines, first, delimiter, width, escaped=escaped)
    return row if row.cells else TableRow(number, [], "a cell is too long")


def _read_over_lines(
    lines: Lines, first: str, delimiter: str, width: int, *, escaped: bool
) -> TableRow:
    """Read a row with a quoted cell that ends on a later line.

    If the cell is never closed, or closed in the wrong place, the lines after the first are put
    back, because they are rows of their own. A row of unexpected width is accepted only if no later
    line contains an address.
    """
    number = lines.number
    following: list[str] = []
    try:
        source = _join_lines(lines, first, following, escaped=escaped)
        cells = next(_make_reader(source, delimiter))
    except csv.Error:
        cells = []
    has_address = any("@" in line for line in following)
    if cells and (not width or len(cells) == width or not has_address):
        return TableRow(number, cells)
    lines.put_back(following)
    return TableRow(number, [], "a quotation mark is never closed", loose=True)


def _join_lines(lines: Lines, first: str, following: list[str], *, escaped: bool) -> Iterator[str]:
    """Yield the first line of a row and the lines after it, which are added to `following`."""
    length = len(first)
    yield _double_escaped_marks(first, escaped=escaped) + "\n"
    while (
        len(following) < LINES_AT_MOST
        and length < LINE_AT_MOST
        and lines.in_vain < IN_VAIN_AT_MOST
        and (line := lines.next()) is not None
    ):
        following.append(line)
        length += len(line) + 1
        yield _double_escaped_marks(line, escaped=escaped) + "\n"


def _parse_line(number: int, line: str, delimiter: str, *, escaped: bool) -> TableRow | None:
    """Parse a line with quoted cells; return None if a cell is not closed at its end.

    A returned row without cells has a cell that is too long. A stray quotation mark inside a cell
    is read as the csv module reads it.
    """
    source = [_double_escaped_marks(line, escaped=escaped)]
    try:
        return TableRow(number, next(_make_reader(source, delimiter), []))
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None
    try:
        cells = next(_make_reader(source, delimiter, strict=False), [])
    except csv.Error:
        cells = []
    return TableRow(number, cells, loose=True)


def _make_reader(
    source: Iterable[str], delimiter: str, *, strict: bool = True
) -> Iterator[list[str]]:
    return csv.reader(source, delimiter=delimiter, skipinitialspace=True, strict=strict)


def _double_escaped_marks(line: str, *, escaped: bool) -> str:
    """Replace backslash-escaped quotation marks by doubled ones, as in RFC 4180."""
    return _ESCAPE.sub(_unescape, line) if escaped else line


_ESCAPE = re.compile(r'\\(["\\])')


def _unescape(match: re.Match[str]) -> str:
    return '""' if match[1] == '"' else match[1]
