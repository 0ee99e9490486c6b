"""A restore that is really killed leaves the old or the new state, never half of one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from newsletter.db.session import reading, transaction
from newsletter.errors import Refused
from newsletter.models import MailingList
from newsletter.services.operations.restore import restore
from newsletter.settings import Settings
from tests.conftest import SECRET
from tests.fakes import Clock, Sink
from tests.house import House
from tests.people import add_list, add_reader
from tests.processes import inherited_environment

pytestmark = pytest.mark.processes


@pytest.fixture
def house(settings: Settings, sink: Sink, clock: Clock, database_kind: str) -> Iterator[House]:
    if database_kind != "sqlite":
        pytest.skip("PostgreSQL has tools of its own")
    house = House(settings, sink, clock)
    with transaction() as session:
        add_reader(session, add_list(session), "ana@example.com")
    yield house
    house.close()


RESTORE = """
import sys
from pathlib import Path
from newsletter.services.operations.restore import restore
from newsletter.settings import Settings
settings = Settings(
    secret_key="a-key-for-tests-only-0123456789abcdef", database_url=f"sqlite:///{sys.argv[1]}"
)
print("ready", flush=True)
restore(settings, Path(sys.argv[2]))
"""


def start_restore(house: House) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", RESTORE, str(house.file), str(house.copy)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_killed_at_any_moment_it_leaves_the_old_or_the_new_state(house: House) -> None:
    house.backup()
    with transaction() as session:
        add_reader(session, session.get_one(MailingList, 1), "new@example.com")
    house.close()
    whole = start_restore(house)
    began = time.monotonic()
    whole.communicate()
    lasts = time.monotonic() - began
    house.open()
    assert house.status("new@example.com") == "unknown"
    with transaction() as session:
        add_reader(session, session.get_one(MailingList, 1), "new@example.com")
    statuses = set()
    for step in range(7):
        house.close()
        process = start_restore(house)
        time.sleep(lasts * step / 5)
        process.kill()
        process.communicate()
        with closing(sqlite3.connect(house.file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        house.open()
        statuses.add(house.status("new@example.com"))
        with reading() as session:
            assert session.query(MailingList).count() == 1
        if house.status("new@example.com") == "unknown":
            with transaction() as session:
                add_reader(session, session.get_one(MailingList, 1), "new@example.com")
    assert statuses == {"active", "unknown"}
    house.restore()
    house.close()
    assert not list(house.file.parent.glob(".*restoring*")), "what killed ones left is removed"


def test_w2_a_running_worker_is_named_and_nothing_is_replaced(house: House) -> None:
    house.backup()
    house.close()
    environ = {
        **inherited_environment(),
        "NEWSLETTER_SECRET_KEY": SECRET,
        "NEWSLETTER_DATABASE_URL": house.settings.database_url,
    }
    command = [sys.executable, "-c", "from newsletter.cli import main; main()", "worker"]
    worker = subprocess.Popen(
        command,
        env=environ,
        cwd=house.file.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert worker.stdout is not None
        assert "Working" in worker.stdout.readline()
        before = house.file.stat().st_ino
        with pytest.raises(Refused, match=f"in use by process {worker.pid} .*worker"):
            restore(house.settings, house.copy)
        assert house.file.stat().st_ino == before
    finally:
        worker.terminate()
        worker.communicate(timeout=120)
    assert worker.returncode == 0
    assert not house.file.with_name("newsletter.db-wal").exists(), (
        "the last process empties the log"
    )
    assert house.restore().copy
