"""An import that is killed, again and again, and run once more: the same end as if nothing had
happened (C06).
"""

from __future__ import annotations

import csv
import subprocess
import time
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from newsletter.db.session import db, transaction
from newsletter.models import ConsentEvent, Subscriber, Subscription
from newsletter.services.transfer import export_subscribers
from tests.people import add_list
from tests.processes import program_environment, start_program
from tests.waiting import PATIENCE

pytestmark = pytest.mark.processes

ROWS = 12_000
"""Seconds after which a process is taken for stuck; a loaded machine needs half a minute."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    with path.open("w") as out:
        out.write("email,name,status,subscribed_at\n")
        for number in range(ROWS):
            status = ("subscribed", "unsubscribed", "bounced", "pending")[number % 4]
            out.write(f"r{number}@example.com,N {number},{status},2021-02-04\n")
    return path


def start(app: Flask, file: Path) -> subprocess.Popen[str]:
    return start_program(
        file.parent, program_environment(app), "subscriber", "import", str(file), "--json"
    )


def count(app: Flask) -> int:
    with app.app_context():
        row = db.session.scalar(select(func.count(Subscription.id))) or 0
        db.session.remove()
        return row


def test_c06_killed_in_the_middle_and_run_again(app: Flask, file: Path, tmp_path: Path) -> None:
    with app.app_context(), transaction() as session:
        add_list(session)
    for more in (1, 3000):
        before = count(app)
        process = start(app, file)
        deadline = time.monotonic() + PATIENCE
        while count(app) < before + more and process.poll() is None:
            assert time.monotonic() < deadline, "the import does not get on"
            time.sleep(0.01)
        process.kill()
        process.communicate()
        result = count(app)
        assert 0 < result < ROWS, result
        assert result % 1000 == 0, "a batch is there or it is not"
    last = start(app, file)
    output, _ = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, output
    assert count(app) == ROWS
    with app.app_context():
        assert export_subscribers.export_to_file(tmp_path / "out.csv") == ROWS
        assert db.session.scalar(select(func.count(Subscriber.id))) == ROWS
        assert db.session.scalar(select(func.count(ConsentEvent.id))) == ROWS
        db.session.remove()
    with (tmp_path / "out.csv").open() as text:
        statuses = {row["email"]: row["status"] for row in csv.DictReader(text)}
    kinds = ("active", "unsubscribed", "unsubscribed", "pending")
    assert statuses == {f"r{number}@example.com": kinds[number % 4] for number in range(ROWS)}
