"""The result of a run of sending, and how its caller follows and stops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SendResult:
    """The deliveries of a run so far, by what became of them.

    `deferred` are tried again later; `problem` says why the run ended early.
    """

    sent: int = 0
    failed: int = 0
    deferred: int = 0
    cancelled: int = 0
    problem: str = ""

    def describe(self) -> str:
        """Say in a line what became of the run."""
        return f"{self.sent} sent, {self.failed} failed, {self.deferred} to be tried again"


Progress = Callable[[SendResult], None]
Stop = Callable[[], bool]


def never_stop() -> bool:
    """Let a run go on until its end."""
    return False


def ignore_progress(result: SendResult) -> None:
    """Show the progress of a run to nobody."""
