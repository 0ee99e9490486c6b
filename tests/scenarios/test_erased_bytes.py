"""What was erased is nowhere in the files of the database, and no look by another user locks its owner out."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter import files
from newsletter.db.session import checkpoint, db, transaction
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.subscribers import admin, privacy
from tests.fakes import Clock
from tests.people import add_list, add_reader

ERASED, OTHER = "veronika.lindqvist@example.com", "other@example.com"


@pytest.fixture
def file(env: Environment) -> Iterator[Path]:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL keeps deleted rows until VACUUM; docs/backup.md says so")
    with transaction() as session:
        mailing_list = add_list(session)
        for email in (ERASED, OTHER, *(f"r{number}@example.com" for number in range(300))):
            add_reader(session, mailing_list, email)
    yield Path(str(db.engine.url.database))


def holding(file: Path, address: str) -> list[str]:
    """The files that hold an address somewhere."""
    wanted = address.encode()
    return [
        part.name
        for part in (file, *files.side_files(file))
        if part.exists() and wanted in part.read_bytes()
    ]


def test_b8_an_erased_address_is_in_no_page_and_not_in_the_log(
    env: Environment, file: Path
) -> None:
    assert holding(file, ERASED)
    privacy.erase_address(env, ERASED)
    assert holding(file, ERASED) == []
    assert holding(file, OTHER) == [file.name]


def test_b8_neither_is_a_removed_one(env: Environment, file: Path) -> None:
    admin.remove_subscriber(env, ERASED)
    assert holding(file, ERASED) == []
    assert holding(file, OTHER)


def test_b8_a_reader_in_the_way_delays_it_to_the_next_tidying(
    env: Environment, file: Path, clock: Clock
) -> None:
    with closing(sqlite3.connect(file)) as slow:
        slow.execute("BEGIN")
        slow.execute("SELECT count(*) FROM subscribers").fetchone()
        privacy.erase_address(env, ERASED)
        assert not checkpoint()
        assert holding(file, ERASED)
        slow.execute("COMMIT")
    clock.forward(timedelta(hours=1))
    cleanup.clean_up(env)
    assert holding(file, ERASED) == []


def test_a_missing_database_is_made_private(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    before = os.umask(0)
    try:
        files.prepare_database(file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600


LOOK = """
import os, sys
from newsletter.files import prepare_database
from pathlib import Path
os.setgid(65534); os.setuid(65534)
try:
    prepare_database(Path(sys.argv[1]))
except Exception as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_b41_a_look_by_another_user_is_refused_and_leaves_nothing() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        file = folder / "newsletter.db"
        file.touch(0o644)
        said = subprocess.run(
            [sys.executable, "-c", LOOK, str(file)], capture_output=True, text=True, check=False
        )
        assert (
            f"{file} belongs to root and cannot be written by this user (run this command as root)"
            in said.stdout
        )
        assert [part.name for part in folder.iterdir()] == ["newsletter.db"]
