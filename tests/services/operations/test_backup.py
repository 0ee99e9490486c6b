"""A backup holds everything, comes back on either database, and is refused where a byte of it
differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, select, text
from sqlalchemy.engine import make_url

from newsletter.app import create_app
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import Base, reading, transaction
from newsletter.errors import DatabaseError, Refused
from newsletter.models import FoldedDelivery, Subscriber, Subscription, Worker
from newsletter.models.outbox import CAMPAIGNS_A_ROW
from newsletter.services import installation, resources, suppressions, workers
from newsletter.services.consent import Evidence
from newsletter.services.letters import send as letters
from newsletter.services.operations import (
    backup,
    backup_archive,
    database,
    database_copy,
    table_copy,
    upgrade,
)
from newsletter.services.operations.key_rotation import rotate_key
from newsletter.services.operations.restore_installation import compare_key, restore_installation
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import subscriptions
from newsletter.settings import Settings
from newsletter.settings_loader import load_settings
from newsletter.vocabulary import DeliveryStatus, EvidenceSource
from tests.conftest import SECRET
from tests.every_table import fill_every_table
from tests.fakes import START, Clock, FakeDns, FakeFetch, Sink
from tests.people import add_entry, add_feed, add_list, add_reader

LETTER = "---\nsubject: Going slowly\n---\n\nA letter.\n"
PASSPHRASE = "four words are long enough"
SHEDDING = ("workers", "campaigns", "events")
"""Tables whose rows a restore drops or changes: it pauses what is under way."""


@pytest.fixture
def spare(
    database_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], str]]:
    """Make addresses of databases that do not exist yet, or are empty: `spare(kind)`."""
    names: list[str] = []

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/spare{len(list(tmp_path.iterdir()))}.db"
        name = f"spare_{len(names)}"
        with admin().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {name}"))
        names.append(name)
        url = make_url(request.getfixturevalue("postgresql_url"))
        return url.set(database=name).render_as_string(hide_password=False)

    def admin() -> Engine:
        return create_engine(request.getfixturevalue("postgresql_url"), poolclass=NullPool)

    yield make
    for name in names:
        with admin().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def fill(env: Environment, folder: Path) -> None:
    """Put a row into many tables: a letter that was sent, a feed, a file, somebody who left."""
    with transaction() as session:
        mailing_list = add_list(session)
        other = add_list(session, "other", title="Ändere – “Other”")
        feed = add_feed(session, mailing_list)
        add_entry(session, feed, "Naïve post")
        for name in ("ana", "bob", "cid"):
            add_reader(session, mailing_list, f"{name}@example.com", name=f'{name} Ω\t\\N "x"')
        add_reader(session, other, "dan@example.com", status="pending")
    installation.record_key(env)
    letter = letters.send_letter(env, parse_letter(LETTER), "blog")
    sending.send_due(env)
    with transaction() as session:
        of_other = select(Subscription.id).where(Subscription.list_id == other.id)
        block, bit = divmod(letter, CAMPAIGNS_A_ROW)
        had = {"block": block, "cursor": 0, "status": DeliveryStatus.SENT, "campaigns": 1 << bit}
        session.add(FoldedDelivery(subscription_id=session.scalars(of_other).one(), **had))
    suppressions.suppress(env, "gone@example.com")
    query = select(Subscription).join(Subscriber).where(Subscriber.email == "cid@example.com")
    with transaction() as session:
        subscriptions.leave(
            env, session, session.scalars(query).one(), Evidence(EvidenceSource.AUTHOR)
        )
    (folder / "guide.pdf").write_bytes(b"%PDF-1.7 guide")
    resources.add_resource(env, folder / "guide.pdf", name="guide")
    (folder / "templates" / "emails" / "layout").mkdir(parents=True)
    (folder / "templates" / "emails" / "layout.html").write_text("mine")


def rows_of(url: str) -> dict[str, list[table_copy.Row]]:
    with table_copy.open_snapshot(url) as snapshot:
        return {table.name: list(snapshot.read_rows(table)) for table in snapshot.tables}


def sequences_of(url: str) -> dict[str, int]:
    with table_copy.open_snapshot(url) as snapshot:
        return dict(snapshot.sequences)


@dataclass
class Old:
    """The installation that is backed up."""

    env: Environment
    settings: Settings
    file: Path

    def backup(self, name: str = "all.backup", *, passphrase: str = "") -> Path:
        target = self.settings.folder / name
        backup.make_backup(self.settings, self.file, target, START, passphrase=passphrase)
        return target


@pytest.fixture
def old(env: Environment, settings: Settings, tmp_path: Path) -> Old:
    file = tmp_path / "newsletter.toml"
    file.write_text(
        f'secret_key = "{SECRET}"\nbase_url = "https://news.example.com"\n'
        "[signup]\ncheck_domains = false\n"
    )
    fill(env, tmp_path)
    return Old(env, settings, file)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    folder = tmp_path / "another machine"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_a_backup_comes_back_on_a_bare_machine_on_either_database(
    old: Old,
    bare: Path,
    spare: Callable[[str], str],
    kind: str,
    passphrase: str,
    sink: Sink,
    clock: Clock,
) -> None:
    if passphrase and kind == "postgresql":
        return
    links = old.env.links
    with reading() as session:
        handle = str(session.scalars(select(Subscription.handle)).first())
    link = links.unsubscribe(handle, START)
    before = rows_of(old.settings.database_url)
    file = old.backup(passphrase=passphrase)
    assert file.stat().st_mode & 0o777 == 0o600
    assert (b"ana@example.com" in file.read_bytes()) is False
    url = spare(kind)
    environ = {"NEWSLETTER_DATABASE_URL": url}
    restored = restore_installation(bare / "newsletter.toml", file, environ, passphrase=passphrase)
    assert not restored.foreign_key
    after = rows_of(url)
    assert {
        name: rows for name, rows in after.items() if name not in ("installation", *SHEDDING)
    } == {name: rows for name, rows in before.items() if name not in ("installation", *SHEDDING)}
    assert sequences_of(url).items() >= sequences_of(old.settings.database_url).items()
    settings = load_settings(bare / "newsletter.toml", environ)
    assert (bare / "newsletter.toml").stat().st_mode & 0o777 == 0o600
    assert settings.base_url == "https://news.example.com"
    assert (bare / "templates/emails/layout.html").read_text() == "mine"
    assert [path.read_bytes() for path in (bare / "resources").iterdir()] == [b"%PDF-1.7 guide"]
    database.close()
    app = create_app(
        settings, transport=lambda: sink, fetch=FakeFetch(), clock=clock, resolver=FakeDns()
    )
    path = link.removeprefix("https://news.example.com")
    assert app.test_client().get(path).status_code == 200, "links of old mails open"
    with app.app_context():
        new_id = add_one(app.extensions[EXTENSION])
        assert new_id > max(row[0] for row in before["subscribers"])
        database.close()


def add_one(env: Environment) -> int:
    with transaction() as session:
        mailing_list = session.scalars(select(Subscription.list_id)).first()
        subscriber = Subscriber(
            handle="new-one", email="new@example.com", email_key="new@example.com", created_at=START
        )
        session.add(subscriber)
        session.flush()
        assert mailing_list
        return subscriber.id


def test_a_restore_merges_what_must_only_grow_and_holds_mail(
    old: Old, spare: Callable[[str], str], database_kind: str, tmp_path: Path
) -> None:
    url = spare(database_kind)
    database_copy.copy_database(old.settings.database_url, url, START)
    file = old.backup()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE subscriptions SET status = 'unsubscribed', unsubscribed_at = :at "
                "WHERE id IN "
                "(SELECT s.id FROM subscriptions s JOIN subscribers p ON p.id = s.subscriber_id "
                "WHERE p.email = 'bob@example.com')"
            ),
            {
                "at": "2026-11-25 09:00:00+00:00"
                if database_kind == "postgresql"
                else "2026-11-25 09:00:00.000000"
            },
        )
    engine.dispose()
    restored = restore_installation(old.file, file, {"NEWSLETTER_DATABASE_URL": url})
    assert restored.merged.left == 1
    assert restored.copy is not None
    assert restored.copy.exists()
    engine = create_engine(url)
    with engine.connect() as connection:
        query = (
            "SELECT p.email, s.status FROM subscriptions s JOIN subscribers p ON p.id = "
            "s.subscriber_id"
        )
        statuses = {email: status for email, status in connection.execute(text(query))}  # noqa: C416
        assert connection.scalar(text("SELECT held_at FROM installation")) is not None
    engine.dispose()
    assert statuses["bob@example.com"] == "unsubscribed"
    assert statuses["ana@example.com"] == "active"


def test_a_database_that_is_used_is_refused(
    old: Old, spare: Callable[[str], str], database_kind: str
) -> None:
    if database_kind != "postgresql":
        return  # tests/services/operations/test_restore.py
    url = spare("postgresql")
    database_copy.copy_database(old.settings.database_url, url, START)
    file = old.backup()
    before = rows_of(url)
    engine = create_engine(url)
    with engine.connect(), pytest.raises(Refused, match="in use: 1 other"):
        restore_installation(old.file, file, {"NEWSLETTER_DATABASE_URL": url})
    engine.dispose()
    assert rows_of(url) == before


def damage(file: Path, place: float) -> None:
    data = bytearray(file.read_bytes())
    data[int(len(data) * place)] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
@pytest.mark.parametrize(
    "break_it",
    [
        lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(file.read_bytes() + b"x"),
        *(lambda file, place=place: damage(file, place) for place in (0.0, 0.1, 0.5, 0.9, 0.999)),
    ],
)
def test_a_cut_or_changed_backup_is_refused_and_nothing_is_touched(
    old: Old, bare: Path, passphrase: str, break_it: Callable[[Path], None]
) -> None:
    file = old.backup(passphrase=passphrase)
    break_it(file)
    with pytest.raises(Refused, match=r"damaged|not a backup|cannot be decrypted|SQLite"):
        restore_installation(bare / "newsletter.toml", file, {}, passphrase=passphrase)
    assert list(bare.iterdir()) == []


def test_another_passphrase_is_refused(old: Old) -> None:
    file = old.backup(passphrase=PASSPHRASE)
    assert backup_archive.needs_passphrase(file)
    with (
        pytest.raises(Refused, match="passphrase is not the one"),
        backup_archive.open_backup(file, passphrase="another long passphrase"),
    ):
        pass


def test_a_newer_schema_is_refused(old: Old, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = old.backup()
    monkeypatch.setattr(database, "_read_migrations", lambda: {"0000_older": ""})
    with pytest.raises(Refused, match="newer version"):
        restore_installation(bare / "newsletter.toml", file, {})
    assert list(bare.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("/dev/full")
    if not folder.exists():
        pytest.skip("there is no /dev/full")
    target = old.settings.folder / "full.backup"
    real = backup.open_private

    def open_full(file: Path, mode: str) -> object:
        real(file, mode).close()
        return folder.open("wb")

    monkeypatch.setattr(backup, "open_private", open_full)
    with pytest.raises(DatabaseError, match="no backup was made"):
        old.backup("full.backup")
    assert not list(old.settings.folder.glob("full.backup*"))
    assert not target.exists()


def test_settings_that_are_here_win_and_a_foreign_key_is_noticed(
    old: Old, bare: Path, spare: Callable[[str], str]
) -> None:
    file = old.backup()
    settings_file = bare / "newsletter.toml"
    settings_file.write_text(
        'secret_key = "quite-another-one-0123456789"\nbase_url = "https://own.example"\n'
    )
    settings = load_settings(settings_file)
    assert compare_key(settings, file, "") == "foreign"
    assert restore_installation(settings_file, file, {}).foreign_key
    assert "own.example" in settings_file.read_text()
    assert not restore_installation(settings_file, file, {}, with_settings=True).foreign_key
    assert "news.example.com" in settings_file.read_text()
    assert "own.example" in (bare / "newsletter.toml.before-restore1").read_text()


def test_the_key_comes_along_where_the_environment_held_it(old: Old, bare: Path) -> None:
    old.file.write_text('base_url = "https://news.example.com"\n[smtp]\nconnections = 2\n')
    file = old.backup()
    restore_installation(bare / "newsletter.toml", file, {})
    settings = load_settings(bare / "newsletter.toml")
    assert settings.signing_keys == (SECRET,)
    assert settings.smtp.connections == 2


WRITTEN = {
    "an array over lines": 'secret_key_fallbacks = [\n  "{old}", # ]\n]\nsecret_key = "{key}"\n',
    "quoted names": "\"secret_key_fallbacks\" = \"{old}\"\n  'secret_key' = '{key}'\n",
    "a text over lines": 'secret_key = """{key}"""\nsecret_key_fallbacks = """\n{old}"""\n',
    "a mark before the first letter": '\ufeffsecret_key="{key}"\nsecret_key_fallbacks=["{old}"]\n',
}
OLD_KEY = "the-key-before-0123456789"


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_the_keys_of_a_backup_are_those_in_use_however_they_were_written(
    old: Old, bare: Path, written: str
) -> None:
    settings_text = written.format(key=SECRET, old=OLD_KEY) + 'base_url = "https://a.example"\n'
    old.file.write_text(f"{settings_text}[smtp] # [secret_key]\nconnections = 2\n")
    backup.make_backup(
        load_settings(old.file, {"NEWSLETTER_DATABASE_URL": old.settings.database_url}),
        old.file,
        old.settings.folder / "written.backup",
        START,
    )
    restore_installation(bare / "newsletter.toml", old.settings.folder / "written.backup", {})
    settings = load_settings(bare / "newsletter.toml")
    assert settings.signing_keys == (SECRET, OLD_KEY)
    assert (settings.base_url, settings.smtp.connections) == ("https://a.example", 2)


def test_a_restore_with_its_settings_keeps_keys_that_were_rotated_in_since(
    old: Old, bare: Path
) -> None:
    """They have signed links of mails that were sent since the backup."""
    file = old.backup()
    settings_file = bare / "newsletter.toml"
    settings_file.write_text(f'secret_key = "{SECRET}"\n')
    for _ in range(2):
        rotate_key(settings_file, {})
    rotated = load_settings(settings_file).signing_keys
    restore_installation(settings_file, file, {}, with_settings=True)
    assert load_settings(settings_file).signing_keys == (SECRET, *rotated[:2])
    settings_file.write_text("nobody can read this")
    restore_installation(settings_file, file, {}, with_settings=True)
    assert load_settings(settings_file).signing_keys == (SECRET,)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_copy_is_equal_row_by_row_and_so_is_the_way_back(
    old: Old, spare: Callable[[str], str], kind: str, database_kind: str
) -> None:
    source = old.settings.database_url
    with transaction() as session:
        fill_every_table(session, START - timedelta(days=1, microseconds=1))
    before = rows_of(source)
    assert set(before) == set(Base.metadata.tables)
    assert not [name for name, rows in before.items() if not rows], "every table is tried"
    target = spare(kind)
    counts = database_copy.copy_database(source, target, START)
    assert counts == {name: len(rows) for name, rows in before.items()}
    assert rows_of(target) == before
    back = spare(database_kind)
    database_copy.copy_database(target, back, START)
    assert rows_of(back) == before
    assert sequences_of(target).items() >= sequences_of(source).items() or kind == "sqlite"
    with pytest.raises(Refused, match=r"exists|not empty"):
        database_copy.copy_database(source, target, START)


def test_a_copy_is_refused_while_a_worker_runs(old: Old, spare: Callable[[str], str]) -> None:
    workers.record_tick(old.env, workers.make_identity())
    with pytest.raises(Refused, match="a worker runs"):
        database_copy.copy_database(old.settings.database_url, spare("sqlite"), START)
    with transaction() as session:
        session.query(Worker).delete()
        session.add(Worker(name="elsewhere/pids:12:34:56", ticked_at=START))
    with pytest.raises(Refused, match="a worker on elsewhere"):
        database_copy.copy_database(old.settings.database_url, spare("sqlite"), START)
    target = spare("sqlite")
    later = START + timedelta(minutes=3)
    assert database_copy.copy_database(old.settings.database_url, target, later)["campaigns"] == 1


def test_old_backups_of_a_folder_are_deleted_and_nothing_else(old: Old, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    for days in range(5):
        file = backup.choose_name(f"{folder}/", START + timedelta(days=days))
        file.touch()
    (folder / "mine.backup").touch()
    backup.remove_old(folder, 2)
    assert sorted(file.name for file in folder.iterdir()) == [
        "mine.backup",
        "newsletter-2026-11-27T090000Z.backup",
        "newsletter-2026-11-28T090000Z.backup",
    ]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_an_upgrade_backs_up_first_and_only_where_there_is_something_to_upgrade(
    old: Old, spare: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert upgrade.upgrade_safely(old.settings, old.file, START) is None
    empty = old.settings.model_copy(update={"database_url": spare("sqlite")})
    assert upgrade.upgrade_safely(empty, old.file, START) is None
    chain = {"0001_initial": "", "0002_later": "0001_initial"}
    monkeypatch.setattr(database, "_read_migrations", lambda: chain)
    copy = upgrade.upgrade_safely(old.settings, old.file, START)
    assert copy is not None
    with backup_archive.open_backup(copy) as opened:
        assert opened.manifest.rows["subscribers"] == 4
    assert upgrade.upgrade_safely(old.settings, old.file, START) != copy
