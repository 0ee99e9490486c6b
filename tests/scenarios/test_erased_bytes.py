"""Test that what was erased is nowhere in the files of the database, and no look by another user
locks its owner out.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter import files, outbox
from newsletter.bounce_vocabulary import BounceClass, BounceEffect, BounceProof, BounceSource
from newsletter.db.session import checkpoint, db, transaction
from newsletter.models import BounceEvent, Delivery, Subscriber
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.subscribers import admin, privacy
from newsletter.vocabulary import MailKind
from tests.fakes import Clock
from tests.people import add_list, add_reader
from tests.programs import need

ERASED = "veronika.lindqvist@example.com"
OTHER = "other@example.com"


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
    """Return the files that hold an address somewhere."""
    result = address.encode()
    return [
        part.name
        for part in (file, *files.list_side_files(file))
        if part.exists() and result in part.read_bytes()
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


@pytest.mark.parametrize("end", [privacy.erase_address, admin.remove_subscriber])
def test_what_servers_answered_about_somebody_goes_with_them(
    env: Environment, file: Path, end: Callable[[Environment, str], object]
) -> None:
    with transaction() as session:
        for email in (ERASED, OTHER):
            subscriber = session.scalars(
                select(Subscriber).where(Subscriber.email_key == email)
            ).one()
            answer = f"550 <{email}>: unknown"
            delivery_id = outbox.enqueue(
                session,
                mail=MailKind.WELCOME,
                subscription_id=subscriber.subscriptions[0].id,
                now=env.now,
            )
            row = session.get_one(Delivery, delivery_id)
            row.text = answer
            row.context = {"to": email}
            session.add(
                BounceEvent(
                    key=f"report {subscriber.id}",
                    at=env.now,
                    source=BounceSource.MAILBOX,
                    bounce_class=BounceClass.HARD,
                    proof=BounceProof.VERP,
                    effect=BounceEffect.NOTED,
                    reason=answer,
                    subscriber_id=subscriber.id,
                )
            )
    end(env, ERASED)
    assert holding(file, ERASED) == []
    assert holding(file, OTHER) == [file.name]


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


def test_b41_a_look_by_another_user_is_refused_and_leaves_nothing() -> None:
    need(available=os.geteuid() == 0, what="root, to become a second user")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o777)
        file = folder / "newsletter.db"
        file.touch(0o644)
        result = subprocess.run(
            [sys.executable, "-c", LOOK, str(file)], capture_output=True, text=True, check=False
        )
        assert (
            f"{file} belongs to root and cannot be written by this user (run this command as root)"
            in result.stdout
        )
        assert [part.name for part in folder.iterdir()] == ["newsletter.db"]
