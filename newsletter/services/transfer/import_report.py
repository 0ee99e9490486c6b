"""Count what an import did, row by row."""

from __future__ import annotations

from dataclasses import dataclass, field

PROBLEMS_SHOWN = 20
REJECTED, DUPLICATE, NEW, UPDATED = "rejected", "duplicate", "new", "updated"


@dataclass(slots=True)
class ImportResult:
    """What an import did, or would do.

    rows = new + updated + duplicate + rejected, and rows = active + inactive + rejected, where
    inactive = pending + unsubscribed + suppressed: what became of the person in the row.
    `silent`: rows that say nothing of consent. `problems`: the first, by line. `share` of the
    file is read, from 0 to 1. `tables`: the names of those that were read, where a file holds
    several; `passed_over`: of those that were not. `columns`: what became of each column, by its
    name.
    """

    platform: str = ""
    encoding: str = ""
    rows: int = 0
    new: int = 0
    updated: int = 0
    duplicate: int = 0
    rejected: int = 0
    silent: int = 0
    active: int = 0
    inactive: int = 0
    pending: int = 0
    unsubscribed: int = 0
    suppressed: int = 0
    share: float = 0.0
    problems: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    passed_over: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)

    def count(self, result: str, standing: str) -> None:
        """One row more: what was done with it, and what its person is now (empty where it was
        rejected).
        """
        self.rows += 1
        setattr(self, result, getattr(self, result) + 1)
        if standing:
            setattr(self, standing, getattr(self, standing) + 1)
            self.inactive += standing != "active"

    def problem(self, line: int, said: str) -> None:
        """Something a person should look at."""
        if len(self.problems) < PROBLEMS_SHOWN:
            where = f"{self.tables[-1]}, " if self.tables else ""
            self.problems.append(f"{where}line {line}: {said}")
