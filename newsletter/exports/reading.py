"""A subscriber file opened: whose it is, and the people in it, one row after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO, TextIOWrapper
from pathlib import Path

from newsletter.errors import Refused
from newsletter.exports import columns
from newsletter.exports.columns import BY_NAME, Platform
from newsletter.exports.person import Person, Reader, is_status
from newsletter.exports.table import Lines, Row, encoding, rows

LOOK_AHEAD = 20
_DELIMITERS = ",;\t|"
_SEP = re.compile(r'"?sep=(.)"?[,;\t|]*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SubscriberFile:
    """`platform` is whose file it is; `people` gives each row as a `Person`, or as a `Row` with its problem;
    `share` says how much of the file was read, from 0 to 1."""

    platform: Platform
    encoding: str
    people: Iterator[Person | Row]
    share: Callable[[], float]


@contextmanager
def opened(file: Path, told: str | None = None) -> Iterator[SubscriberFile]:
    """Opens a subscriber file. `told` is the platform's name, where its author says it.

    Raises `Refused` for what holds no table with a column of addresses.
    """
    found = encoding(file)
    with file.open("rb") as raw, TextIOWrapper(raw, found, errors="replace") as text:
        lines = Lines(text)
        header, delimiter = _header(lines, file.name)
        sample = _sample(lines, delimiter, len(header))
        platform = BY_NAME[told] if told else columns.recognise(header)
        email_at = columns.email_position(header, [row.cells for row in sample])
        if email_at is None:
            raise Refused(f"{file.name} has no column of addresses", hint="name it `email` in the first line")
        reader = Reader(platform, header, email_at, file=file.name)
        people = _people(reader, sample, rows(lines, delimiter, len(header)))
        size = max(file.stat().st_size, 1)
        yield SubscriberFile(platform, found, people, lambda: min(raw.tell() / size, 1.0))


def _people(reader: Reader, sample: list[Row], rest: Iterator[Row]) -> Iterator[Person | Row]:
    for found in (sample, rest):
        for row in found:
            yield row if row.problem else reader.read(row.line, row.cells)


def _header(lines: Lines, name: str) -> tuple[list[str], str]:
    """The names of the columns (made up where the file begins with an address), and the delimiter.

    The header is the first row that names a column of addresses, or else the first row there is.
    """
    taken = _skip(lines, LOOK_AHEAD)
    lines.give_back(taken)
    filled = [at for at, line in enumerate(taken) if line.strip(" \t,;|\"'\ufeff")]
    told = _SEP.fullmatch(taken[filled[0]].strip().lstrip("\ufeff")) if filled else None
    filled = filled[1:] if told else filled
    if not filled:
        raise Refused(f"{name} is empty")
    for at in filled[:10]:
        for delimiter in told[1] if told else _delimiters(taken[at]):
            header, consumed = _first_row(taken[at:], delimiter)
            if columns.positions(header, columns.EMAIL):
                _skip(lines, at + consumed)
                return header, delimiter
        if "@" in taken[at]:
            break
    return _without_header(lines, taken[filled[0] :], filled[0], told[1] if told else _delimiters(taken[filled[0]])[0])


def _without_header(lines: Lines, taken: list[str], skip: int, delimiter: str) -> tuple[list[str], str]:
    """A header of other words, or none at all: the first row is a person's then, and stays unread."""
    first, consumed = _first_row(taken, delimiter)
    if any("@" in cell for cell in first):
        _skip(lines, skip)
        return ["email" if "@" in cell else "status" if is_status(cell) else "" for cell in first], delimiter
    _skip(lines, skip + consumed)
    return first, delimiter


def _delimiters(line: str) -> list[str]:
    """Those that may be, the likeliest first."""
    return sorted(_DELIMITERS, key=lambda mark: -line.count(mark))


def _skip(lines: Lines, count: int) -> list[str]:
    return [line for _ in range(count) if (line := lines.next()) is not None]


def _first_row(taken: list[str], delimiter: str) -> tuple[list[str], int]:
    """The cells of the first row in these lines, and how many lines it takes."""
    lines = Lines(StringIO("\n".join(taken)))
    return next(rows(lines, delimiter, 0), Row(0, [])).cells, lines.number


def _sample(lines: Lines, delimiter: str, width: int) -> list[Row]:
    found: list[Row] = []
    for row in rows(lines, delimiter, width):
        found.append(row)
        if len(found) >= LOOK_AHEAD:
            break
    return found
