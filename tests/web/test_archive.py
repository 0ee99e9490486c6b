"""Test what visitors of the archive cause: no statement that grows with the list or its mail."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, transaction
from newsletter.models import MailingList
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from tests.people import add_list, add_reader, campaign_handle

GROWING = re.compile(r"\b(?:FROM|JOIN)\s+(deliveries|subscriptions|subscribers|events)\b")


@pytest.fixture
def sending(app: Flask) -> str:
    """Return the handle of a campaign of `blog` that is being sent; another list has one, too."""
    with app.app_context():
        env = app.extensions[EXTENSION]
        with transaction() as session:
            for slug in ("blog", "other"):
                add_reader(
                    session, add_list(session, slug, theme_color="#123456"), f"{slug}@example.com"
                )
        letter = "---\nsubject: Slowly of {}\n---\nHello.\n"
        campaigns = {
            slug: letters.send_letter(env, parse_letter(letter.format(slug)), slug)
            for slug in ("blog", "other")
        }
        return campaign_handle(campaigns["blog"])


@pytest.mark.parametrize("path", ["", "{}", "feed.xml"])
def test_a_visit_of_the_archive_counts_nothing(
    app: Flask, client: FlaskClient, sending: str, path: str
) -> None:
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        page = client.get(f"/blog/archive/{path.format(sending)}", follow_redirects=True)
        event.remove(db.engine, "before_cursor_execute", note)
    assert page.status_code == 200
    assert "Slowly of blog" in page.text
    assert "Slowly of other" not in page.text
    assert statements
    assert [statement for statement in statements if GROWING.search(statement)] == []


def test_another_list_does_not_show_a_campaign(client: FlaskClient, sending: str) -> None:
    assert client.get(f"/other/archive/{sending}").status_code == 404


def test_the_archive_has_the_look_of_its_list(
    app: Flask, client: FlaskClient, sending: str
) -> None:
    with app.app_context(), transaction() as session:
        session.query(MailingList).filter_by(slug="blog").one().site_url = "https://slow.example/"
    assert "https://slow.example/" in client.get("/blog/archive/").text
