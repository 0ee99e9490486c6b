"""Detect the header and the delimiter of a table of subscribers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO

from newsletter.errors import Refused
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text
from newsletter.import_formats import column_names
from newsletter.import_formats.platforms import find_positions
from newsletter.import_formats.statuses import is_status
from newsletter.import_formats.table import Lines, TableRow, read_rows

COLUMNS_SHOWN = 20
_DELIMITERS = ",;\t|"
_SEP = re.compile(r'"?sep=(.)"?[,;\t|]*', re.IGNORECASE)
LOOK_AHEAD = 20


def read_header(lines: Lines, name: str) -> tuple[list[str], str]:
    """Return the names of a table's columns and its delimiter.

    The header is the first row that names an address column, or else the first row. A file that
    begins with an address gets made-up names. Raises `Refused` for an empty file.
    """
    first_lines = skip_lines(lines, LOOK_AHEAD)
    lines.put_back(first_lines)
    filled = [index for index, line in enumerate(first_lines) if line.strip(" \t,;|\"'\ufeff")]
    declared = _SEP.fullmatch(first_lines[filled[0]].strip().lstrip("\ufeff")) if filled else None
    filled = filled[1:] if declared else filled
    if not filled:
        raise Refused(Text("%(name)s is empty", name=name))
    for index in filled[:10]:
        for delimiter in declared[1] if declared else _list_delimiters(first_lines[index]):
            header, consumed = _read_first_row(first_lines[index:], delimiter)
            if find_positions(header, column_names.EMAIL):
                skip_lines(lines, index + consumed)
                return header, delimiter
        if "@" in first_lines[index]:
            break
    return _make_header(
        lines,
        first_lines[filled[0] :],
        filled[0],
        declared[1] if declared else _list_delimiters(first_lines[filled[0]])[0],
    )


def _make_header(
    lines: Lines, first_lines: list[str], skip: int, delimiter: str
) -> tuple[list[str], str]:
    """Return a header without known column names, or one made up for a table without any.

    If the first row contains an address, it is a subscriber's and is left to be read.
    """
    first, consumed = _read_first_row(first_lines, delimiter)
    if any("@" in cell for cell in first):
        skip_lines(lines, skip)
        return [
            "email" if "@" in cell else "status" if is_status(cell) else "" for cell in first
        ], delimiter
    skip_lines(lines, skip + consumed)
    return first, delimiter


def _list_delimiters(line: str) -> list[str]:
    """Return the possible delimiters of a line, the likeliest first."""
    return sorted(_DELIMITERS, key=lambda mark: -line.count(mark))


def skip_lines(lines: Lines, count: int) -> list[str]:
    return [line for _ in range(count) if (line := lines.next()) is not None]


def _read_first_row(first_lines: list[str], delimiter: str) -> tuple[list[str], int]:
    """Return the cells of the first row in `first_lines`, and the number of its lines."""
    lines = Lines(StringIO("\n".join(first_lines)))
    return next(read_rows(lines, delimiter, 0), TableRow(0, [])).cells, lines.number


def quote_cell(text: str, *, limit: int = 60) -> str:
    """Quote a cell for a message, without an address that it may contain by mistake."""
    return repr("…" if "@" in text else to_plain_line(text, limit=limit))


def list_columns(header: Sequence[str]) -> str:
    """Return names of columns as text for a message, and the number of those left out."""
    names = [to_plain_line(title, limit=40) or "(no name)" for title in header]
    return ", ".join(names[:COLUMNS_SHOWN]) + (
        f" and {len(names) - COLUMNS_SHOWN} more" if len(names) > COLUMNS_SHOWN else ""
    )
