"""Open a ZIP archive, unless its list of files is too long to be read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from newsletter.errors import Refused
from newsletter.i18n import Text

MEMBERS_AT_MOST = 5000
DIRECTORY_AT_MOST = 4 << 20
"""Bytes of an archive's list of files, which are 800 for each of `MEMBERS_AT_MOST` files."""


@contextmanager
def open_archive(file: Path) -> Iterator[zipfile.ZipFile]:
    """Open a ZIP archive with a list of files of limited length.

    Raises `Refused` if it is damaged, or lists too many files.
    """
    with ExitStack() as opened:
        try:
            source = opened.enter_context(_BoundedFile(file))
            archive = opened.enter_context(zipfile.ZipFile(source))
        except _TooLong:
            raise refuse_members(file, f"{MEMBERS_AT_MOST:,}+") from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            raise Refused(
                Text("%(name)s is a ZIP archive that is damaged or cut off", name=file.name),
                hint=Text("download it again"),
            ) from None
        yield archive


class _TooLong(Exception):
    """A read of more bytes at once than the longest list of files has."""


class _BoundedFile(io.FileIO):
    """A file that refuses to read more bytes at once than an archive's list of files may have.

    `zipfile` reads the list at once, whatever length it states, and creates an object for each
    entry, which takes ten times as much memory.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._length = file.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, or all that are left. Raises `_TooLong`."""
        length = size if size is not None and size >= 0 else self._length - self.tell()
        if length > DIRECTORY_AT_MOST:
            raise _TooLong
        return super().read(length) or b""


def refuse_members(file: Path, members: str) -> Refused:
    """Return the error for an archive that holds too many files."""
    return Refused(
        Text("%(name)s holds %(members)s files", name=file.name, members=members),
        hint=Text("unpack it, and import the one you mean"),
    )
