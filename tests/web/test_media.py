"""Pictures of letters, served by the archive."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from newsletter.db.session import transaction
from newsletter.services.letters import drafts
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from tests.people import add_list, add_reader, campaign_handle
from tests.unit.authoring.test_images import picture


def test_a_letters_picture_and_page(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "tree.jpg").write_bytes(picture())
    (tmp_path / "x.md").write_text(
        "---\nsubject: Slowly\n---\nDear {{ subscriber.name or 'friend' }}, see: ![A "
        "tree](tree.jpg)\n"
    )
    with app.app_context():
        env = app.extensions[EXTENSION]
        with transaction() as session:
            mailing_list = add_list(session)
            add_reader(session, mailing_list, "zoe@example.com", name="Zoe")
        draft = drafts.load_draft(env, tmp_path / "x.md")
        [name] = draft.prepared.names.values()
        handle = campaign_handle(letters.dispatch_letter(env, draft))
        sending.send_due(env)
    answer = client.get(f"/blog/archive/media/{name}")
    assert (answer.status_code, answer.mimetype, answer.data[:2]) == (
        200,
        "image/jpeg",
        b"\xff\xd8",
    )
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/blog/archive/media/nothing.jpg").status_code == 404
    assert client.get("/blog/archive/media/..%2f..%2fnewsletter.toml").status_code == 404
    page = client.get(f"/blog/archive/{handle}", follow_redirects=True).text
    assert "Dear friend" in page
    assert f"archive/media/{name}" in page
    for personal in ("Zoe", "Unsubscribe", "/unsubscribe/", "/preferences/"):
        assert personal not in page


def test_what_went_to_some_readers_is_not_for_everybody(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        env = app.extensions[EXTENSION]
        with transaction() as session:
            add_reader(session, add_list(session), "zoe@example.com", name="Zoe", cadence="daily")
        between_us = letters.parse(
            '---\nsubject: Between us\nsegment: cadence == "daily"\n---\nHello.\n'
        )
        handle = campaign_handle(letters.send_letter(env, between_us))
        sending.send_due(env)
    assert client.get(f"/blog/archive/{handle}").status_code == 404
    assert "Between us" not in client.get("/blog/archive/").text + client.get("/blog/").text
    assert "Between us" not in client.get("/blog/archive/feed.xml").text
