"""Describe why a database or its file cannot be used: locked, full, read-only, damaged."""

from __future__ import annotations

import errno
from pathlib import Path
from shutil import disk_usage

DISK_FULL_BELOW = 1_000_000
"""Octets of free space below which SQLite's "disk I/O error" means a full disk.

Its shared memory cannot grow then.
"""
_CAUSES = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_BUSY": "another process is writing to it",
    "SQLITE_LOCKED": "another process is writing to it",
    "SQLITE_READONLY": "its file or folder is read-only for this user",
    "SQLITE_CANTOPEN": "its file or folder cannot be opened by this user",
}
"""Causes by the prefix of the name of SQLite's error code."""
_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)


def describe_cause(error: BaseException | None, folder: Path | None = None) -> str:
    """Describe an error of a database driver or of the system in one line.

    SQLite may report a full disk as no more than "disk I/O error"; `folder` is where its file is.
    """
    if isinstance(error, OSError):
        cause = error.strerror or type(error).__name__
        return f"the disk is full ({cause})" if error.errno in _FULL_ERRORS else cause
    message = " ".join(str(error).split())[:200]
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_IOERR"):
        full = folder is not None and _is_full(folder)
        cause = "the disk is full" if full else "the disk, or its quota, refuses"
        return f"{cause} ({message})"
    for beginning, cause in _CAUSES.items():
        if name.startswith(beginning):
            return f"{cause} ({message})"
    return message


def _is_full(folder: Path) -> bool:
    try:
        return disk_usage(folder).free < DISK_FULL_BELOW
    except OSError:
        return False
