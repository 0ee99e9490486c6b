"""Create files with personal data so that only their owner can read them, whatever the umask."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from newsletter.errors import DatabaseError

PRIVATE = 0o600
"""The mode of files with personal data: read and write for the owner only."""
SIDE_FILES = ("-wal", "-shm", "-journal")
"""Suffixes of the files that SQLite creates beside a database, with the database's mode."""
NAME_AT_MOST = 200
"""The most bytes of a file's name in UTF-8: file systems allow 255, and a suffix may follow."""
_NO_NAME = re.compile(r"[^\w. -]+")


def open_private(file: Path, mode: str = "w") -> IO[Any]:
    """Open `file` for writing as `open` does; `x` refuses one that exists.

    What is an ordinary file is readable by its owner only before the first byte is in it. Raises
    `OSError`.
    """
    exclusive = os.O_EXCL if "x" in mode else os.O_TRUNC
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | exclusive, PRIVATE)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            # Another user's file that we may write keeps the mode its owner chose.
            with suppress(PermissionError):
                os.fchmod(descriptor, PRIVATE)
        binary = "b" in mode
        return os.fdopen(descriptor, "wb" if binary else "w", encoding=None if binary else "utf-8")
    except BaseException:
        os.close(descriptor)
        raise


def clean_name(named: str, *, otherwise: str) -> str:
    """Return a safe file name from an upload's name, without folders.

    The end is kept, with its ending; `otherwise` where nothing is left.
    """
    plain = _NO_NAME.sub("_", named.replace("\\", "/").rpartition("/")[2])
    return shorten_name(plain).strip(". ") or otherwise


def shorten_name(name: str) -> str:
    """Shorten a file name to `NAME_AT_MOST`, keeping its end."""
    return name.encode("utf-8", "replace")[-NAME_AT_MOST:].decode("utf-8", "ignore")


def write_private(file: Path, content: str | bytes) -> None:
    """Write a whole file that only its owner can read.

    Raises `OSError`.
    """
    with open_private(file, "wb") as out:
        out.write(content if isinstance(content, bytes) else content.encode())


def is_exposed(file: Path) -> bool:
    """Tell whether users other than its owner may read or write a file, if it exists."""
    try:
        return bool(file.stat().st_mode & 0o077)
    except OSError:
        return False


def list_side_files(database: Path) -> list[Path]:
    """List the files that SQLite may create beside `database`."""
    return [database.with_name(database.name + suffix) for suffix in SIDE_FILES]


def prepare_database(file: Path) -> None:
    """Create a missing SQLite database file, and refuse one that this user cannot write.

    SQLite would leave side files of this user, which lock the owner of the database out. An
    existing file is not opened: closing it would release the locks of this process (POSIX). Raises
    `DatabaseError`.
    """
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
        return
    except FileExistsError:
        pass
    except OSError as error:
        raise DatabaseError(f"{file} cannot be created: {error.strerror}") from None
    for part in (file, *list_side_files(file)):
        if part.exists() and not os.access(part, os.R_OK | os.W_OK, effective_ids=_EFFECTIVE):
            owner = _find_owner(file)
            hint = (
                f"run this command as {owner}"
                if part == file
                else f"give it to the owner of {file.name}: {owner}"
            )
            raise DatabaseError(
                f"{part} belongs to {_find_owner(part)} and cannot be written by this user",
                hint=hint,
            )


_EFFECTIVE = os.access in os.supports_effective_ids


def _find_owner(file: Path) -> str:
    try:
        return file.owner()
    except (KeyError, OSError, NotImplementedError):
        return "another user"
