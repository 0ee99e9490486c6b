"""A subscriber file from the upload to the last row: shown first, imported by a worker, deleted."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from newsletter.access_vocabulary import AuthorRole
from newsletter.db.session import reading, transaction
from newsletter.models import ConsentEvent, ImportFile, MailingList, Subscriber, Subscription
from newsletter.services.authors import authors
from newsletter.services.operations import cleanup
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.transfer import import_work
from newsletter.settings import Settings
from newsletter.web import uploads
from tests.fakes import Clock
from tests.people import add_reader
from tests.web.author.conftest import Browse, BrowserOf

PAGE = "/author/imports"
PEOPLE = (
    b"Email,First Name,Shoe size,Unsubscribed\n"
    b"ann@example.com,Ann,38,\n"
    b"bob@example.com,<script>alert(1)</script>,44,yes\n"
    b"nobody,Nobody,40,\n"
)


@pytest.fixture
def others(app: Flask, lists: None) -> None:
    """Somebody on the other list, and somebody who has left this one."""
    with app.app_context(), transaction() as session:
        blog, talks = session.scalars(select(MailingList).order_by(MailingList.id))
        add_reader(session, talks, "zoe@example.com")
        left = add_reader(session, blog, "ann@example.com", status="unsubscribed")
        left.unsubscribed_at = left.created_at


@pytest.fixture
def work(app: Flask) -> Callable[[], None]:
    """Let a worker do what waits."""
    env: Environment = app.extensions[EXTENSION]

    def do() -> None:
        with app.app_context():
            import_work.work_on_files(env)

    return do


def upload(
    browser: BrowserOf, content: bytes, name: str = "people.csv", **fields: str
) -> TestResponse:
    data = {"file": (io.BytesIO(content), name), "list": "blog", **fields}
    path = "/author/upload/subscribers"
    return browser.post(path, data, page=PAGE, content_type="multipart/form-data")


def statuses(app: Flask) -> dict[tuple[str, str], str]:
    with app.app_context(), reading() as session:
        query = select(MailingList.slug, Subscriber.email, Subscription.status).join_from(
            Subscription, Subscriber
        )
        rows = session.execute(query.join(MailingList, MailingList.id == Subscription.list_id))
        return {(row[0], row[1]): row[2] for row in rows}


def test_nothing_is_imported_before_its_author_has_seen_what_would_happen(
    app: Flask, browse: Browse, others: None, work: Callable[[], None], settings: Settings
) -> None:
    before = statuses(app)
    browser = browse("owner")
    page = upload(browser, PEOPLE).headers["Location"]
    [file] = (settings.folder / "imports").glob("*/*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    reading_page = browser.get(page).text
    assert 'data-live="uploaded"' in reading_page
    assert "Being read in the background" in reading_page
    work()
    result = browser.get(page).text
    assert statuses(app) == before
    for text in ("Shoe size", "First Name", "line 4: ", "waits for you"):
        assert text in result
    assert "<script>alert" not in result
    assert browser.post(f"{page}/approve", page=page).status_code == 303
    assert "Importing in the background" in browser.get(page).text
    assert browser.post(f"{page}/approve", page=page).status_code == 409, "twice"
    work()
    assert statuses(app) == before | {("blog", "bob@example.com"): "unsubscribed"}
    assert 'role="alert"' not in browser.get(page).text
    assert list((settings.folder / "imports").iterdir()) == []
    assert "imports.approve" in browser.get("/author/audit").text


def test_how_the_author_knows_is_kept_as_evidence(
    app: Flask, browse: Browse, others: None, work: Callable[[], None]
) -> None:
    browser = browse("owner")
    assert upload(browser, PEOPLE, confirmed="on").status_code == 422
    content = b"email\ncat@example.com\n"
    page = upload(browser, content, confirmed="on", because="the paper list").headers["Location"]
    work()
    browser.post(f"{page}/approve", page=page)
    work()
    assert statuses(app)["blog", "cat@example.com"] == "active"
    with app.app_context(), reading() as session:
        assert "the paper list" in session.scalars(select(ConsentEvent.note)).all()


def test_an_opt_out_that_is_not_understood_is_asked_about(
    app: Flask, browse: Browse, others: None, work: Callable[[], None]
) -> None:
    browser = browse("owner")
    page = upload(browser, b"email,blocked\ncat@example.com,a big house\n").headers["Location"]
    work()
    refused = browser.get(page).text
    assert "is not understood" in refused
    assert browser.post(f"{page}/approve", page=page).status_code == 409
    browser.post(
        f"{page}/check", {"list": "blog", "column": "blocked", "meaning": "ignore"}, page=page
    )
    work()
    assert "is not understood" not in browser.get(page).text
    browser.post(f"{page}/approve", page=page)
    work()
    assert statuses(app)["blog", "cat@example.com"] == "pending"


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("people.csv", b"email\n" + b"a@example.com\n" * 2_000_000)
    return packed.getvalue()


@pytest.mark.any_database
def test_hostile_files_are_refused_and_harm_nobody(
    app: Flask, browse: Browse, others: None, work: Callable[[], None], settings: Settings
) -> None:
    before = statuses(app)
    browser = browse("owner")
    names = (
        "../../../etc/cron.d/x",
        "..\\..\\x.csv",
        ".hidden",
        "a" * 300 + ".csv",
        "\u202ecsv.exe",
    )
    contents = (
        bomb(),
        b"PK\x03\x04" + b"\xff" * 500,
        b"\x00" * 2000,
        b"<html>no table</html>",
        b"x",
    )
    for name, content in zip(names, contents, strict=True):
        answer = upload(browser, content, name)
        page = answer.headers["Location"]
        [file] = (settings.folder / "imports").glob("*/*")
        assert file.parent.parent == settings.folder / "imports"
        assert not file.name.startswith(".")
        work()
        assert 'role="alert"' in browser.get(page).text, name
        browser.post(f"{page}/discard", page=page)
        assert list((settings.folder / "imports").iterdir()) == []
    assert upload(browser, b"").status_code == 422
    assert statuses(app) == before


def test_files_that_wait_are_few_and_do_not_wait_for_ever(
    app: Flask, browse: Browse, others: None, settings: Settings, clock: Clock
) -> None:
    browser = browse("owner")
    for _ in range(5):
        assert upload(browser, PEOPLE).status_code == 303
    assert upload(browser, PEOPLE).status_code == 409
    for left in (["discarded"] * 5, []):
        clock.forward(timedelta(days=400))
        with app.app_context():
            cleanup.clean_up(app.extensions[EXTENSION])
            with reading() as session:
                assert session.scalars(select(ImportFile.state)).all() == left
        assert list((settings.folder / "imports").iterdir()) == []


def test_a_file_that_ends_workers_is_given_up(
    app: Flask, browse: Browse, others: None, work: Callable[[], None]
) -> None:
    """As if three workers had been killed while they read it."""
    browser = browse("owner")
    page = upload(browser, PEOPLE).headers["Location"]
    other = upload(browser, b"email\ncat@example.com\n").headers["Location"]
    with app.app_context(), transaction() as session:
        row = session.get_one(ImportFile, int(page.rpartition("/")[2]))
        row.tries = 3
    work()
    assert "a worker could not finish it" in browser.get(page).text
    assert "waits for you" in browser.get(other).text


def test_an_error_of_the_program_is_said_at_once(
    app: Flask,
    browse: Browse,
    others: None,
    work: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No file is known that causes one, so that one is raised here; the next file is read."""
    browser = browse("owner")
    page = upload(browser, PEOPLE).headers["Location"]
    other = upload(browser, b"email\ncat@example.com\n", "other.csv").headers["Location"]
    really = import_work.import_file

    def fail(env: Environment, file: Path, **options: Any) -> Any:
        if file.name == "people.csv":
            raise LookupError("ann@example.com")
        return really(env, file, **options)

    monkeypatch.setattr(import_work, "import_file", fail)
    work()
    text = browser.get(page).text
    assert "this program failed on it" in text and "ann@" not in text
    assert "waits for you" in browser.get(other).text


