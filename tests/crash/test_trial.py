"""The trial: a letter through a server that fails one in ten, its workers killed again and again.

`make trial` runs it as large as it is judged, ten times for each number of workers and database;
without its variables it is small and runs once.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from flask import Flask

from tests.crash.test_processes import (
    CONNECTIONS,
    accepted_for_readers,
    campaign,
    check_everybody,
    pass_time,
    server,
    start,
    totals,
)
from tests.fakes import Clock
from tests.processes import finish
from tests.smtp.fault_server import Conversation, FaultServer
from tests.waiting import PATIENCE

pytestmark = pytest.mark.processes

__all__ = ["campaign", "server"]
READERS = int(os.environ.get("TRIAL_READERS", "120"))
KILLS = int(os.environ.get("TRIAL_KILLS", "3"))
RUNS = int(os.environ.get("TRIAL_RUNS", "1"))
ROUNDS_AT_MOST = 30
"""Runs of the workers, undisturbed, in which everything must be settled."""
TAKEN = "taken, no answer"
Workers = list[subprocess.Popen[str]]


@pytest.fixture
def readers() -> int:
    """Return how many get the letter."""
    return READERS


@dataclass
class Failures:
    """Faults of the server: each of four kinds strikes one message in forty."""

    dice: random.Random
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> int:
        """Count the messages that were taken and not answered for: these come again."""
        return self.struck[TAKEN]

    def strike(self, kind: str) -> bool:
        """Tell whether a message fails in this way, and count it."""
        strikes = self.dice.random() < 1 / 40
        self.struck[kind] += strikes
        return strikes

    def answer_recipient(self, talk: Conversation, line: str) -> bytes | None:
        """Refuse a recipient for now, or hang up."""
        if self.strike("refused"):
            return b"451 4.3.0 Temporary failure\r\n"
        return None if self.strike("dropped") else b"250 2.1.5 Ok\r\n"

    def answer_end(self, talk: Conversation, line: str) -> bytes | None:
        """Take a message slowly; or hang up, with it or without it."""
        time.sleep(0.002)
        if self.strike("dropped at its end"):
            raise ConnectionAbortedError
        if self.strike(TAKEN):
            return None
        return b"250 2.0.0 Ok\r\n"


def kill_one(server: FaultServer, workers: Workers, dice: random.Random, step: int) -> bool:
    """Kill a worker after some more messages; False where one ended by itself before that."""
    enough = len(server.accepted) + dice.randint(1, step)
    ends = time.monotonic() + PATIENCE
    while len(server.accepted) < enough and time.monotonic() < ends:
        if any(worker.poll() is not None for worker in workers):
            return False
        time.sleep(0.001)
    assert len(server.accepted) >= enough, "nothing moves"
    victim = dice.choice(workers)
    victim.kill()
    finish(victim)
    return victim.returncode == -signal.SIGKILL


def replace_ended(app: Flask, server: FaultServer, workers: Workers, count: int) -> Workers:
    """Start as many workers as have ended, after checking that none failed by itself."""
    for worker in workers:
        if worker.poll() not in (None, -signal.SIGKILL):
            assert "Traceback" not in finish(worker)
    alive = [worker for worker in workers if worker.poll() is None]
    return alive + [start(app, server, "worker", "--once") for _ in range(count - len(alive))]


def settle(app: Flask, clock: Clock, server: FaultServer, campaign: int, count: int) -> int:
    """Run the workers until everything is settled, and return how often that took."""
    for number in range(1, ROUNDS_AT_MOST + 1):
        pass_time(app, clock)
        for worker in [start(app, server, "worker", "--once") for _ in range(count)]:
            assert "Traceback" not in finish(worker)
        if totals(app, campaign)[0] == "sent":
            return number
    return ROUNDS_AT_MOST


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("count", [1, 2])
def test_a_server_that_fails_and_workers_that_die(
    app: Flask,
    clock: Clock,
    server: FaultServer,
    campaign: int,
    database_kind: str,
    count: int,
    run: int,
) -> None:
    dice = random.Random(1000 * count + run)
    failures = Failures(dice)
    server.script |= {"RCPT": failures.answer_recipient, "END": failures.answer_end}
    kills = 0
    workers: Workers = []
    while kills < KILLS and len(server.accepted) < READERS:  # then all may have it, and all end
        pass_time(app, clock)
        workers = replace_ended(app, server, workers, count)
        kills += kill_one(server, workers, dice, READERS // (2 * KILLS))
        assert totals(app, campaign)[1].balanced
    assert kills > KILLS // 2, "the letter was through before"
    for worker in workers:
        finish(worker)
    rounds = settle(app, clock, server, campaign, count)
    copies = Counter(recipient for _, recipient, _ in accepted_for_readers(server))
    repeats = sum(copies.values()) - len(copies)
    bound = 2 * CONNECTIONS * kills + failures.lost
    print(
        f"trial on {database_kind}, workers {count}, run {run}: {kills} kills, "
        f"{READERS - len(copies)} missed, {repeats} repeats (at most {bound}, {failures.lost} of "
        f"them for lost replies), {rounds} rounds, {totals(app, campaign)}, {failures.struck}"
    )
    check_everybody(app, server, campaign, kills=1, readers=READERS, repeats=bound)
