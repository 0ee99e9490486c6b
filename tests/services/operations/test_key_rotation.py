"""After `key rotate` the new key signs, old links open, and suppressed addresses stay so."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.app import create_app
from newsletter.db.session import db, reading, transaction
from newsletter.errors import Refused
from newsletter.models import Subscription
from newsletter.services import installation, suppressions
from newsletter.services.operations.key_rotation import rotate_key
from newsletter.services.runtime import EXTENSION
from newsletter.settings_loader import load_settings
from tests.conftest import SECRET
from tests.fakes import Clock, FakeDns, FakeFetch, Sink
from tests.people import add_list, add_reader


def test_two_rotations_lose_no_link_and_bring_nobody_back(
    database_url: str, clock: Clock, sink: Sink, tmp_path: Path
) -> None:
    file = tmp_path / "newsletter.toml"
    file.write_text(
        f'# mine\nsecret_key = "{SECRET}"    # keep it\nbase_url = "https://news.example.com"\n'
    )
    environ = {"NEWSLETTER_DATABASE_URL": database_url}
    links = []
    for rotations in range(3):
        settings = load_settings(file, environ)
        app = create_app(
            settings, transport=lambda: sink, fetch=FakeFetch(), clock=clock, resolver=FakeDns()
        )
        env = app.extensions[EXTENSION]
        with app.app_context():
            if not rotations:
                with transaction() as session:
                    mailing_list = add_list(session)
                    add_reader(session, mailing_list, "a@example.com")
                    add_reader(session, mailing_list, "b@example.com")
                suppressions.suppress(env, "gone@example.com")
            assert installation.record_key(env) == ("rotated" if rotations else "new")
            with reading() as session:
                assert suppressions.is_suppressed(env, session, "gone@example.com")
                assert not suppressions.is_suppressed(env, session, "a@example.com")
                handle = str(session.scalars(select(Subscription.handle)).first())
            links.append(env.links.unsubscribe(handle, env.now).partition("example.com")[2])
            db.engine.dispose()
        client: FlaskClient = app.test_client()
        assert [client.get(link).status_code for link in links] == [200] * (rotations + 1)
        with app.app_context():
            db.engine.dispose()
        rotate_key(file, environ)
    assert len(set(links)) == 3
    text = file.read_text()
    assert text.startswith("# mine\n")
    assert text.count("secret_key =") == 1
    assert text.count("secret_key_fallbacks =") == 1
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_settings(file, environ).signing_keys[-1] == SECRET


@pytest.mark.parametrize(
    ("text", "environ", "reason"),
    [
        ("", {"NEWSLETTER_SECRET_KEY": SECRET}, "stands in NEWSLETTER_SECRET_KEY"),
        (f'"secret_key" = "{SECRET}"', {}, "no line"),
    ],
)
def test_a_key_that_stands_elsewhere_is_left_alone(
    tmp_path: Path, text: str, environ: dict[str, str], reason: str
) -> None:
    file = tmp_path / "newsletter.toml"
    file.write_text(text)
    with pytest.raises(Refused, match=reason):
        rotate_key(file, environ)
    assert file.read_text() == text
    assert [path.name for path in tmp_path.iterdir() if "rotating" in path.name] == []
