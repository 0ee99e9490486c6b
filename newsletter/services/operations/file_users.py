"""Find the processes that have a file open, before it is replaced."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
COMMAND_AT_MOST = 120
_LOCK = re.compile(r"\d+:\s+\w+\s+\w+\s+\w+\s+(\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s")

Inode = tuple[int, int]


@dataclass(frozen=True, order=True, slots=True)
class FileUser:
    """A process that has the file open or locked."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})" if self.command else f"process {self.pid}"


def find_users(files: Iterable[Path]) -> list[FileUser]:
    """Return the other processes that have one of `files` open or locked, by pid.

    The files of another user's processes are visible to root only, their locks to everybody.
    Systems without /proc show none.
    """
    inodes = {(stat.st_dev, stat.st_ino): file.name for file, stat in _read_stats(files)}
    pids = {*_find_openers(inodes), *_find_lockers(inodes)} - {os.getpid()}
    return sorted(FileUser(pid, read_command(pid)) for pid in pids if (PROC / str(pid)).exists())


def is_open_here(file: Path) -> bool:
    """Tell whether this process itself has `file` open."""
    inodes = {(stat.st_dev, stat.st_ino): file.name for file, stat in _read_stats([file])}
    try:
        links = list((PROC / "self" / "fd").iterdir())
    except OSError:
        return False
    return any(_leads_to(link, inodes, set(inodes.values())) for link in links)


def _read_stats(files: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    for file in files:
        try:
            yield file, file.stat()
        except OSError:
            continue


def _find_openers(inodes: dict[Inode, str]) -> Iterator[int]:
    names = set(inodes.values())
    for process in PROC.glob("[0-9]*"):
        try:
            links = list((process / "fd").iterdir())
        except OSError:  # another user's, or gone
            continue
        if any(_leads_to(link, inodes, names) for link in links):
            yield int(process.name)


def _leads_to(link: Path, inodes: dict[Inode, str], names: set[str]) -> bool:
    try:
        if (
            link.readlink().name not in names
        ):  # nothing else is touched: a dead network share would block
            return False
        stat = link.stat()
    except OSError:
        return False
    return (stat.st_dev, stat.st_ino) in inodes


def _find_lockers(inodes: dict[Inode, str]) -> Iterator[int]:
    try:
        lines = (PROC / "locks").read_text().splitlines()
    except OSError:
        return
    devices = {(os.major(device), os.minor(device), inode) for device, inode in inodes}
    for line in lines:
        if match := _LOCK.match(line):
            pid, major, minor, inode = match.groups()
            if (int(major, 16), int(minor, 16), int(inode)) in devices:
                yield int(pid)


def read_command(pid: int) -> str:
    """Return the command line of a process, shortened for messages.

    Return "" if it cannot be read.
    """
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    line = " ".join(word.decode("utf-8", "replace") for word in words).strip()
    return "".join(letter for letter in line if letter.isprintable())[:COMMAND_AT_MOST]
