"""Watch what the whole suite logs: no address, no token and no subject of a campaign.

Every line is looked at in both formats: as it is written, or after the test, where a process that
the tests started wrote it (tests/children/sitecustomize.py). The program's own formatters mask
addresses; what gets past them fails the test that logged it.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from sqlalchemy import event

from newsletter.logs import JsonFormatter, TextFormatter
from newsletter.models import Campaign

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*[a-z]", re.I)
TOKEN = re.compile(
    r"[\w-]{4,}(?:\.[\w-]{1,12}){0,3}\.(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{32}(?![\w-])"
    r"|\b(?:nlt|whsec)_[\w-]{16,}"
)
"""A link's token (a payload, perhaps its time, and a MAC of 24 bytes), or a program's."""
SHORTEST_SUBJECT = 8
"""Shorter subjects (`Hello`) are words that a line may have for itself."""


def find_private(line: str, subjects: set[str]) -> str:
    """Return what a line of the log should not hold, "" if there is nothing."""
    match = ADDRESS.search(line) or TOKEN.search(line)
    if match:
        return match[0]
    return next((subject for subject in subjects if subject in line), "")


class LogGuard(logging.Handler):
    """Looks at each record of the program's own loggers as operators would see it.

    Processes that the tests start write theirs to files in `folder`.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.faults: list[str] = []
        self.subjects: set[str] = set()
        self._read: dict[Path, int] = {}
        self._formatters = (TextFormatter(), JsonFormatter())
        event.listen(Campaign.subject, "set", self._remember)

    def _remember(self, _target: object, value: Any, *_: object) -> None:
        if isinstance(value, str) and len(value) >= SHORTEST_SUBJECT:
            self.subjects.add(value)

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one record."""
        for formatter in self._formatters:
            self._look_at(formatter.format(record))

    def _look_at(self, line: str) -> None:
        if private := find_private(line, self.subjects):
            self.faults.append(f"{private!r} is in the log: {line}")

    def _look_at_children(self) -> None:
        """Look at whole lines that other processes wrote since the last time."""
        for file in self.folder.glob("*.log"):
            with file.open("rb") as stream:
                stream.seek(self._read.get(file, 0))
                lines, end, _ = stream.read().rpartition(b"\n")
            self._read[file] = self._read.get(file, 0) + len(lines + end)
            for line in lines.decode("utf-8").splitlines():
                self._look_at(line)

    def take(self) -> list[str]:
        """Return what was found since the last call, and begin anew."""
        self._look_at_children()
        faults = self.faults
        self.faults = []
        self.subjects.clear()
        return faults
