"""A whole campaign through Debian's PgBouncer in transaction mode, with fewer server connections
than workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from newsletter.app import create_app
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, transaction
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.settings import Settings
from tests.fakes import Clock, FakeDns, FakeFetch, Sink
from tests.people import add_list, add_reader
from tests.servers.pgbouncer import PgBouncer

pytestmark = pytest.mark.proxy

LETTER = "---\nsubject: Going slowly\n---\n\nA letter.\n"


@pytest.fixture
def pooled_url(database_url: str, database_kind: str, tmp_path: Path) -> Iterator[str]:
    """Yield the address of PgBouncer in front of the test's PostgreSQL."""
    if database_kind != "postgresql":
        pytest.skip("PgBouncer is for PostgreSQL")
    bouncer = PgBouncer(database_url, tmp_path / "pgbouncer")
    yield bouncer.url
    bouncer.close()


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