def test_a_worker_that_is_stopped_goes_on_later(
    app: Flask, browse: Browse, others: None, work: Callable[[], None]
) -> None:
    browser = browse("owner")
    page = upload(browser, PEOPLE).headers["Location"]
    result = iter([False, True])
    with app.app_context():
        import_work.work_on_files(app.extensions[EXTENSION], stop=lambda: next(result))
    assert 'data-live="uploaded"' in browser.get(page).text
    work()
    assert "waits for you" in browser.get(page).text


def test_a_file_is_not_read_for_who_may_not_send_one(browse: Browse) -> None:
    """Before a body is read it is known who sends it; and a server takes none without a ticket."""
    for browser in (browse(), browse("editor"), browse("owner", "blog")):
        read = io.BytesIO(b"x" * 2_000_000)
        answer = browser.client.post(
            "/author/upload/subscribers",
            base_url="https://news.example.com",
            input_stream=read,
            content_type="multipart/form-data; boundary=x",
            content_length=2_000_000,
        )
        assert answer.status_code in (303, 403)
        assert read.tell() == 0


@pytest.mark.parametrize("ended_by", ["revoke", "log-out", "viewer"])
@pytest.mark.parametrize("page", ["/author/files", PAGE])
def test_a_ticket_ends_with_the_log_in_that_it_was_made_for(
    app: Flask, browse: Browse, clock: Clock, page: str, ended_by: str
) -> None:
    """A server takes 100 MB with it before the page can ask who sends them."""
    browser = browse("owner")
    other = browse("owner", address="other@example.com")
    tickets = [re.findall(r"\?ticket=([^\"&]+)", one.get(page).text)[0] for one in (browser, other)]
    env = app.extensions[EXTENSION]
    path = "/author/upload/subscribers"

    def find_limits() -> list[int]:
        with app.app_context():
            return [
                uploads.find_body_limit(env, path, f"ticket={ticket}", "", 7) for ticket in tickets
            ]

    assert find_limits() == [uploads.UPLOAD_AT_MOST, uploads.UPLOAD_AT_MOST]
    with app.app_context():
        if ended_by == "revoke":
            authors.revoke_author(env, "owner0@example.com")
        elif ended_by == "viewer":
            authors.add_author(env, "owner0@example.com", role=AuthorRole.VIEWER)
    if ended_by == "log-out":
        browser.post("/author/log-out", page=page)
    assert find_limits()[1] == uploads.UPLOAD_AT_MOST
    assert find_limits()[0] == 7


