"""The result of a sending run, and the types of its callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SendResult:
    """The number of deliveries of a run so far, by outcome.

    `deferred` are tried again later; `problem` says why the run ended early.
    """

    sent: int = 0
    failed: int = 0
    deferred: int = 0
    cancelled: int = 0
    problem: str = ""

    def describe(self) -> str:
        """Describe the result of the run in one line."""
        return f"{self.sent} sent, {self.failed} failed, {self.deferred} to be tried again"


Progress = Callable[[SendResult], None]
Stop = Callable[[], bool]


def never_stop() -> bool:
    """Return False: the default `stop`, which never ends a run early."""
    return False


def ignore_progress(result: SendResult) -> None:
    """Do nothing: the default callback for progress."""
