"""A disk fills up amid a letter: it is said, nobody is lost, and it goes on by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from newsletter.errors import DatabaseError
from newsletter.mail.smtp.types import Outgoing
from newsletter.services.operations import backup
from newsletter.services.operations.backup_archive import open_backup
from newsletter.settings import Settings
from newsletter.worker import WorkerProcess
from tests.fakes import START, Clock, Sink
from tests.programs import find_program
from tests.servers.outage import FIRST, READERS, add_letter, check_everybody, expire_leases, tick

DISK = 6_000_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of its own of a few MB."""
    mount = find_program("mount", as_root=True)
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = [mount, "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    subprocess.run(mounted, check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def settings(disk: Path, sqlite_template: Path) -> Settings:
    """Return an installation on the small disk."""
    shutil.copy(sqlite_template, disk / "newsletter.db")
    return Settings.model_validate(
        {
            "secret_key": "a-key-for-tests-only-0123456789abcdef",
            "base_url": "https://news.example.com",
            "database_url": f"sqlite:///{disk}/newsletter.db",
            "folder": disk,
            "signup": {"check_domains": False},
        }
    )


@pytest.fixture
def worker(app: Flask) -> WorkerProcess:
    """Start a worker with a letter that is about to go."""
    add_letter(app)
    return WorkerProcess(app)


def fill_up(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (65_536, 4_096):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


def test_sending_and_sign_ups_say_so_and_go_on(
    disk: Path,
    app: Flask,
    worker: WorkerProcess,
    sink: Sink,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = app.test_client()

    def fill(outgoing: Outgoing) -> None:
        if len(sink.accepted) == FIRST:
            fill_up(disk)

    sink.script = fill
    tick(worker, "send")
    sink.script = lambda outgoing: None
    tick(worker, "send")
    accepted = len(sink.accepted)
    assert FIRST <= accepted < READERS, "it stops where nothing can be recorded"
    assert [row for row in caplog.records if "full" in row.getMessage()]
    answer = client.post("/blog/subscribe", data={"email": "new@example.com"})
    assert answer.status_code == 503
    (disk / "filler").unlink()
    expire_leases(app)
    tick(worker, "send", "send")
    assert client.post("/blog/subscribe", data={"email": "new@example.com"}).status_code == 303
    tick(worker, "send")
    check_everybody(app, sink)
    assert sink.to("new@example.com"), "and who signed up meanwhile"


def test_a_backup_to_a_full_disk_leaves_nothing_behind(
    disk: Path, settings: Settings, worker: WorkerProcess, tmp_path: Path
) -> None:
    file = disk / "newsletter.toml"
    file.write_text('secret_key = "a-key-for-tests-only-0123456789abcdef"\n')
    (disk / "resources").mkdir()
    (disk / "resources" / "noise.bin").write_bytes(os.urandom(DISK // 3))
    fill_up(disk)
    with (disk / "filler").open("rb+") as filler:
        filler.truncate((disk / "filler").stat().st_size - 500_000)
    before = {path.name for path in disk.iterdir()}
    with pytest.raises(DatabaseError, match="no backup was made"):
        backup.make_backup(settings, file, disk / "all.backup", START)
    assert {path.name for path in disk.iterdir()} == before, "what was written is gone"
    elsewhere = tmp_path / "all.backup"
    backup.make_backup(settings, file, elsewhere, START)
    with open_backup(elsewhere) as opened:
        assert opened.manifest.rows["subscribers"] == READERS + 1
