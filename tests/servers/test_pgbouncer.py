"""A whole campaign through Debian's PgBouncer in transaction mode, with fewer server connections than workers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from newsletter.app import create_app
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, transaction
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.settings import Settings
from tests.fakes import Clock, FakeDns, FakeFetch, Sink
from tests.people import add_list, add_reader

pytestmark = pytest.mark.proxy

LETTER = "---\nsubject: Going slowly\n---\n\nA letter.\n"


@pytest.fixture
def pooled_url(database_url: str, database_kind: str, tmp_path: Path) -> Iterator[str]:
    """The address of PgBouncer in front of the test's PostgreSQL."""
    if database_kind != "postgresql":
        pytest.skip("PgBouncer is for PostgreSQL")
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        if os.environ.get("TESTS_MUST_RUN"):
            pytest.fail("there is no pgbouncer, and nothing may be skipped here")
        pytest.skip("needs Debian's pgbouncer")
    url = make_url(database_url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    users = folder / "users.txt"
    users.write_text(f'"{url.username}" ""\n')
    host = url.query.get("host") or url.host
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n{url.database} = host={host} port={url.port or 5432} dbname={url.database} user={url.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\nauth_file = {users}\npool_mode = transaction\ndefault_pool_size = 2\n"
        f"logfile = {folder}/log\npidfile = {folder}/pid\n"
    )
    command = [program, str(config)]
    opened: list[Path] = []
    if os.geteuid() == 0:  # it refuses to be root, and must reach the socket and its own files
        command[1:1] = ["-u", "postgres"] if _has_user("postgres") else ["-u", "nobody"]
        for path in (*config.parents, *Path(str(host)).parents, Path(str(host))):
            if path.exists() and not path.stat().st_mode & 0o001:
                path.chmod(path.stat().st_mode | 0o011)
                opened.append(path)
        folder.chmod(0o777)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None, process.stdout and process.stdout.read()
                assert time.monotonic() < until
                time.sleep(0.05)
        yield f"postgresql+psycopg://{url.username}@127.0.0.1:{port}/{url.database}?pgbouncer=1"
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout:
            process.stdout.close()
        for path in opened:
            path.chmod(path.stat().st_mode & ~0o011)


def _has_user(name: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def test_a_campaign_goes_out_through_pgbouncer(
    pooled_url: str, settings: Settings, clock: Clock, sink: Sink
) -> None:
    settings = settings.model_copy(update={"database_url": pooled_url})
    app = create_app(
        settings, transport=lambda: sink, fetch=FakeFetch(), clock=clock, resolver=FakeDns()
    )
    env = app.extensions[EXTENSION]
    with app.app_context():
        with transaction() as session:
            mailing_list = add_list(session)
            other = add_list(session, "other")
            for number in range(60):
                add_reader(session, mailing_list, f"n{number}@example.com")
            add_reader(session, other, "not-here@example.com")
        letters.send_letter(env, parse_letter(LETTER), "blog")
        sent = sending.send_due(env)
        assert (sent.sent, sent.failed, sent.problem) == (60, 0, "")
        assert len({message.recipient for message in sink.accepted}) == 60
        db.session.remove()
        db.engine.dispose()
    client = app.test_client()
    for number in range(12):
        assert (
            client.post("/blog/subscribe", data={"email": f"s{number}@example.com"}).status_code
            == 303
        )
    with app.app_context():
        db.engine.dispose()
    engine = create_engine(pooled_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0
    engine.dispose()
