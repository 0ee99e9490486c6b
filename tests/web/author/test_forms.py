"""Forms, files and health in the browser: what the commands do, and nothing for others."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from newsletter.db.session import reading, transaction
from newsletter.models import MailingList, Resource
from newsletter.services import resources
from newsletter.services.operations import doctor, health
from newsletter.services.runtime import EXTENSION
from newsletter.services.signup import forms
from newsletter.settings import Settings
from tests.fakes import FakeDns
from tests.web.author.conftest import Browse, BrowserOf

PAGE = "/author/lists/blog/forms"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40
SCRIPT = "<script>alert(1)</script>"


def test_the_snippet_stands_beside_how_it_looks(app: Flask, browse: Browse, lists: None) -> None:
    browser = browse("editor", "blog")
    for kind, sign in (
        ("form", "newsletter-form"),
        ("script", "embed.js"),
        ("iframe", "/blog/embed"),
        ("link", "/blog/"),
    ):
        answer = browser.get(f"{PAGE}?snippet={kind}&words=de")
        assert sign in answer.text
        if kind != "iframe":
            preview = browser.get(f"{PAGE}/html?snippet={kind}&words=de")
            assert "form-action 'none'" in preview.headers["Content-Security-Policy"]
            assert "sandbox" in preview.headers["Content-Security-Policy"]
            assert 'lang="de"' in preview.text or "abonnieren" in preview.text
    assert browser.get(f"{PAGE}?snippet=x&words=y&theme=z").status_code == 200
    assert browser.get("/author/lists/talks/forms/html").status_code == 404


def test_fields_and_topics_are_added_with_the_checks_of_the_commands(
    app: Flask, browse: Browse, lists: None
) -> None:
    browser = browse("owner", "blog")
    field = {
        "name": "city",
        "kind": "choice",
        "label": f"City {SCRIPT}",
        "choices": "Berlin\nParis",
    }
    wrong = browser.post("/author/lists/blog/fields", field | {"choices": "Berlin"}, page=PAGE)
    assert wrong.status_code == 422 and "two or more" in wrong.text
    assert browser.post("/author/lists/blog/fields", field, page=PAGE).status_code == 303
    assert browser.post("/author/lists/blog/fields", field, page=PAGE).status_code == 409
    assert browser.post("/author/lists/blog/topics", {"topic": "7"}, page=PAGE).status_code == 422
    browser.post("/author/lists/blog/topics", {"topic": "Sleep", "categories": "rest"}, page=PAGE)
    page = browser.get(PAGE).text
    assert SCRIPT not in page and "Paris" in page and "Sleep" in page
    with app.app_context():
        assert [one.name for one in forms.get_form("blog").fields] == ["city"]
        assert forms.get_form("talks").fields == forms.get_form("talks").topics == ()
    browser.post("/author/lists/blog/fields/city/remove", page=PAGE)
    with app.app_context():
        assert forms.get_form("blog").fields == ()
    assert browser.post("/author/lists/talks/fields", field, page=PAGE).status_code == 404


def send_file(browser: BrowserOf, filename: str, content: bytes, **fields: str) -> TestResponse:
    data = {"file": (io.BytesIO(content), filename), **fields}
    return browser.post(
        "/author/upload/files", data, page="/author/files", content_type="multipart/form-data"
    )


def test_a_file_is_uploaded_replaced_and_removed(
    app: Flask, browse: Browse, lists: None, settings: Settings
) -> None:
    browser = browse("owner")
    send_file(browser, "other.pdf", b"%PDF other")
    assert send_file(browser, "Guide.PDF", b"%PDF one", title=f"Guide {SCRIPT}").status_code == 303
    page = browser.get("/author/files").text
    assert "{{ resource(&#34;guide&#34;) }}" in page and SCRIPT not in page
    assert send_file(browser, "guide.pdf", b"%PDF two").status_code == 409
    assert (
        send_file(browser, "second.pdf", b"%PDF two", name="guide", replace="on").status_code == 303
    )
    with app.app_context(), reading() as session:
        row = session.scalars(select(Resource).where(Resource.name == "guide")).one()
        assert (row.filename, row.title) == ("second.pdf", f"Guide {SCRIPT}")
    folder = settings.folder / "resources"
    assert sorted(file.read_bytes() for file in folder.iterdir()) == [b"%PDF other", b"%PDF two"]
    browser.post("/author/files/guide/remove", page="/author/files")
    assert [file.read_bytes() for file in folder.iterdir()] == [b"%PDF other"]
    assert browser.post("/author/files/guide/remove", page="/author/files").status_code == 404
    assert browse("editor").get("/author/files").text.count("<form") == 1, "only the log-out"


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("photo.png", PNG, "image/png"),
        ("page.png", b"<html><script>alert(1)</script>", "application/octet-stream"),
        ("../../x/evil.svg", b"<svg onload=alert(1)>", "application/octet-stream"),
        ("a.html", b"<script>", "text/html"),
        ("..", b"x", "application/octet-stream"),
        ("C:\\folder\\talk.mp3", b"ID3" + b"0" * 20, "audio/mpeg"),
    ],
)
def test_types_go_by_content_and_names_stay_inside(
    app: Flask,
    browse: Browse,
    lists: None,
    settings: Settings,
    name: str,
    content: bytes,
    kind: str,
) -> None:
    assert send_file(browse("owner"), name, content, name="thing").status_code == 303
    with app.app_context():
        [added] = resources.list_resources()
    assert added.content_type == kind
    assert "/" not in added.filename and "\\" not in added.filename
    assert len(list(Path(settings.folder / "resources").iterdir())) == 1


def test_health_tells_what_is_known_and_asks_when_told_to(
    app: Flask, browse: Browse, lists: None, fake_dns: FakeDns
) -> None:
    with app.app_context(), transaction() as session:
        session.execute(update(MailingList).values(from_email="ana@slow-letters.net"))
    browser = browse("owner")
    page = browser.get("/author/health").text
    assert 'No worker has run yet. Start <code dir="ltr">newsletter serve</code> or' in page
    assert 'Run <code dir="ltr">newsletter backup FILE</code>.' in page
    assert fake_dns.questions == []
    checked = browser.post("/author/health", page="/author/health").text
    assert fake_dns.questions
    assert "to mend" in checked
    assert "v=spf1" in checked and "<textarea" in checked, "the record to publish"


@pytest.mark.any_database
def test_a_check_that_hangs_holds_no_page(
    app: Flask, monkeypatch: pytest.MonkeyPatch, lists: None
) -> None:
    ended = threading.Event()

    def hang() -> list[doctor.Check]:
        ended.wait(10)
        return []

    parts = [("slow", hang), ("quick", lambda: [doctor.Check("quick", "good", "is there")])]
    monkeypatch.setattr(doctor, "list_parts", lambda env: parts)
    with app.app_context(), transaction() as session:
        assert session.scalars(select(MailingList.id)).all()
    with app.app_context():
        slow, quick = health.examine_within(app.extensions[EXTENSION], seconds=0.3)
    ended.set()
    assert (slow.id, slow.verdict, quick.verdict) == ("slow", "unknown", "good")
