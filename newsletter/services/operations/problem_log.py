"""Log a problem of several jobs, such as a locked database, once."""

from __future__ import annotations

import logging


class ProblemLog:
    """The current problem of each job; a problem that several jobs share is logged once."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._problems: dict[str, str] = {}

    def note(self, work: str, problem: str) -> None:
        """Record the problem of the job `work`, and log it unless another job has the same one."""
        if problem not in self._problems.values():
            self._log.error("%s: %s", work, problem)
        self._problems[work] = problem

    def forget(self, work: str) -> None:
        """Record that the job `work` has no problem any more."""
        self._problems.pop(work, None)
