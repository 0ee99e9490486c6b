"""A subscriber file opened: the tables in it, whose they are, and the people in them, one row after
another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import StringIO, TextIOWrapper
from itertools import islice
from pathlib import Path

from newsletter.errors import Refused
from newsletter.html.text import to_plain_line
from newsletter.import_formats import platforms
from newsletter.import_formats.archive import unpack
from newsletter.import_formats.platforms import BY_NAME, CSV, OURS, Platform
from newsletter.import_formats.row import RowParser
from newsletter.import_formats.statuses import is_status
from newsletter.import_formats.table import Lines, TableRow, detect_encoding, read_rows
from newsletter.import_formats.types import SubscriberRow

LOOK_AHEAD = 20
COLUMNS_SHOWN = 20
UNCLEAR_SHOWN = 5
_DELIMITERS = ",;\t|"
_SEP = re.compile(r'"?sep=(.)"?[,;\t|]*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SubscriberFile:
    """`platform` is whose file it is; `people` gives each row as a `SubscriberRow`, or as a `TableRow` with its
    problem; `share` says how much of the file was read, from 0 to 1. `uses`: what became of each
    column, by its name. `name`: which table it is, in a file that holds several; `passed_over`: the
    other ones, which are not read.
    """

    platform: Platform
    encoding: str
    people: Iterator[SubscriberRow | TableRow]
    share: Callable[[], float]
    uses: Mapping[str, str]
    name: str = ""
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a file is laid out: `start` lines stand before its first row."""

    encoding: str
    header: list[str]
    delimiter: str
    start: int
    platform: Platform
    email_at: int


@dataclass(frozen=True, slots=True)
class _Survey:
    """What a look at all rows has shown: how many are no rows of the standard or have the wrong
    number of cells, whether a backslash stands before a quotation mark, and the places of opt-outs
    that cannot be understood.
    """

    bad: int
    escapes: bool
    unclear: tuple[str, ...]


def open_tables(
    file: Path, platform: str | None = None, choices: Mapping[str, str] | None = None
) -> Generator[SubscriberFile]:
    """The tables of subscribers in a file, one after the other: itself, or those in a ZIP archive
    or a workbook.

    Raises `Refused` for what holds none, and for an opt-out column that cannot be understood:
    before any row is given.
    """
    with unpack(file) as inside:
        chosen = inside if inside == [file] else _choose(file, inside)
        others = tuple(each.name for each in inside if each not in chosen)
        total, before = max(sum(each.stat().st_size for each in chosen), 1), 0
        layouts = [_lay_out(each, platform) for each in chosen]
        _require_columns(
            file, choices or {}, [title for layout in layouts for title in layout.header]
        )
        surveyed = [
            _prepare(each, layout, choices or {})
            for each, layout in zip(chosen, layouts, strict=True)
        ]
        for each, layout, (reader, escaped) in zip(chosen, layouts, surveyed, strict=True):
            with _open_rows(each, layout, reader, escaped=escaped) as table:
                yield replace(
                    table,
                    name=each.name if len(inside) > 1 else "",
                    passed_over=others,
                    share=_part(table.share, before / total, each.stat().st_size / total),
                )
            before += each.stat().st_size


def _part(share: Callable[[], float], before: float, weight: float) -> Callable[[], float]:
    return lambda: min(before + share() * weight, 1.0)


def _choose(file: Path, inside: list[Path]) -> list[Path]:
    """Which of several tables hold subscribers: those of a known program, or the only one with
    addresses.

    An archive may hold other addresses too (who opened which mail): of two unknown tables a
    person must say which. A workbook's own is its first sheet with addresses.
    """
    known, others = list[Path](), list[Path]()
    for each in inside:
        with suppress(Refused):
            layout = _lay_out(each, None)
            (others if layout.platform.name == CSV else known).append(each)
    if not known and not others:
        raise Refused(
            f"{file.name} holds no table with a column of addresses",
            hint="export the subscribers as CSV",
        )
    if (
        not known and len({each.parent for each in others}) > 1
    ):  # the sheets of one workbook lie together
        names = ", ".join(each.name for each in others[:5])
        raise Refused(
            f"{file.name} holds several tables of addresses: {names}",
            hint="import the one you mean alone",
        )
    return known or others[:1]


@contextmanager
def opened(
    file: Path, platform: str | None = None, choices: Mapping[str, str] | None = None
) -> Iterator[SubscriberFile]:
    """Open a subscriber file.

    `platform` is its name, where the author says it; `choices` what they say of columns.

    Raises `Refused` for what holds no table with a column of addresses, or an opt-out that
    cannot be understood.
    """
    layout = _lay_out(file, platform)
    _require_columns(file, choices or {}, layout.header)
    reader, escaped = _prepare(file, layout, choices or {})
    with _open_rows(file, layout, reader, escaped=escaped) as table:
        yield table


def _prepare(file: Path, layout: _Layout, choices: Mapping[str, str]) -> tuple[RowParser, bool]:
    """Look through all of a file once, before anything is done with it.

    The dialect is decided for the whole file: RFC 4180, unless more rows make sense with
    backslashes as escapes.
    """
    reader = RowParser(
        layout.platform, layout.header, layout.email_at, file=file.name, choices=choices
    )
    survey, escaped = _survey(file, layout, reader, escaped=False), False
    if survey.bad and survey.escapes and layout.platform.name != OURS:
        other = _survey(file, layout, reader, escaped=True)
        if other.bad < survey.bad:
            survey, escaped = other, True
    if survey.unclear:
        raise Refused(
            f"{file.name}: {'; '.join(survey.unclear)}",
            hint="nothing was imported; write yes or no there, or say what the column means: --column NAME=ignore, or "
            "--column NAME=opt-out where any text in it is an opt-out",
        )
    return reader, escaped


