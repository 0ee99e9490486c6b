"""What is inside a file that is no table of text itself: the tables in a ZIP archive, the sheets of an Excel workbook.

They are laid out as files in a folder that only this user can read, and that is gone afterwards. How much comes out of
a file is limited; what it says of its own size is not believed.
"""

from __future__ import annotations

import csv
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from newsletter.errors import Refused

BYTES_AT_MOST = 2 << 30
WORDS_AT_MOST = 128 << 20
"""A workbook's table of words is read into memory, as all of it is but its sheets;"""
MEMBERS_AT_MOST = 5000
SHEETS_AT_MOST = 50
ROWS_AT_MOST, CELLS_AT_MOST = 1 << 20, 500
"""and a sheet has no more rows than Excel can hold."""

NAME_AT_MOST = 80

_ZIP = b"PK\x03\x04"
_TABLES = (".csv", ".tsv", ".txt", ".xlsx")
_WORKBOOK, _SHEETS = "xl/workbook.xml", "xl/worksheets/"
_CHUNK = 1 << 20
_NO_NAME = re.compile(r"[^\w. -]+")
_SAVE = "save the sheet with the addresses as CSV UTF-8"


@contextmanager
def unpacked(file: Path) -> Iterator[list[Path]]:
    """The tables in `file`: itself, where it is no archive. Raises `Refused` for what cannot be unpacked."""
    try:
        with file.open("rb") as raw:
            packed = raw.read(4) == _ZIP
    except OSError as error:
        raise Refused(f"{file.name} cannot be read: {error.strerror}") from None
    if not packed:
        yield [file]
        return
    with TemporaryDirectory(prefix="newsletter-") as folder:
        try:
            inside = list(_inside(file, Path(folder)))
        except OSError as error:
            raise Refused(f"{file.name} cannot be unpacked: {error.strerror}", hint=f"into {folder}") from None
        yield inside


def _inside(file: Path, folder: Path) -> Iterator[Path]:
    with _archive(file) as archive:
        if _WORKBOOK in archive.namelist():
            yield from _sheets(file, archive, folder)
            return
        room = BYTES_AT_MOST
        for number, member in enumerate(_tables(file, archive)):
            found = folder / str(number) / _NO_NAME.sub("_", Path(member.filename).name)[-NAME_AT_MOST:]
            found.parent.mkdir()
            room -= _extract(file, archive, member, found, room)
            if found.suffix.lower() != ".xlsx":
                yield found
            elif zipfile.is_zipfile(found):
                with _archive(found) as inner:
                    yield from _sheets(found, inner, found.parent)


def _archive(file: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise Refused(f"{file.name} is a ZIP archive that is damaged or cut off", hint="download it again") from None


def _tables(file: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Its members that may be tables; without what a Mac adds to each."""
    members = archive.infolist()
    if len(members) > MEMBERS_AT_MOST:
        raise Refused(f"{file.name} holds {len(members):,} files", hint="unpack it, and import the one you mean")
    return [
        each for each in members
        if each.filename.lower().endswith(_TABLES)
        and not each.filename.startswith("__MACOSX/")
        and not Path(each.filename).name.startswith(".")
    ]  # fmt: skip


def _extract(file: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, room: int) -> int:
    """Writes one member out, and says how long it is. Raises `Refused` where there is no `room` for it."""
    if member.flag_bits & 0x1:
        raise Refused(f"{file.name} is locked by a password", hint="unpack it first")
    try:
        with archive.open(member) as packed, to.open("wb") as out:
            return _copy(file, packed, out, room)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise Refused(f"{file.name}: {member.filename} cannot be unpacked", hint=str(error)) from None


def _copy(file: Path, packed: IO[bytes], out: IO[bytes], room: int) -> int:
    length = 0
    while chunk := packed.read(_CHUNK):
        length += len(chunk)
        if length > room:
            raise Refused(f"{file.name} holds more than {BYTES_AT_MOST >> 30} GB", hint="unpack it first")
        out.write(chunk)
    return length


# ── workbooks ──────────────────────────────────────────────────────────────────────────────────────


def _sheets(file: Path, archive: zipfile.ZipFile, folder: Path) -> Iterator[Path]:
    """Each visible sheet of a workbook as a CSV file; the number of a line is that of its row."""
    sizes = {each.filename: each.file_size for each in archive.infolist()}  # zipfile reads no more than they say
    words = sum(size for name, size in sizes.items() if not name.startswith(_SHEETS))
    if sum(sizes.values()) > BYTES_AT_MOST or words > WORDS_AT_MOST:
        raise Refused(f"{file.name} is too large to be read as a workbook", hint=_SAVE)
    import openpyxl  # only for this: a tenth of a second

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of colours and forms that mean nothing here
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            for number, sheet in enumerate(book.worksheets[:SHEETS_AT_MOST], 1):
                if sheet.sheet_state == "visible" and hasattr(sheet, "reset_dimensions"):
                    yield from _sheet(
                        sheet, folder / f"sheet {number} ({_NO_NAME.sub('_', sheet.title)[:NAME_AT_MOST]})"
                    )
    except (Refused, GeneratorExit):
        raise
    except Exception:  # whatever a hostile or broken one makes of the library
        raise Refused(f"{file.name} cannot be read as a workbook", hint=_SAVE) from None


def _sheet(sheet: Any, to: Path) -> Iterator[Path]:
    """A sheet written out; none where nothing is in it."""
    sheet.reset_dimensions()  # what a sheet says of its size is not believed
    filled, room = False, BYTES_AT_MOST
    with to.open("w", encoding="utf-8", newline="") as out:
        write = csv.writer(out, lineterminator="\n").writerow
        for row in islice(sheet.iter_rows(values_only=True), ROWS_AT_MOST):
            cells = [_text(cell) for cell in row[:CELLS_AT_MOST]]
            filled = filled or any(cells)
            room -= sum(map(len, cells))
            if room < 0:  # a few words, each in a million cells
                raise Refused(f"{to.name} holds more than {BYTES_AT_MOST >> 30} GB", hint=_SAVE)
            write(cells)
    if filled:
        yield to


def _text(cell: object) -> str:
    """A cell as a program would have exported it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return " ".join(str(cell).splitlines())
