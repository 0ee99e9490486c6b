"""The clock of a running worker is set, or its machine sleeps: it notices, and does what is due."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from newsletter.authoring.letter_file import parse_letter
from newsletter.clock_jumps import LOOK_SECONDS
from newsletter.db.session import transaction
from newsletter.models import Campaign
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from tests.crash.test_processes import server, start
from tests.fakes import Clock
from tests.people import add_list, add_reader
from tests.processes import finish
from tests.smtp.fault_server import FaultServer
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.processes, pytest.mark.any_database]

__all__ = ["server"]
LETTER = "---\nsubject: Slowly\n---\n\nA letter.\n"
STARTED = 0.8
IDLE = 0.05
"""Seconds of CPU: a worker has taken more until it ticks, and takes no more a second when idle."""


def write_letter(app: Flask, clock: Clock, after: timedelta) -> None:
    """Schedule a letter to one reader; somebody else is on another list."""
    with app.app_context():
        with transaction() as session:
            add_reader(session, add_list(session), "ana@example.com", now=clock.now)
            add_reader(session, add_list(session, "other"), "zoe@example.com", now=clock.now)
        letters.send_letter(
            app.extensions[EXTENSION], parse_letter(LETTER), "blog", send_at=clock.now + after
        )


class Worker:
    """A worker in a process whose clock can be set."""

    def __init__(self, app: Flask, server: FaultServer, folder: Path) -> None:
        self.file = folder / "clock"
        self.file.write_text("0")
        self.process = start(app, server, "worker", CLOCK_FILE=str(self.file))

    def set_clock(self, by: timedelta) -> None:
        """Move the clock of the process."""
        new = self.file.with_suffix(".new")
        new.write_text(str(by.total_seconds()))
        new.rename(self.file)

    def end(self) -> str:
        """End it, and return what it has logged."""
        self.process.send_signal(signal.SIGTERM)
        output = finish(self.process)
        assert self.process.returncode == 0, output
        return output


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str]) -> bool:
    until = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.1)
    return bool(condition())


def letters_to_ana(server: FaultServer) -> list[bytes]:
    """Return what the reader got; notices go to the author meanwhile."""
    return [data for _, to, data in server.accepted if to == "ana@example.com"]


def read_cpu(pid: int) -> float:
    """Return the seconds of CPU that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(process: subprocess.Popen[str]) -> None:
    """Wait until a worker has done all that was due at its start."""
    until = time.monotonic() + PATIENCE
    spent = 0.0
    while time.monotonic() < until:
        before = spent
        spent = read_cpu(process.pid)
        if spent > STARTED and spent - before <= IDLE:
            return
        time.sleep(1)
    raise AssertionError("the worker is not idle")


def test_r08_three_days_asleep(
    app: Flask, clock: Clock, server: FaultServer, tmp_path: Path
) -> None:
    write_letter(app, clock, timedelta(days=2))
    worker = Worker(app, server, tmp_path)
    wait_until_idle(worker.process)
    worker.process.send_signal(signal.SIGSTOP)
    worker.set_clock(timedelta(days=3))
    worker.process.send_signal(signal.SIGCONT)
    assert wait_until(lambda: letters_to_ana(server), worker.process)
    time.sleep(2 * LOOK_SECONDS)  # it looks at its clock so often
    output = worker.end()
    assert re.search(r"the clock jumped by \+259\d{3} s", output), output
    assert len(letters_to_ana(server)) == 1


def test_r06_the_clock_is_set_back(
    app: Flask, clock: Clock, server: FaultServer, tmp_path: Path
) -> None:
    write_letter(app, clock, timedelta(hours=1))
    worker = Worker(app, server, tmp_path)
    wait_until_idle(worker.process)
    worker.set_clock(timedelta(hours=-2))
    with app.app_context(), transaction() as session:
        moment = datetime.now(UTC) - timedelta(hours=2) + timedelta(seconds=8)
        session.execute(update(Campaign).values(scheduled_at=moment))
    assert wait_until(lambda: letters_to_ana(server), worker.process), "not two hours later"
    time.sleep(2 * LOOK_SECONDS)  # it looks at its clock so often
    output = worker.end()
    assert re.search(r"the clock jumped by -7\d{3} s", output), output
    assert len(letters_to_ana(server)) == 1
