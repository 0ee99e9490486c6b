"""Files for confirmed subscribers: linked in mails, opened by link for 30 days, in whole and in
ranges.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.models import MailingList, Subscription
from newsletter.services import resources
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.tokens import Tokens
from newsletter.vocabulary import MailKind
from tests.conftest import SECRET
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader, campaign_handle

BYTES = b"%PDF-1.4 " + bytes(range(256)) * 40
BASE = "https://news.example.com"


@pytest.fixture(autouse=True)
def handle(app: Flask, tmp_path: Path) -> str:
    """Ana's active subscription; and a guide."""
    file = tmp_path / "Guide für alle.pdf"
    file.write_bytes(BYTES)
    with app.app_context():
        with transaction() as session:
            result = add_reader(session, add_list(session), "ana@example.com", name="Ana").handle
        resources.add_resource(
            app.extensions[EXTENSION], file, title="Ten quiet minutes", name="guide"
        )
        return result


def link(handle: str, clock: Clock, name: str = "guide") -> str:
    return f"/resources/{Tokens([SECRET]).sign('resources', f'{handle}.{name}', clock.now)}"


def work(app: Flask) -> None:
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])


@pytest.mark.any_database
def test_the_file_with_the_right_headers(client: FlaskClient, handle: str, clock: Clock) -> None:
    answer = client.get(link(handle, clock), buffered=True)
    assert answer.status_code == 200
    assert answer.data == BYTES
    assert answer.headers["Content-Type"] == "application/pdf"
    assert "filename*=UTF-8''Guide%20f%C3%BCr%20alle.pdf" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    head = client.head(link(handle, clock), buffered=True)
    assert (head.status_code, head.headers["Content-Length"], head.data) == (
        200,
        str(len(BYTES)),
        b"",
    )


