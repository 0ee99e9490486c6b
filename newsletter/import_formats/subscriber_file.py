"""Open a subscriber file: find its tables, detect their formats, and yield their rows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import TextIOWrapper
from itertools import islice
from pathlib import Path

from newsletter.errors import Refused
from newsletter.i18n import Text
from newsletter.import_formats import column_names, platforms
from newsletter.import_formats.archive import unpack
from newsletter.import_formats.header import (
    LOOK_AHEAD,
    list_columns,
    quote_cell,
    read_header,
    skip_lines,
)
from newsletter.import_formats.own_columns import OUR_SIGN
from newsletter.import_formats.platforms import BY_NAME, CSV, OURS, Platform
from newsletter.import_formats.row import RowParser
from newsletter.import_formats.table import Lines, TableRow, detect_encoding, read_rows
from newsletter.import_formats.types import SubscriberRow
from newsletter.stored_texts import Stored

UNCLEAR_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SubscriberFile:
    """A table of subscribers that is open for reading.

    `people` yields each row as a `SubscriberRow`, or as a `TableRow` with its problem. `share`
    returns the part of the file that was read, from 0 to 1. `uses` maps the name of each column to
    its use. `name` is the table's name in a file with several tables, and `passed_over` names the
    tables that are not read.
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
    """The layout of a table; its first row comes after `start` lines."""

    encoding: str
    header: list[str]
    delimiter: str
    start: int
    platform: Platform
    email_at: int


@dataclass(frozen=True, slots=True)
class _Survey:
    """The result of a first pass over all rows of a table.

    `bad` counts the rows that break RFC 4180 or have a wrong number of cells. `escapes`: a row has
    a backslash before a quotation mark. `unclear`: messages about opt-outs that are not understood.
    """

    bad: int
    escapes: bool
    unclear: tuple[str, ...]


def open_tables(
    file: Path, platform: str | None = None, choices: Mapping[str, str] | None = None
) -> Generator[SubscriberFile]:
    """Yield the tables of subscribers in a file.

    These are the file itself, or tables in a ZIP archive or a workbook. Raises `Refused`, before
    any row is read, for a file without a table, and for an opt-out that is not understood.
    """
    with unpack(file) as inside:
        chosen = inside if inside == [file] else _choose(file, inside)
        others = tuple(part.name for part in inside if part not in chosen)
        total = max(sum(part.stat().st_size for part in chosen), 1)
        before = 0
        layouts = [_lay_out(part, platform) for part in chosen]
        _require_columns(
            file, choices or {}, [title for layout in layouts for title in layout.header]
        )
        surveyed = [
            _prepare(part, layout, choices or {})
            for part, layout in zip(chosen, layouts, strict=True)
        ]
        for part, layout, (parser, escaped) in zip(chosen, layouts, surveyed, strict=True):
            with _open_rows(part, layout, parser, escaped=escaped) as table:
                yield replace(
                    table,
                    name=part.name if len(inside) > 1 else "",
                    passed_over=others,
                    share=_scale_share(table.share, before / total, part.stat().st_size / total),
                )
            before += part.stat().st_size


def _scale_share(share: Callable[[], float], before: float, weight: float) -> Callable[[], float]:
    return lambda: min(before + share() * weight, 1.0)


def _choose(file: Path, inside: list[Path]) -> list[Path]:
    """Choose the tables of an archive or workbook that hold subscribers.

    These are all tables of known programs, or else the only one with addresses: an archive may
    contain other addresses (who opened which mail), so the author must choose between unknown
    tables. In a workbook, the first sheet with addresses is chosen.
    """
    known: list[Path] = []
    others: list[Path] = []
    for table in inside:
        with suppress(Refused):
            layout = _lay_out(table, None)
            (others if layout.platform.name == CSV else known).append(table)
    if not known and not others:
        raise Refused(
            Text("%(name)s holds no table with a column of addresses", name=file.name),
            hint=Text("export the subscribers as CSV"),
        )
    if (
        not known and len({table.parent for table in others}) > 1
    ):  # the sheets of one workbook lie together
        names = ", ".join(table.name for table in others[:5])
        raise Refused(
            Text(
                "%(name)s holds several tables of addresses: %(names)s", name=file.name, names=names
            ),
            hint=Text("import the one you mean alone"),
        )
    return known or others[:1]


@contextmanager
def open_subscriber_file(
    file: Path, platform: str | None = None, choices: Mapping[str, str] | None = None
) -> Iterator[SubscriberFile]:
    """Open a subscriber file.

    `platform` is the platform that the author named, if any; `choices` are their choices for
    columns.

    Raises `Refused` for a file without a table that has an address column, or with an opt-out that
    is not understood.
    """
    layout = _lay_out(file, platform)
    _require_columns(file, choices or {}, layout.header)
    parser, escaped = _prepare(file, layout, choices or {})
    with _open_rows(file, layout, parser, escaped=escaped) as table:
        yield table


