"""Pages that are rendered once for everybody: never stale, whoever changed what is on them, and
nothing of a visitor's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter.app import create_app
from newsletter.db.session import db, transaction
from newsletter.models import Campaign
from newsletter.services.lists import lists, topics
from newsletter.services.lookup import get_list
from newsletter.services.runtime import EXTENSION
from newsletter.services.signup import forms
from newsletter.settings import Settings
from newsletter.tokens import Tokens
from newsletter.web.page_cache import REMEMBERED
from tests.conftest import SECRET
from tests.fakes import START, Clock
from tests.people import add_list

PATHS = ("/", "/blog/", "/blog/embed")


@pytest.fixture(autouse=True)
def blog(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        add_list(session)


def shown(client: FlaskClient, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def mailing(slug: str) -> None:
    with transaction() as session:
        mailing_list = get_list(session, slug)
        session.add(
            Campaign(
                list_id=mailing_list.id,
                kind="letter",
                status="sent",
                subject="A walk",
                archive_name="2026-11-24-a-walk",
                seed="5eed",
                created_at=START,
                started_at=START,
            )
        )


CHANGES: list[tuple[Callable[[Flask], object], str, tuple[str, ...]]] = [
    (
        lambda app: lists.edit(app.extensions[EXTENSION], "blog", {"title": "Slower"}),
        "Slower",
        PATHS,
    ),
    (
        lambda app: lists.edit(app.extensions[EXTENSION], "blog", {"consent": "I do"}),
        "I do",
        PATHS[1:],
    ),
    (lambda app: forms.add_field("blog", "city", "text", "Your city"), "Your city", PATHS[1:]),
    (lambda app: topics.add("blog", "Sleep"), "Sleep", PATHS[1:]),
    (lambda app: mailing("blog"), "A walk", ("/blog/",)),
]


@pytest.mark.parametrize(
    ("change", "words", "paths"), CHANGES, ids=[words for _, words, _ in CHANGES]
)
def test_what_another_worker_changes_is_seen_at_once(
    settings: Settings,
    client: FlaskClient,
    change: Callable[[Flask], object],
    words: str,
    paths: tuple[str, ...],
) -> None:
    other = create_app(settings)
    for path in PATHS:
        assert words not in shown(client, path)
    with other.app_context():
        change(other)
        db.session.remove()
        db.engine.dispose()
    for path in PATHS:
        assert (words in shown(client, path)) == (path in paths), path


@pytest.mark.processes
def test_what_a_command_changes_is_seen_at_once(settings: Settings, client: FlaskClient) -> None:
    before = {path: shown(client, path) for path in PATHS}
    assert shown(client, "/") == before["/"]
    environ = {
        **os.environ,
        "NEWSLETTER_SECRET_KEY": SECRET,
        "NEWSLETTER_DATABASE_URL": settings.database_url,
    }
    command = [
        Path(sys.executable).with_name("newsletter"),
        "list",
        "edit",
        "blog",
        "--title",
        "Slower",
    ]
    subprocess.run(command, env=environ, check=True, capture_output=True, cwd=settings.folder)
    for path in PATHS:
        assert "Slow Letters" in before[path]
        assert "Slow Letters" not in shown(client, path)
        assert "Slower" in shown(client, path)


@pytest.mark.any_database
def test_nothing_of_a_visitor_is_remembered(app: Flask, client: FlaskClient, clock: Clock) -> None:
    first = shown(client, "/blog/embed", Referer='https://one.example/"><script>x')
    assert 'name="page" value="https://one.example/&#34;&gt;' in first
    clock.forward(timedelta(minutes=5))
    second = shown(client, "/blog/embed", Referer="https://two.example/")
    assert "two.example" in second
    assert "one.example" not in second
    assert 'name="page"' not in shown(client, "/blog/embed")
    typed = client.post("/blog/embed", data={"email": "ana@nowhere", "name": "Ana"})
    assert "ana@nowhere" in typed.get_data(as_text=True)
    assert "ana@nowhere" not in shown(client, "/blog/embed")
    tokens = Tokens([SECRET])
    stamps = [page.split('name="stamp" value="')[1].split('"')[0] for page in (first, second)]
    moments = [
        tokens.read_signing_time("form", stamp)
        for stamp in stamps
        if tokens.open("form", stamp, clock.now)
    ]
    assert moments[1] - moments[0] == timedelta(minutes=5)
    assert app.extensions[REMEMBERED].cache_info().currsize == 2, (
        "with and without a page that it is framed in"
    )


@pytest.mark.any_database
def test_languages_themes_and_mounts_are_pages_of_their_own(
    app: Flask, client: FlaskClient
) -> None:
    for _ in range(2):
        assert '<html lang="en"' in shown(client, "/blog/embed")
        assert '<html lang="de"' in shown(client, "/blog/embed", **{"Accept-Language": "de"})
        assert 'data-theme="dark"' in shown(client, "/blog/embed?theme=dark")
        assert 'data-theme="light"' in shown(client, "/blog/embed")
        mounted = client.get("/blog/embed", environ_overrides={"SCRIPT_NAME": "/news"}).get_data(
            as_text=True
        )
        assert 'href="/news/static/style.css"' in mounted
    assert client.get("/blog/").headers["Vary"] == "Accept-Language"
    shared = client.get("/blog/").headers["Cache-Control"]
    assert shared == "public, max-age=0, s-maxage=5"


@pytest.mark.any_database
def test_each_application_has_its_own_templates(
    settings: Settings, client: FlaskClient, tmp_path: Path
) -> None:
    shown(client, "/")
    folder = tmp_path / "other" / "templates" / "pages"
    folder.mkdir(parents=True)
    (folder / "home.html").write_text("My own page")
    other = create_app(settings.model_copy(update={"folder": tmp_path / "other"}))
    assert shown(other.test_client(), "/") == "My own page"
    with other.app_context():
        db.engine.dispose()