@pytest.mark.any_database
def test_parts_of_a_resource_are_served(client: FlaskClient, handle: str, clock: Clock) -> None:
    url = link(handle, clock)
    answer = client.get(url, buffered=True, headers={"Range": "bytes=100-199"})
    assert (answer.status_code, answer.data) == (206, BYTES[100:200])
    assert answer.headers["Content-Range"] == f"bytes 100-199/{len(BYTES)}"
    assert client.get(url, buffered=True, headers={"Range": "bytes=-10"}).data == BYTES[-10:]
    beyond = client.get(url, buffered=True, headers={"Range": f"bytes={len(BYTES)}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(BYTES)}")
    etag = answer.headers["ETag"]
    assert client.get(url, buffered=True, headers={"If-None-Match": etag}).status_code == 304
    assert (
        client.get(
            url, buffered=True, headers={"Range": "bytes=0-9", "If-Range": '"another"'}
        ).status_code
        == 200
    )


@pytest.mark.parametrize(
    "byte_range", ["lines=0-1", "bytes=a-b", "bytes=5-2", "bytes=0-0,5-6", "bytes", ""]
)
@pytest.mark.any_database
def test_what_is_no_single_range_of_bytes_gets_the_whole_file(
    client: FlaskClient, handle: str, clock: Clock, byte_range: str
) -> None:
    answer = client.get(link(handle, clock), buffered=True, headers={"Range": byte_range})
    assert (answer.status_code, answer.data) == (200, BYTES)


@pytest.mark.any_database
def test_only_for_who_is_subscribed(
    app: Flask, client: FlaskClient, handle: str, clock: Clock
) -> None:
    url = link(handle, clock)
    with app.app_context(), transaction() as session:
        session.scalars(select(Subscription)).one().status = "unsubscribed"
    answer = client.get(url, buffered=True)
    assert answer.status_code == 403
    assert BYTES not in answer.data


@pytest.mark.any_database
def test_crossed_cut_and_foreign_links(client: FlaskClient, handle: str, clock: Clock) -> None:
    good = link(handle, clock)
    tokens = Tokens([SECRET])
    for bad in (
        good[:-1],
        good + "A",
        good.replace("guide", "other"),
        f"/resources/{tokens.sign('preferences', handle, clock.now)}",
        f"/resources/{tokens.sign('resources', 'nobody.guide', clock.now)}",
        link(handle, clock, "no-such"),
        "/resources/..%2f..%2fnewsletter.toml",
        "/resources/no-such",
    ):
        answer = client.get(bad, buffered=True)
        assert answer.status_code == 404, bad
        assert BYTES not in answer.data


@pytest.mark.any_database
def test_after_30_days_a_page_mails_a_fresh_link(
    app: Flask, client: FlaskClient, handle: str, clock: Clock, sink: Sink
) -> None:
    old = link(handle, clock)
    clock.forward(timedelta(days=30, minutes=11))
    answer = client.get(old, buffered=True)
    assert answer.status_code == 410
    assert BYTES not in answer.data
    client.post("/link", data={"token": old.removeprefix("/resources/"), "purpose": "resources"})
    work(app)
    [message] = sink.to("ana@example.com")
    fresh = next(word for word in body(message).split() if word.startswith(f"{BASE}/resources/"))
    assert client.get(fresh.removeprefix(BASE), buffered=True).data == BYTES


@pytest.mark.any_database
def test_the_bare_address_mails_readers_theirs_and_strangers_nothing(
    app: Flask, client: FlaskClient, handle: str, sink: Sink
) -> None:
    page = client.get("/resources/guide").get_data(as_text=True)
    assert "Ten quiet minutes" not in page, "its title is for subscribers"
    known = client.post("/link", data={"email": "ana@example.com", "resource": "guide"})
    unknown = client.post("/link", data={"email": "eve@example.com", "resource": "guide"})
    assert known.data == unknown.data
    work(app)
    assert [outgoing.recipient for outgoing in sink.accepted] == ["ana@example.com"]
    assert f"{BASE}/resources/" in body(sink.messages[0])


def test_a_letter_gives_each_reader_a_link_of_her_own(
    app: Flask, client: FlaskClient, handle: str, sink: Sink
) -> None:
    with app.app_context():
        env = app.extensions[EXTENSION]
        with transaction() as session:
            add_reader(session, session.scalars(select(MailingList)).one(), "bob@example.com")
        address = f"{BASE}/resources/guide"
        letter = letters.parse(
            "---\nsubject: A gift\n---\n"
            f'Here: [the guide]({{{{ resource("guide") }}}}). For everybody: {address} as it '
            f"is. Not {address}.pdf.\n"
        )
        campaign = campaign_handle(letters.send_letter(env, letter))
        sending.send_due(env)
    tokens = set()
    for message in sink.messages:
        for kind in ("plain", "html"):
            text = body(message, kind)
            [token] = re.findall(rf"{BASE}/resources/([\w-]+\.guide\.[\w.-]+)", text)
            tokens.add(token)
            assert client.get(f"/resources/{token}", buffered=True).data == BYTES
            assert f"{address}.pdf" in text
            assert re.search(rf"{address}(?![\w.-])", text), (
                "an address that somebody wrote is left alone"
            )
    assert len(tokens) == 2
    page = client.get(f"/blog/archive/{campaign}", follow_redirects=True).get_data(as_text=True)
    assert f'{BASE}/resources/guide"' in page, (
        "the archive shows the address that stands for everybody's"
    )
    for token in tokens:
        assert token not in page


@pytest.mark.any_database
def test_the_welcome_mail_may_link_one(
    app: Flask, client: FlaskClient, handle: str, sink: Sink
) -> None:
    from newsletter import outbox

    with app.app_context():
        env: Environment = app.extensions[EXTENSION]
        mine = env.settings.folder / "templates" / "emails" / "welcome"
        mine.mkdir(parents=True)
        (mine / "text.txt").write_text('Your guide: {{ resource("guide") }}\n')
        (mine / "html.html").write_text('<p><a href="{{ resource("guide") }}">Your guide</a></p>\n')
        with transaction() as session:
            reader = session.scalars(select(Subscription)).one()
            outbox.enqueue(session, mail=MailKind.WELCOME, subscription_id=reader.id, now=env.now)
        sending.send_due(env)
    for kind, end in (("plain", "\n"), ("html", '"')):
        token = body(sink.messages[0], kind).split(f"{BASE}/resources/")[1].split(end)[0]
        assert client.get(f"/resources/{token}", buffered=True).data == BYTES


def test_resources_are_stored_once_and_removed(env: Environment, tmp_path: Path) -> None:
    folder = env.settings.folder / "resources"
    twin = tmp_path / "Ein zweiter Guide.pdf"
    twin.write_bytes(BYTES)
    assert resources.add_resource(env, twin).name == "ein-zweiter-guide"
    assert len(list(folder.iterdir())) == 1, "the same bytes lie there once"
    assert folder.stat().st_mode & 0o77 == 0
    with pytest.raises(Refused, match="there is a resource guide already"):
        resources.add_resource(env, twin, name="guide")
    with pytest.raises(InvalidInput):
        resources.add_resource(env, twin, name="../guide")
    with pytest.raises(NotFound):
        resources.require_resources(["nothing"])
    resources.remove_resource(env, "guide")
    assert len(list(folder.iterdir())) == 1
    resources.remove_resource(env, "ein-zweiter-guide")
    assert list(folder.iterdir()) == []
    with pytest.raises(NotFound):
        resources.remove_resource(env, "guide")
    assert db.session.scalars(select(Subscription)).one()
