"""After `key rotate` the new key signs, old links open, and suppressed addresses stay so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Select, select

from newsletter.app import create_app
from newsletter.bounce_vocabulary import BounceSource
from newsletter.db.session import db, reading, transaction
from newsletter.errors import Refused
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Subscriber, Subscription
from newsletter.services import installation, suppressions
from newsletter.services.inbound.messages import apply_message
from newsletter.services.operations.key_rotation import rotate_key
from newsletter.services.runtime import EXTENSION
from newsletter.settings_loader import load_settings
from newsletter.tokens import make_unsubscribe_address
from tests.conftest import SECRET
from tests.fakes import Clock, FakeDns, FakeFetch, Sink
from tests.people import add_list, add_reader
from tests.services.inbound.returned import mail


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


@pytest.fixture
def start(
    database_url: str, clock: Clock, sink: Sink, tmp_path: Path
) -> Iterator[Callable[[], Flask]]:
    """Return what starts a process with the keys that the settings file has at that moment."""
    file = tmp_path / "newsletter.toml"
    file.write_text(f'secret_key = "{SECRET}"\nbase_url = "https://news.example.com"\n')
    started = []

    def start() -> Flask:
        settings = load_settings(file, {"NEWSLETTER_DATABASE_URL": database_url})
        app = create_app(
            settings, transport=lambda: sink, fetch=FakeFetch(), clock=clock, resolver=FakeDns()
        )
        started.append(app)
        return app

    yield start
    for app in started:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def test_a_process_with_the_old_key_opens_what_is_signed_with_the_new_one(
    start: Callable[[], Flask], clock: Clock, tmp_path: Path
) -> None:
    """`campaign send` and `worker --once` have the new key at once, `serve` when it is restarted.

    Whoever leaves meanwhile, by the button of a mail program, by the link or by mail, has left.
    """
    old_app = start()
    with old_app.app_context():
        with transaction() as session:
            mailing_list = add_list(session)
            for name in ("button", "link", "mail", "other"):
                add_reader(session, mailing_list, f"{name}@example.com")
        handles = {name: _get_handle(name) for name in ("button", "link", "mail", "other")}
        before = old_app.extensions[EXTENSION].links.unsubscribe(handles["other"], clock.now)
    for _ in range(2):
        rotate_key(tmp_path / "newsletter.toml", {})
    new_env = start().extensions[EXTENSION]
    links = {
        name: new_env.links.unsubscribe(handle, clock.now).partition("example.com")[2]
        for name, handle in handles.items()
    }
    client = old_app.test_client()
    forged = links["other"][:-1] + ("A" if links["other"][-1] != "A" else "B")
    assert client.post(forged, data={"List-Unsubscribe": "One-Click"}).status_code == 404
    one_click = {"List-Unsubscribe": "One-Click"}
    assert client.post(links["button"], data=one_click).status_code == 200
    assert client.get(links["link"]).status_code == 200
    assert client.post(links["link"]).status_code in (200, 303)
    to = make_unsubscribe_address(
        new_env.settings.signing_keys[0], "b@example.com", handles["mail"]
    )
    with old_app.app_context():
        message = mail(to, subject="unsubscribe", sender="mail@example.com")
        apply_message(old_app.extensions[EXTENSION], message, BounceSource.PIPE)
        statuses = {name: _get_status(name) for name in handles}
    assert statuses == dict.fromkeys(handles, "unsubscribed") | {"other": "active"}
    assert new_env.tokens.open(LinkPurpose.UNSUBSCRIBE, before.rpartition("/")[2], clock.now)


def _get_handle(name: str) -> str:
    return str(db.session.scalar(_select_of(Subscription.handle, name)))


def _get_status(name: str) -> str:
    db.session.rollback()
    return str(db.session.scalar(_select_of(Subscription.status, name)))


def _select_of(column: Any, name: str) -> Select[Any]:
    return select(column).join(Subscriber).where(Subscriber.email == f"{name}@example.com")


@pytest.mark.any_database
def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    """A process may have started with each of them, and signed."""
    file = tmp_path / "newsletter.toml"
    file.write_text(f'secret_key = "{SECRET}"\nbase_url = "https://news.example.com"\n')
    with ThreadPoolExecutor(8) as pool:
        rotated = list(pool.map(lambda _: rotate_key(file, {}), range(8)))
    keys = load_settings(file, {}).signing_keys
    assert sorted(keys) == sorted({settings.signing_keys[0] for settings in rotated} | {SECRET})
    assert keys[-1] == SECRET
    assert len(keys) == 9
    assert [path.name for path in tmp_path.iterdir()] == ["newsletter.toml"]


@pytest.mark.any_database
def test_a_file_that_is_linked_to_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    target = tmp_path / "kept" / "ours.toml"
    target.write_text(f'secret_key = "{SECRET}"\n')
    link = tmp_path / "newsletter.toml"
    link.symlink_to(target)
    rotated = rotate_key(link, {})
    assert link.is_symlink()
    assert load_settings(target, {}).signing_keys == rotated.signing_keys
    assert rotated.signing_keys[1:] == (SECRET,)


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