def _require_columns(file: Path, choices: Mapping[str, str], header: Sequence[str]) -> None:
    """Refuse what is said of a column that no table has: it is misspelt, and the author counts on
    it.
    """
    names = set(map(platforms.normalize_name, header))
    if missing := [name for name in choices if name not in names]:
        raise Refused(
            f"{file.name} has no column {missing[0]!r}", hint=f"its columns: {list_columns(header)}"
        )


def _lay_out(file: Path, told: str | None) -> _Layout:
    """Raise `Refused` where there is no table with a column of addresses."""
    name_of_encoding = detect_encoding(file)
    with file.open("rb") as raw, TextIOWrapper(raw, name_of_encoding, errors="replace") as text:
        lines = Lines(text)
        header, delimiter = _header(lines, file.name)
        start = lines.number
        sample = [row.cells for row in islice(read_rows(lines, delimiter, len(header)), LOOK_AHEAD)]
    platform = BY_NAME[told] if told else platforms.recognize_platform(header)
    email_at = platforms.find_email_position(header, sample)
    if email_at is None:
        raise Refused(
            f"{file.name} has no column of addresses; its columns: {list_columns(header)}",
            hint="name it `email` in the first line",
        )
    if platform.name == OURS and (
        missing := platforms.OUR_SIGN - set(map(platforms.normalize_name, header))
    ):
        raise Refused(
            f"{file.name} is no export of this program: it has no column "
            f"{', '.join(sorted(missing))}",
            hint="leave out --from, or say --from csv",
        )
    return _Layout(name_of_encoding, header, delimiter, start, platform, email_at)


def list_columns(header: Sequence[str]) -> str:
    """The names of columns for a message, as many as a person reads."""
    names = [to_plain_line(title, limit=40) or "(no name)" for title in header]
    return ", ".join(names[:COLUMNS_SHOWN]) + (
        f" and {len(names) - COLUMNS_SHOWN} more" if len(names) > COLUMNS_SHOWN else ""
    )


def _survey(file: Path, layout: _Layout, reader: RowParser, *, escaped: bool) -> _Survey:
    bad, escapes = 0, False
    unclear: dict[str, str] = {}
    with file.open("rb") as raw, TextIOWrapper(raw, layout.encoding, errors="replace") as text:
        lines = Lines(text)
        _skip(lines, layout.start)
        for row in read_rows(lines, layout.delimiter, len(layout.header), escaped=escaped):
            bad += bool(row.problem) or row.loose or len(row.cells) != len(layout.header)
            cell = reader.find_unclear(row.cells) if len(row.cells) <= len(layout.header) else None
            if cell and cell[0] not in unclear and len(unclear) < UNCLEAR_SHOWN:
                unclear[cell[0]] = _tell_unclear(row.line, *cell)
        escapes = lines.escapes
    return _Survey(bad, escapes, tuple(unclear.values()))


def _tell_unclear(line: int, title: str, text: str) -> str:
    """Say where it stands; an address is not repeated."""
    value = "…" if "@" in text else to_plain_line(text, limit=30)
    return (
        f"line {line}: {value!r} in the column {to_plain_line(title, limit=60)!r} is not understood"
    )


@contextmanager
def _open_rows(
    file: Path, layout: _Layout, reader: RowParser, *, escaped: bool
) -> Iterator[SubscriberFile]:
    with file.open("rb") as raw, TextIOWrapper(raw, layout.encoding, errors="replace") as text:
        lines = Lines(text)
        _skip(lines, layout.start)
        size = max(file.stat().st_size, 1)
        people = _people(
            reader, read_rows(lines, layout.delimiter, len(layout.header), escaped=escaped)
        )
        yield SubscriberFile(
            layout.platform,
            layout.encoding,
            people,
            lambda: min(raw.tell() / size, 1.0),
            reader.uses,
        )


def _people(reader: RowParser, table: Iterator[TableRow]) -> Iterator[SubscriberRow | TableRow]:
    for row in table:
        yield row if row.problem else reader.read(row.line, row.cells)


def _header(lines: Lines, name: str) -> tuple[list[str], str]:
    """The names of the columns (made up where the file begins with an address), and the delimiter.

    The header is the first row that names a column of addresses, or else the first row there is.
    """
    taken = _skip(lines, LOOK_AHEAD)
    lines.put_back(taken)
    filled = [at for at, line in enumerate(taken) if line.strip(" \t,;|\"'\ufeff")]
    told = _SEP.fullmatch(taken[filled[0]].strip().lstrip("\ufeff")) if filled else None
    filled = filled[1:] if told else filled
    if not filled:
        raise Refused(f"{name} is empty")
    for at in filled[:10]:
        for delimiter in told[1] if told else _delimiters(taken[at]):
            header, consumed = _first_row(taken[at:], delimiter)
            if platforms.find_positions(header, platforms.EMAIL):
                _skip(lines, at + consumed)
                return header, delimiter
        if "@" in taken[at]:
            break
    return _without_header(
        lines, taken[filled[0] :], filled[0], told[1] if told else _delimiters(taken[filled[0]])[0]
    )


def _without_header(
    lines: Lines, taken: list[str], skip: int, delimiter: str
) -> tuple[list[str], str]:
    """A header of other words, or none at all: the first row is a person's then, and stays unread."""
    first, consumed = _first_row(taken, delimiter)
    if any("@" in cell for cell in first):
        _skip(lines, skip)
        return [
            "email" if "@" in cell else "status" if is_status(cell) else "" for cell in first
        ], delimiter
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
    return next(read_rows(lines, delimiter, 0), TableRow(0, [])).cells, lines.number
