"""Count the outcomes of an import, row by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from newsletter.i18n import Text

PROBLEMS_SHOWN = 20
"""The most problems that are reported, the first ones."""


class RowResult(StrEnum):
    """The effect of a row."""

    NEW = "new"
    UPDATED = "updated"
    DUPLICATE = "duplicate"
    """It contains nothing new."""
    REJECTED = "rejected"


class RowStanding(StrEnum):
    """The status of a row's subscriber after the import."""

    ACTIVE = "active"
    PENDING = "pending"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """The result of a row; `standing` is None for a rejected one."""

    result: RowResult
    standing: RowStanding | None = None
    problem: str = ""


@dataclass(slots=True)
class ImportResult:
    """The result of an import or a dry run.

    rows = new + updated + duplicate + rejected, and rows = active + inactive + rejected, where
    inactive = pending + unsubscribed + suppressed. `silent` counts the rows that say nothing of
    consent; `problems` are the first ones, by line; `share` of the file is read, from 0 to 1.
    `tables` names those that were read if a file holds several, `passed_over` those that were not.
    `columns` says what became of each column, by its name.
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

    def count(self, line: int, outcome: RowOutcome) -> None:
        """Count a row by its result and its subscriber's status, and add its problem."""
        self.rows += 1
        self._add_one(outcome.result)
        if outcome.standing is not None:
            self._add_one(outcome.standing)
            self.inactive += outcome.standing is not RowStanding.ACTIVE
        if outcome.problem and len(self.problems) < PROBLEMS_SHOWN:
            problem: str = Text("line %(line)s: %(problem)s", line=line, problem=outcome.problem)
            if self.tables:
                problem = Text(
                    "%(table)s, line %(line)s: %(problem)s",
                    table=self.tables[-1],
                    line=line,
                    problem=outcome.problem,
                )
            self.problems.append(problem)

    def _add_one(self, name: RowResult | RowStanding) -> None:
        setattr(self, name.value, getattr(self, name.value) + 1)