def test_only_a_ticket_as_it_was_made_counts(app: Flask, browse: Browse) -> None:
    path = "/author/upload/subscribers"
    env = app.extensions[EXTENSION]
    ticket = re.findall(r"\?ticket=([^\"&]+)", browse("owner").get(PAGE).text)[0]
    for where, query in (
        (path, f"ticket={ticket}x"),
        (path, ""),
        ("/blog/subscribe", f"ticket={ticket}"),
    ):
        with app.app_context():
            assert uploads.find_body_limit(env, where, query, "", 7) == 7


def test_a_log_in_that_is_old_is_asked_for_again(browse: Browse, clock: Clock) -> None:
    browser = browse("owner")
    token = browser.token(PAGE)
    clock.forward(timedelta(hours=2))
    answer = browser.client.post(
        "/author/upload/subscribers",
        base_url="https://news.example.com",
        data={"csrf_token": token, "file": (io.BytesIO(PEOPLE), "people.csv")},
    )
    assert answer.headers["Location"].startswith("/author/again")


def test_bytes_without_a_row_are_deleted(app: Flask, settings: Settings, clock: Clock) -> None:
    lost = Path(settings.folder) / "imports" / "lost"
    lost.mkdir(parents=True)
    (lost / "people.csv").write_bytes(PEOPLE)
    clock.now = clock.now.replace(year=clock.now.year + 50)
    with app.app_context():
        cleanup.clean_up(app.extensions[EXTENSION])
    assert not lost.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"email,status,cadence\nann@example.com,eva.berg@x.example,\n",
        b"email,status,cadence\nann@example.com,active,eva.berg@x.example\n",
        b"email,topics\nann@example.com,eva.berg@x.example\n",
        b"email,list\nann@example.com,eva.berg@x.example\n",
        b"email,blocked\nann@example.com,eva.berg@x.example\n",
        b"ann@example.com,Ann,eva.berg@x.example\nbob@example.com,Bob,eva.berg@x.example\n",
        b"name,friend\nAnn,eva.berg@x.example and others\n",
        b"eva.berg@x.example,name\nAnn,Novak\n",
    ],
)
def test_what_an_import_says_names_no_address(
    app: Flask, browse: Browse, others: None, work: Callable[[], None], content: bytes
) -> None:
    """It is kept for a month, and the file is on its author's own disk: the line is enough."""
    browser = browse("owner")
    page = upload(browser, content).headers["Location"]
    work()
    assert browser.get(page).status_code == 200
    with app.app_context(), reading() as session:
        [row] = session.scalars(select(ImportFile))
        stored = str([row.result, row.problem, row.choices, row.filename])
    assert not re.search("eva.berg", stored), stored
