"""Extract the tables of a ZIP archive, or the sheets of an Excel workbook, as files.

The files are in a folder that only this user can read, and that is deleted afterwards. The amount
of data that is extracted is limited; the sizes that an archive states are not trusted.
"""

from __future__ import annotations

import csv
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from newsletter.errors import Refused
from newsletter.files import clean_name
from newsletter.i18n import Text
from newsletter.import_formats.zip_directory import MEMBERS_AT_MOST, open_archive, refuse_members

BYTES_AT_MOST = 2 << 30
WORDS_AT_MOST = 128 << 20
"""Bytes of a workbook besides its sheets: its table of shared strings is read into memory."""
TIMES_AT_MOST = 100
FLOOR = 16 << 20
"""Bytes that a file may unpack to, however small it is; a larger file may unpack to `TIMES_AT_MOST`
times its size. CSV and the XML of workbooks shrink to a tenth, seldom to a fiftieth; what shrinks
to a thousandth was made to keep this program busy."""
CELLS_IN_ALL = 20_000_000
"""Cells of a workbook, including empty ones: a row whose only cell is in the last column counts as
16,384."""
EMPTY_ROW = 10
"""Cells that an empty row counts as: a single cell in the last row of a sheet makes a million empty
rows."""
FILLED_AT_LEAST = 1_000_000
FILLED_PER_BYTE = 2
"""Filled cells per byte of the file that are read, and at least `FILLED_AT_LEAST`: a million take
about five seconds, and a real workbook needs five bytes for one."""
SHEETS_AT_MOST = 50
ROWS_AT_MOST = 1 << 20
"""Rows of a sheet: Excel holds no more."""
CELLS_AT_MOST = 500
"""Cells of a row that are read: no export has so many columns."""

NAME_AT_MOST = 80

_ZIP = b"PK\x03\x04"
_TABLES = (".csv", ".tsv", ".txt", ".xlsx")
_WORKBOOK = "xl/workbook.xml"
_SHEETS = "xl/worksheets/"
_CHUNK = 1 << 20
_NO_NAME = re.compile(r"[^\w. -]+")
_SAVE = "save the sheet with the addresses as CSV UTF-8"


@contextmanager
def unpack(file: Path) -> Iterator[list[Path]]:
    """Yield the tables in `file`: the file itself if it is not an archive.

    Raises `Refused` for a file that cannot be unpacked.
    """
    try:
        with file.open("rb") as raw:
            packed = raw.read(4) == _ZIP
    except OSError as error:
        raise Refused(
            Text("%(name)s cannot be read: %(reason)s", name=file.name, reason=error.strerror)
        ) from None
    if not packed:
        yield [file]
        return
    with TemporaryDirectory(prefix="newsletter-") as folder:
        try:
            inside = list(_unpack_members(file, Path(folder)))
        except OSError as error:
            raise Refused(
                Text(
                    "%(name)s cannot be unpacked: %(reason)s",
                    name=file.name,
                    reason=error.strerror,
                ),
                hint=Text("into %(folder)s", folder=folder),
            ) from None
        yield inside


def _unpack_members(file: Path, folder: Path) -> Iterator[Path]:
    with open_archive(file) as archive:
        if _WORKBOOK in archive.namelist():
            yield from _write_sheets(file, archive, folder)
            return
        room = _measure_room(file)
        for number, member in enumerate(_list_tables(file, archive)):
            name = clean_name(member.filename[-NAME_AT_MOST:], otherwise="table")
            table = folder / str(number) / name
            table.parent.mkdir()
            room -= _extract(file, archive, member, table, room)
            if table.suffix.lower() != ".xlsx":
                yield table
            elif zipfile.is_zipfile(table):
                with open_archive(table) as inner:
                    yield from _write_sheets(table, inner, table.parent)


def _measure_room(file: Path) -> int:
    """Return the number of bytes that a file may unpack to."""
    return min(BYTES_AT_MOST, max(FLOOR, file.stat().st_size * TIMES_AT_MOST))


