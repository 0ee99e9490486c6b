"""A restore needs nothing but the file, brings nobody back who has left, and mails nobody by
itself.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import DatabaseError, NotFound, Refused
from newsletter.models import (
    Campaign,
    LastingKey,
    Mailbox,
    MailingList,
    Subscriber,
    Subscription,
    Worker,
)
from newsletter.services import installation, suppressions
from newsletter.services.consent import Evidence
from newsletter.services.operations import database, hold
from newsletter.services.operations.restore import restore
from newsletter.services.runtime import Environment, utcnow
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import privacy, subscriptions
from newsletter.settings import Settings
from newsletter.vocabulary import ConsentKind, EvidenceSource, MailKind, SuppressionReason
from newsletter.worker import WorkerProcess
from tests.fakes import START, Clock, Sink
from tests.house import House
from tests.people import add_list, add_reader

BY_HAND = Evidence(EvidenceSource.AUTHOR)


@pytest.fixture
def house(settings: Settings, sink: Sink, clock: Clock, database_kind: str) -> Iterator[House]:
    if database_kind != "sqlite":
        pytest.skip("PostgreSQL has tools of its own")
    house = House(settings, sink, clock)
    with transaction() as session:
        mailing_list = add_list(session)
        other = add_list(session, "other", title="Other")
        for name in ("ana", "bob", "cid", "dan", "eve"):
            add_reader(session, mailing_list, f"{name}@example.com")
        add_reader(session, other, "fay@example.com")
    yield house
    house.close()


def leave(env: Environment, email: str) -> None:
    with transaction() as session:
        query = select(Subscription).join(Subscriber).where(Subscriber.email_key == email)
        subscriptions.leave(env, session, session.scalars(query).one(), BY_HAND)


# ── what must only grow
# ────────────────────────────────────────────────────────────────────────────


def test_a8_who_left_since_the_backup_stays_gone(house: House, clock: Clock) -> None:
    house.backup()
    clock.forward(timedelta(hours=1))
    leave(house.env, "ana@example.com")
    suppressions.suppress(house.env, "bob@example.com", reason=SuppressionReason.COMPLAINT)
    privacy.erase_address(house.env, "cid@example.com")
    restored = house.restore()
    assert (restored.merged.left, restored.merged.suppressed, restored.merged.erased) == (1, 2, 1)
    assert [house.status(f"{name}@example.com") for name in ("ana", "cid", "dan", "fay")] == [
        "unsubscribed",
        "unknown",
        "active",
        "active",
    ]
    with reading() as session:
        known = [
            suppressions.is_suppressed(house.env, session, f"{name}@example.com")
            for name in ("bob", "cid", "dan")
        ]
    assert known == [True, True, False]


def test_counts_of_mailboxes_and_breaks_outlive_a_restore(house: House, clock: Clock) -> None:
    """Else whoever can cause a restore, or waits for one, may mail a stranger anew."""
    at = int(clock.now.timestamp())
    until = utcnow() + timedelta(days=30)  # a restore goes by the machine's clock
    with transaction() as session:
        for name, unanswered in (("a", 1), ("b", 2)):
            row = Mailbox(mailbox_hash=name * 64, unanswered=unanswered, last_at=clock.now)
            row.mails = [["asked", at, 7]]
            session.add(row)
    house.backup()
    clock.forward(timedelta(hours=1))
    with transaction() as session:
        session.get_one(Mailbox, "a" * 64).unanswered = 3
        session.get_one(Mailbox, "a" * 64).mails = [["asked", at, 7], ["link", at + 60, 9]]
        session.get_one(Mailbox, "b" * 64).unanswered = 0
        session.add(Mailbox(mailbox_hash="c" * 64, unanswered=1, mails=[], last_at=clock.now))
        query = select(Subscription).join(Subscriber)
        for name in ("ana", "bob"):
            row_of = session.scalars(query.where(Subscriber.email_key == f"{name}@example.com"))
            row_of.one().paused_until = until
    house.restore()
    with reading() as session:
        mailboxes = {row.mailbox_hash[0]: row for row in session.scalars(select(Mailbox))}
        assert {name: row.unanswered for name, row in mailboxes.items()} == {"a": 3, "b": 2, "c": 1}
        assert mailboxes["a"].mails == [["asked", at, 7], ["link", at + 60, 0]]
        assert mailboxes["b"].mails == [["asked", at, 7]]
        breaks = session.scalars(
            select(Subscriber.email_key)
            .join(Subscription)
            .where(Subscription.paused_until == until)
            .order_by(Subscriber.email_key)
        ).all()
    assert breaks == ["ana@example.com", "bob@example.com"]


def test_a_yes_that_is_newer_than_the_withdrawal_counts(house: House, clock: Clock) -> None:
    """The newer database is restored over an older one."""
    older = house.file.with_name("older.db")
    leave(house.env, "ana@example.com")
    database.backup(house.settings.database_url, older)
    clock.forward(timedelta(hours=1))
    with transaction() as session:
        query = (
            select(Subscription).join(Subscriber).where(Subscriber.email_key == "ana@example.com")
        )
        subscriptions.resume(
            session, session.scalars(query).one(), ConsentKind.RESUBSCRIBED, BY_HAND, clock.now
        )
    house.backup()
    house.close()
    older.replace(house.file)
    assert house.restore().merged.left == 0
    assert house.status("ana@example.com") == "active"


def test_a_changed_address_is_not_mailed_at_its_old_place(house: House) -> None:
    house.backup()
    with transaction() as session:
        ana = session.scalars(
            select(Subscriber).where(Subscriber.email_key == "ana@example.com")
        ).one()
        ana.email = ana.email_key = "ana@example.org"
        ana.subscriptions[0].handle = "newer-handle"
    assert house.restore().merged.moved == 1
    assert house.status("ana@example.com") == "unknown"
    assert house.status("ana@example.org") == "active"
    with reading() as session:
        assert (
            session.scalar(select(Subscription.status).where(Subscription.handle == "newer-handle"))
            == "active"
        )


def test_another_installation_is_matched_by_list_and_address(house: House, clock: Clock) -> None:
    """Its lasting key is another one, its row numbers mean other people."""
    house.backup()
    with transaction() as session:
        session.query(LastingKey).update({"key": "another"})
        session.query(Subscription).update({"id": Subscription.id + 1000})
    house.open()
    leave(house.env, "ana@example.com")
    suppressions.suppress(house.env, "bob@example.com")
    privacy.erase_address(house.env, "cid@example.com")
    merged = house.restore().merged
    assert (merged.left, merged.suppressed, merged.erased, merged.unread) == (1, 2, 1, "")
    with reading() as session:
        keys = session.scalars(select(LastingKey.key).order_by(LastingKey.id)).all()
        assert (len(keys), keys[1]) == (2, "another")
        assert suppressions.is_suppressed(house.env, session, "bob@example.com")
        assert suppressions.is_suppressed(house.env, session, "cid@example.com")
        assert not suppressions.is_suppressed(house.env, session, "dan@example.com")


def test_an_older_schema_gives_what_it_has(house: House, clock: Clock) -> None:
    house.backup()
    leave(house.env, "ana@example.com")
    suppressions.suppress(house.env, "bob@example.com")
    house.close()
    with closing(sqlite3.connect(house.file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0012'")
        for table in ("lasting_keys", "installation"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE subscriptions DROP COLUMN round")
    merged = house.restore().merged
    assert (merged.left, merged.suppressed, merged.unread) == (1, 1, "")


# ── the hold
# ───────────────────────────────────────────────────────────────────────────────────────


def add_campaign(session: Session, status: str) -> None:
    mailing_list = session.scalars(select(MailingList)).first()
    assert mailing_list is not None
    row = Campaign(
        list_id=mailing_list.id,
        kind="letter",
        status=status,
        subject="Going slowly",
        seed="s",
        created_at=START,
    )
    session.add(row)


def test_u4_a_restored_installation_mails_nothing_until_it_is_released(
    house: House, clock: Clock
) -> None:
    with transaction() as session:
        for status in ("draft", "scheduled", "sending", "paused", "sent"):
            add_campaign(session, status)
        subscription = session.scalars(select(Subscription)).first()
        assert subscription is not None
        outbox.enqueue(
            session, mail=MailKind.WELCOME, subscription_id=subscription.id, now=clock.now
        )
    house.backup()
    restored = house.restore()
    assert (restored.paused, restored.waiting) == (2, 1)
    with reading() as session:
        statuses = session.scalars(select(Campaign.status).order_by(Campaign.id)).all()
    assert statuses == ["draft", "paused", "paused", "paused", "sent"]
    clock.forward(timedelta(days=40))
    worker = WorkerProcess(house.app)
    assert "newsletter db release" in worker.once().problem
    worker.gate()
    assert house.sink.accepted == []
    with reading() as session:
        assert session.query(Campaign).count() == 5
    installation.release_mail()
    assert sending.send_due(house.env).sent == 1


def test_single_mails_can_be_dropped_before_mail_is_released(house: House, clock: Clock) -> None:
    with transaction() as session:
        first, second = session.scalars(select(Subscription.id).order_by(Subscription.id)).all()[:2]
        ids = [
            outbox.enqueue(session, mail=kind, subscription_id=id_, now=clock.now, held=held)
            for id_, kind, held in (
                (first, MailKind.WELCOME, False),
                (second, MailKind.WELCOME, False),
                (first, MailKind.CONFIRM, True),
            )
        ]
    with pytest.raises(Refused, match="not held"):
        installation.drop_waiting_mails(house.env, ids)
    client = house.app.test_client()
    assert client.get("/healthz").json["sending"] == "ok"  # type: ignore[index]
    hold.hold_installation(house.env, "held by hand")
    assert client.get("/healthz").json["sending"] == "held"  # type: ignore[index]
    assert [row.id for row in installation.list_waiting_mails()] == ids
    assert [row.id for row in installation.list_waiting_mails(limit=2)] == ids[:2]
    assert installation.drop_waiting_mails(house.env, ids[:1]) == 1
    with pytest.raises(NotFound, match="not all"):
        installation.drop_waiting_mails(house.env, ids[:2])
    assert [row.id for row in installation.list_waiting_mails()] == ids[1:]
    assert installation.count_waiting_mails() == 2
    installation.release_mail()
    assert sending.send_due(house.env).sent == 1
    hold.hold_installation(house.env, "held by hand")
    with transaction() as session:
        outbox.enqueue(session, mail=MailKind.WELCOME, subscription_id=first, now=clock.now)
    assert installation.drop_waiting_mails(house.env, None) == 1
    assert installation.list_waiting_mails() == []


# ── the state of the database that is replaced
# ─────────────────────────────────────────────────────


def break_nothing(file: Path) -> None:
    pass


def remove(file: Path) -> None:
    file.unlink()


def leave_a_log_behind(file: Path) -> None:
    file.unlink()
    file.with_name(file.name + "-wal").write_bytes(b"old log" * 1000)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def corrupt(file: Path) -> None:
    file.write_bytes(b"not a database at all" * 500)


def corrupt_in_the_middle(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * 300_000)


def no_tables(file: Path) -> None:
    file.unlink()
    sqlite3.connect(file).execute("VACUUM").close()


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_later'")


@pytest.mark.parametrize(
    "state",
    [
        break_nothing,
        remove,
        leave_a_log_behind,
        empty,
        corrupt,
        corrupt_in_the_middle,
        no_tables,
        newer,
    ],
)
def test_u2_restore_works_whatever_state_the_database_is_in(
    house: House, state: Callable[[Path], None]
) -> None:
    house.backup()
    house.close()
    state(house.file)
    before = house.file.read_bytes() if house.file.exists() else None
    restored = house.restore()
    assert house.status("ana@example.com") == "active"
    assert installation.find_hold() is not None
    house.close()
    names = {file.name for file in house.file.parent.iterdir()}
    copies = {"newsletter.db.before-restore"} if before is not None else set()
    assert names == {"newsletter.db", "backup.db"} | copies, "no side files are left"
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in house.file.parent.iterdir())
    if restored.copy and state in (corrupt, corrupt_in_the_middle):
        assert before is not None
        assert restored.copy.read_bytes()[100:] == before[100:], (
            "but for the counters in its header"
        )
        assert restored.merged.unread


def test_the_way_back_is_open(house: House, clock: Clock) -> None:
    """A database that was replaced can be put back; nothing that was kept is overwritten."""
    house.backup()
    with transaction() as session:
        add_reader(session, session.get_one(MailingList, 1), "new@example.com")
    copy = house.restore().copy
    assert copy is not None
    assert house.status("new@example.com") == "unknown"
    house.close()
    again = restore(house.settings, copy).copy
    assert again is not None
    assert again != copy
    assert copy.exists()
    house.open()
    assert house.status("new@example.com") == "active"


# ── the file
# ───────────────────────────────────────────────────────────────────────────────────────


def bookmarks(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE moz_bookmarks (id INTEGER)")


def renamed_tables(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("ALTER TABLE deliveries RENAME TO moz_bookmarks")


def other_alembic(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001_initial')")


def before_the_first_release(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0012'")


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (remove, "is not a file"),
        (folder, "is not a file"),
        (pipe, "is not a file"),
        (empty, "nor an SQLite database"),
        (corrupt, "nor an SQLite database"),
        (corrupt_in_the_middle, "is damaged"),
        (other_alembic, "is not a database of newsletter"),
        (renamed_tables, "table deliveries is missing"),
        (newer, "belongs to a newer version"),
        (before_the_first_release, "before 0.1.0"),
    ],
)
def test_u3_what_is_no_backup_is_refused_before_anything_is_touched(
    house: House, what: Callable[[Path], None], reason: str
) -> None:
    house.backup()
    house.close()
    what(house.copy)
    before = house.file.read_bytes()
    names = {file.name for file in house.file.parent.iterdir()}
    with pytest.raises(Refused, match=reason):
        restore(house.settings, house.copy)
    assert house.file.read_bytes() == before
    assert {file.name for file in house.file.parent.iterdir()} == names


def test_bookmarks_of_a_browser_are_refused(house: House) -> None:
    bookmarks(house.copy)
    house.close()
    with pytest.raises(Refused, match="is not a database of newsletter"):
        restore(house.settings, house.copy)


def test_the_database_itself_is_refused(house: House) -> None:
    house.close()
    with pytest.raises(Refused, match="is the database itself"):
        restore(house.settings, house.file)


def test_a_backup_beside_its_log_is_whole(house: House) -> None:
    """A copy of the files of a running database, made with `cp`."""
    copy = house.copy
    for suffix in ("", "-wal"):
        source = house.file.with_name(house.file.name + suffix)
        copy.with_name(copy.name + suffix).write_bytes(source.read_bytes())
    house.restore()
    assert house.status("ana@example.com") == "active"


def test_a_backup_needs_no_current_schema(house: House) -> None:
    house.close()
    newer(house.file)
    house.backup()
    assert house.copy.stat().st_mode & 0o777 == 0o600
    with pytest.raises(DatabaseError, match="there is no database"):
        database.backup(f"sqlite:///{house.file}.missing", house.copy.with_name("other.db"))


def test_u17_a_foreign_key_is_said(house: House) -> None:
    installation.record_key(house.env)
    house.backup()
    assert not house.restore().foreign_key
    house.settings = Settings.model_validate(
        house.settings.model_dump() | {"secret_key": "another-key-0123456789-xyz"}
    )
    assert house.restore().foreign_key


# ── whoever uses the database
# ──────────────────────────────────────────────────────────────────────

HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
print("open", flush=True)
time.sleep(60)
"""


def test_w2_a_database_in_use_is_not_replaced(house: House) -> None:
    house.backup()
    house.close()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(house.file)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(Refused, match=f"in use by process {holder.pid} .*python"):
            restore(house.settings, house.copy)
    finally:
        holder.kill()
        holder.communicate()
    assert house.restore().copy


def test_a_worker_of_another_machine_is_asked_to_end(house: House) -> None:
    house.backup()
    with transaction() as session:
        session.add(Worker(name="elsewhere/pid:[1]:7:8:boot", ticked_at=utcnow()))
    with pytest.raises(Refused, match="a worker on elsewhere"):
        house.restore()
    house.open()
    with transaction() as session:
        session.query(Worker).update({"ticked_at": utcnow() - timedelta(minutes=3)})
    assert house.restore().copy