def _prepare(file: Path, layout: _Layout, choices: Mapping[str, str]) -> tuple[RowParser, bool]:
    """Read a whole table once before its import, to choose its dialect and check its columns.

    One dialect is chosen for the whole file: RFC 4180, unless more rows are valid with backslash
    escapes.
    """
    parser = RowParser(
        layout.platform, layout.header, layout.email_at, file=file.name, choices=choices
    )
    escaped = False
    survey = _survey(file, layout, parser, escaped=escaped)
    if survey.bad and survey.escapes and layout.platform.name != OURS:
        other = _survey(file, layout, parser, escaped=True)
        if other.bad < survey.bad:
            survey = other
            escaped = True
    if survey.unclear:
        raise Refused(
            Text(
                "%(name)s: %(problems)s", name=file.name, problems=Stored("; ".join(survey.unclear))
            ),
            hint=Text(
                "nothing was imported; write yes or no there, or say what the column means: "
                "--column NAME=ignore, or --column NAME=opt-out where any text in it is an "
                "opt-out"
            ),
        )
    return parser, escaped


def _require_columns(file: Path, choices: Mapping[str, str], header: Sequence[str]) -> None:
    """Raise `Refused` if an author's choice names a column that no table has.

    The name is probably misspelt, and the author relies on the choice.
    """
    names = set(map(column_names.normalize_name, header))
    if missing := [name for name in choices if name not in names]:
        raise Refused(
            Text("%(name)s has no column %(missing)s", name=file.name, missing=f"{missing[0]!r}"),
            hint=Text("its columns: %(columns)s", columns=list_columns(header)),
        )


def _lay_out(file: Path, platform_name: str | None) -> _Layout:
    """Detect the layout of a table. Raises `Refused` if no column holds addresses."""
    name_of_encoding = detect_encoding(file)
    with file.open("rb") as raw, TextIOWrapper(raw, name_of_encoding, errors="replace") as text:
        lines = Lines(text)
        header, delimiter = read_header(lines, file.name)
        start = lines.number
        sample = [row.cells for row in islice(read_rows(lines, delimiter, len(header)), LOOK_AHEAD)]
    platform = BY_NAME[platform_name] if platform_name else platforms.recognize_platform(header)
    email_at = platforms.find_email_position(header, sample)
    if email_at is None:
        raise Refused(
            Text(
                "%(name)s has no column of addresses; its columns: %(columns)s",
                name=file.name,
                columns=list_columns(header),
            ),
            hint=Text("name it `email` in the first line"),
        )
    if platform.name == OURS and (
        missing := OUR_SIGN - set(map(column_names.normalize_name, header))
    ):
        raise Refused(
            Text(
                "%(name)s is no export of this program: it has no column %(names)s",
                name=file.name,
                names=", ".join(sorted(missing)),
            ),
            hint=Text("leave out --from, or say --from csv"),
        )
    return _Layout(name_of_encoding, header, delimiter, start, platform, email_at)


def _survey(file: Path, layout: _Layout, parser: RowParser, *, escaped: bool) -> _Survey:
    bad = 0
    escapes = False
    unclear: dict[str, str] = {}
    with file.open("rb") as raw, TextIOWrapper(raw, layout.encoding, errors="replace") as text:
        lines = Lines(text)
        skip_lines(lines, layout.start)
        for row in read_rows(lines, layout.delimiter, len(layout.header), escaped=escaped):
            bad += bool(row.problem) or row.loose or len(row.cells) != len(layout.header)
            whole = len(row.cells) <= len(layout.header)
            if whole:
                parser.learn(row.cells)
            cell = parser.find_unclear(row.cells) if whole else None
            if cell and cell[0] not in unclear and len(unclear) < UNCLEAR_SHOWN:
                unclear[cell[0]] = _tell_unclear(row.line, *cell)
        escapes = lines.escapes
    return _Survey(bad, escapes, tuple(unclear.values()))


def _tell_unclear(line: int, title: str, text: str) -> str:
    """Return where a cell is that cannot be understood, and its text, without the address."""
    return Text(
        "line %(line)s: %(value)s in the column %(column)s is not understood",
        line=line,
        value=quote_cell(text, limit=30),
        column=quote_cell(title),
    )


@contextmanager
def _open_rows(
    file: Path, layout: _Layout, parser: RowParser, *, escaped: bool
) -> Iterator[SubscriberFile]:
    with file.open("rb") as raw, TextIOWrapper(raw, layout.encoding, errors="replace") as text:
        lines = Lines(text)
        skip_lines(lines, layout.start)
        size = max(file.stat().st_size, 1)
        people = _read_people(
            parser, read_rows(lines, layout.delimiter, len(layout.header), escaped=escaped)
        )
        yield SubscriberFile(
            layout.platform,
            layout.encoding,
            people,
            lambda: min(raw.tell() / size, 1.0),
            parser.uses,
        )


def _read_people(
    parser: RowParser, table: Iterator[TableRow]
) -> Iterator[SubscriberRow | TableRow]:
    for row in table:
        yield row if row.problem else parser.read(row.line, row.cells)