def _list_tables(file: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the members of an archive that may be tables, without hidden files that macOS adds."""
    members = archive.infolist()
    if len(members) > MEMBERS_AT_MOST:
        raise refuse_members(file, f"{len(members):,}")
    return [
        member
        for member in members
        if member.filename.lower().endswith(_TABLES)
        and not member.filename.startswith("__MACOSX/")
        and not Path(member.filename).name.startswith(".")
    ]


_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    ValueError,
)
"""Exceptions that decompressors raise for damaged data."""


def _extract(
    file: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, room: int
) -> int:
    """Extract one member of an archive, and return its length.

    Raises `Refused` if there is no `room` for it.
    """
    if member.flag_bits & 0x1:
        raise Refused(
            Text("%(name)s is locked by a password", name=file.name), hint=Text("unpack it first")
        )
    try:
        with archive.open(member) as packed, to.open("wb") as out:
            return _copy(file, packed, out, room)
    except _DAMAGED:
        hint = Text(
            "it is damaged, or packed in an unusual way: unpack it and give the file inside"
        )
        raise Refused(
            Text(
                "%(name)s: %(filename)s cannot be unpacked",
                name=file.name,
                filename=member.filename,
            ),
            hint=hint,
        ) from None


def _copy(file: Path, packed: IO[bytes], out: IO[bytes], room: int) -> int:
    length = 0
    while chunk := _read(packed):
        length += len(chunk)
        if length > room:
            raise Refused(
                Text("%(name)s holds far more than its size", name=file.name),
                hint=Text("unpack it first"),
            )
        out.write(chunk)
    return length


def _read(packed: IO[bytes]) -> bytes:
    """Read a chunk of a member; translate the `OSError` that bz2 raises for damaged data."""
    try:
        return packed.read(_CHUNK)
    except OSError as error:
        raise zipfile.BadZipFile from error


# ── workbooks
# ──────────────────────────────────────────────────────────────────────────────────────


def _write_sheets(file: Path, archive: zipfile.ZipFile, folder: Path) -> Iterator[Path]:
    """Yield each visible sheet of a workbook as a CSV file whose lines are its rows."""
    sizes = {
        member.filename: member.file_size for member in archive.infolist()
    }  # zipfile reads no more than they say
    words = sum(size for name, size in sizes.items() if not name.startswith(_SHEETS))
    if sum(sizes.values()) > _measure_room(file) or words > WORDS_AT_MOST:
        raise Refused(
            Text("%(name)s is too large to be read as a workbook", name=file.name), hint=_SAVE
        )
    import openpyxl  # only for this: a tenth of a second

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of colours and forms that mean nothing here
            budget = _Budget(file)
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            for number, sheet in enumerate(book.worksheets[:SHEETS_AT_MOST], 1):
                if sheet.sheet_state == "visible" and hasattr(sheet, "reset_dimensions"):
                    budget.open_sheet(
                        sizes.get(str(getattr(sheet, "_worksheet_path", "")).lstrip("/"), 0)
                    )
                    name = f"sheet {number} ({_NO_NAME.sub('_', sheet.title)[:NAME_AT_MOST]})"
                    yield from _write_sheet(sheet, folder / name, budget)
    except (Refused, GeneratorExit):
        raise
    except Exception:  # whatever a hostile or broken one makes of the library
        raise Refused(
            Text("%(name)s cannot be read as a workbook", name=file.name), hint=_SAVE
        ) from None


class _Budget:
    """The bytes, cells and characters of a workbook that may still be read."""

    def __init__(self, file: Path) -> None:
        self._name = file.name
        self._bytes = self._characters = _measure_room(file)
        self._cells = CELLS_IN_ALL
        self._filled = FILLED_AT_LEAST + FILLED_PER_BYTE * file.stat().st_size

    def open_sheet(self, size: int) -> None:
        """Deduct a sheet of `size` bytes from the budget.

        Several sheets may be the same member of the archive.
        """
        self._bytes -= size
        self._check()

    def spend(self, width: int, cells: list[str]) -> None:
        """Deduct a row that claims to be `width` cells wide from the budget.

        Raises `Refused` if the budget is exceeded.
        """
        self._cells -= width or EMPTY_ROW
        self._filled -= len(cells)
        self._characters -= sum(map(len, cells))
        self._check()

    def _check(self) -> None:
        if min(self._bytes, self._cells, self._filled, self._characters) < 0:
            raise Refused(
                Text("%(name)s is too large to be read as a workbook", name=self._name), hint=_SAVE
            )


def _write_sheet(sheet: Any, to: Path, budget: _Budget) -> Iterator[Path]:
    """Write a sheet to a file, and yield the file unless the sheet is empty."""
    sheet.reset_dimensions()  # what a sheet says of its size is not believed
    filled = False
    with to.open("w", encoding="utf-8", newline="") as out:
        write = csv.writer(out, lineterminator="\n").writerow
        for row in islice(sheet.iter_rows(values_only=True), ROWS_AT_MOST):
            cells = [_write_cell(cell) for cell in _drop_empty_end(row[:CELLS_AT_MOST])]
            filled = filled or any(cells)
            budget.spend(len(row), cells)
            write(cells)
    if filled:
        yield to


def _drop_empty_end(row: tuple[object, ...]) -> tuple[object, ...]:
    last = next((length for length in range(len(row), 0, -1) if row[length - 1] is not None), 0)
    return row[:last]


def _write_cell(cell: object) -> str:
    """Return a cell's value as the text that a program would have exported."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return " ".join(str(cell).splitlines())
