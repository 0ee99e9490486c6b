"""Log a problem that several kinds of work meet at once, such as a locked database, one time."""

from __future__ import annotations

import logging


class ProblemLog:
    """The problem that each kind of work has now; one that all share is one line in the log."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._problems: dict[str, str] = {}

    def note(self, work: str, problem: str) -> None:
        """Keep the problem of `work`, and log it unless some work has the same one already."""
        if problem not in self._problems.values():
            self._log.error("%s: %s", work, problem)
        self._problems[work] = problem

    def forget(self, work: str) -> None:
        """Record that `work` has no problem any more."""
        self._problems.pop(work, None)
