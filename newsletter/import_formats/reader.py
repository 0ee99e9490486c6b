"""A subscriber file opened: the tables in it, whose they are, and the people in them, one row after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import StringIO, TextIOWrapper
from pathlib import Path

from newsletter.errors import Refused
from newsletter.import_formats import platforms
from newsletter.import_formats.archive import unpacked
from newsletter.import_formats.platforms import BY_NAME, CSV, Platform
from newsletter.import_formats.row import Person, Reader
from newsletter.import_formats.statuses import is_status
from newsletter.import_formats.table import Lines, Row, encoding, rows

LOOK_AHEAD = 20
_DELIMITERS = ",;\t|"
_SEP = re.compile(r'"?sep=(.)"?[,;\t|]*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SubscriberFile:
    """`platform` is whose file it is; `people` gives each row as a `Person`, or as a `Row` with its problem;
    `share` says how much of the file was read, from 0 to 1. `name`: which table it is, in a file that holds several;
    `passed_over`: the other ones, which are not read."""

    platform: Platform
    encoding: str
    people: Iterator[Person | Row]
    share: Callable[[], float]
    name: str = ""
    passed_over: tuple[str, ...] = ()


def tables(file: Path, told: str | None = None) -> Generator[SubscriberFile]:
    """The tables of subscribers in a file, one after the other: itself, or those in a ZIP archive or a workbook.

    Raises `Refused` for what holds none.
    """
    with unpacked(file) as inside:
        chosen = inside if inside == [file] else _chosen(file, inside)
        others = tuple(each.name for each in inside if each not in chosen)
        total, before = max(sum(each.stat().st_size for each in chosen), 1), 0
        for each in chosen:
            with opened(each, told) as found:
                yield replace(
                    found,
                    name=each.name if len(inside) > 1 else "",
                    passed_over=others,
                    share=_part(found.share, before / total, each.stat().st_size / total),
                )
            before += each.stat().st_size


def _part(share: Callable[[], float], before: float, weight: float) -> Callable[[], float]:
    return lambda: min(before + share() * weight, 1.0)


def _chosen(file: Path, inside: list[Path]) -> list[Path]:
    """Which of several tables hold subscribers: those of a known program, or the only one with addresses.

    An archive may hold other addresses too (who opened which mail): of two unknown tables a person must say which. A
    workbook's own is its first sheet with addresses.
    """
    known, others = list[Path](), list[Path]()
    for each in inside:
        with suppress(Refused), opened(each) as found:
            (others if found.platform.name == CSV else known).append(each)
    if not known and not others:
        raise Refused(f"{file.name} holds no table with a column of addresses", hint="export the subscribers as CSV")
    if not known and len({each.parent for each in others}) > 1:  # the sheets of one workbook lie together
        names = ", ".join(each.name for each in others[:5])
        raise Refused(f"{file.name} holds several tables of addresses: {names}", hint="import the one you mean alone")
    return known or others[:1]


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
        platform = BY_NAME[told] if told else platforms.recognise(header)
        email_at = platforms.email_position(header, [row.cells for row in sample])
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
            if platforms.positions(header, platforms.EMAIL):
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
