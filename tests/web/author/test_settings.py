"""Settings and look of a list in the browser: the checks of `list edit`, and nothing else
changed.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.models import MailingList
from newsletter.services.lists import lists
from newsletter.services.runtime import EXTENSION
from tests.fakes import Clock
from tests.people import add_entry, add_feed, add_reader
from tests.web.author.conftest import Browse

PAGE = "/author/lists/blog/settings"
LOOK = "/author/lists/blog/look"


@pytest.fixture
def posts(app: Flask, lists: None) -> None:
    """Add a post that was mailed and one that was not on `blog`, another on `talks`."""
    with app.app_context(), transaction() as session:
        blog, talks = session.scalars(select(MailingList).order_by(MailingList.id))
        feed = add_feed(session, blog)
        add_entry(session, feed, "Mailed <script>alert(1)</script>").fate = "sent"
        add_entry(session, feed, "Coming up")
        add_entry(session, add_feed(session, talks, "https://t.example/feed"), "Talk of the town")
        add_reader(session, blog, "ann@example.com")


def settings_of(app: Flask, slug: str) -> lists.ListSettings:
    with app.app_context():
        return lists.show(slug)


def test_an_author_of_one_list_does_not_write_from_the_domain_of_another(
    app: Flask, browse: Browse, posts: None
) -> None:
    """Mails are signed by domain, and subscribers are offered the lists of the same one."""
    before = settings_of(app, "blog")
    foreign = "Ana <ana@else.example.net>"
    for who, saved in ((browse("owner", "blog"), False), (browse("owner"), True)):
        sender = before.from_email
        for typed in (f"Ana <new@{sender.rpartition('@')[2]}>", foreign):
            answer = who.post(PAGE, {"from": typed, "was_from": ""}, page=PAGE)
            assert answer.status_code == (422 if typed == foreign and not saved else 303)
        domain = settings_of(app, "blog").from_email.rpartition("@")[2]
        assert (domain == "else.example.net") == saved


def test_only_what_was_changed_in_the_form_is_saved(
    app: Flask, browse: Browse, posts: None, clock: Clock
) -> None:
    """Meanwhile the command line has changed another setting: it stays."""
    browser = browse("owner", "blog")
    with app.app_context(), reading() as session:
        since = session.scalars(select(MailingList.schedule_since)).first()
    clock.forward(timedelta(minutes=1))
    with app.app_context():
        lists.edit(app.extensions[EXTENSION], "blog", {"description": "By the command line"})
    fields = {
        "title": "Quiet Letters",
        "was_title": "Slow Letters",
        "description": "",
        "was_description": "",
        "hour": "8",
        "was_hour": "8",
        "cadences": ["daily", "weekly"],
        "was_cadences": "instant daily weekly monthly",
    }
    assert browser.post(PAGE, fields, page=PAGE).headers["Location"] == f"{PAGE}?done=1"
    saved = settings_of(app, "blog")
    assert (saved.title, saved.description) == ("Quiet Letters", "By the command line")
    assert saved.cadences == ("daily", "weekly")
    assert settings_of(app, "talks").title == "Slow Letters"
    with app.app_context(), reading() as session:
        assert session.scalars(select(MailingList.schedule_since)).first() == since


def test_a_wrong_value_is_shown_beside_its_field(app: Flask, browse: Browse, posts: None) -> None:
    browser = browse("owner")
    fields = {
        "hour": "25",
        "was_hour": "8",
        "from": "nobody",
        "was_from": "",
        "title": "Kept",
        "was_title": "",
    }
    answer = browser.post(PAGE, fields, page=PAGE)
    assert answer.status_code == 422
    assert "must be a number from 0 to 23" in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    assert 'value="25"' in answer.text and 'value="Kept"' in answer.text
    assert settings_of(app, "blog").title == "Slow Letters"


def test_the_look_is_seen_before_it_is_saved(app: Flask, browse: Browse, posts: None) -> None:
    browser = browse("owner")
    look = {"color": "#aa1155", "was_color": "", "font": "serif", "was_font": "system"}
    tried = browser.post(f"{LOOK}/try", look, page=LOOK)
    assert tried.status_code == 200 and "color=%23aa1155" in tried.text
    assert settings_of(app, "blog").color == ""
    answer = browser.get(f"{LOOK}/html?color=%23aa1155&font=serif&order=oldest")
    assert "#aa1155" in answer.text and "Georgia" in answer.text
    assert answer.text.index("Mailed") < answer.text.index("Coming up")
    assert "<script" not in answer.text and "Talk of the town" not in answer.text
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "#aa1155" not in browser.get(f"{LOOK}/html").text
    assert browser.get(f"{LOOK}/html?color=red").status_code == 422
    browser.post(LOOK, look, page=LOOK)
    assert (settings_of(app, "blog").color, settings_of(app, "blog").font) == ("#aa1155", "serif")
    assert settings_of(app, "talks").color == ""


@pytest.mark.any_database
def test_settings_of_other_lists_are_not_there(app: Flask, browse: Browse, lists: None) -> None:
    browser = browse("owner", "blog")
    assert "talks" not in browser.get("/author/settings").text
    for path in ("settings", "look", "look/html"):
        assert browser.get(f"/author/lists/talks/{path}").status_code == 404
    assert browser.get(f"{LOOK}/html").status_code == 409, "no entry to show yet"


def test_review_and_the_weekly_note(app: Flask, browse: Browse, posts: None) -> None:
    browser = browse("owner", "blog")
    page = browser.get(PAGE).text
    for name in ("review", "review_instant", "on_silence", "weekly_note"):
        assert f'name="{name}"' in page and f'name="was_{name}"' in page
    fields = {
        "review": "1d",
        "was_review": "off",
        "review_instant": "yes",
        "was_review_instant": "no",
        "on_silence": "wait",
        "was_on_silence": "send",
        "weekly_note": "off",
        "was_weekly_note": "on",
    }
    assert browser.post(PAGE, fields, page=PAGE).status_code == 303
    saved = settings_of(app, "blog")
    other = settings_of(app, "talks")
    assert (saved.review, saved.review_instant) == ("24h", "yes")
    assert (saved.on_silence, saved.weekly_note) == ("wait", "off")
    assert (other.review, other.weekly_note) == ("off", "on")
    answer = browser.post(PAGE, {"review": "9d", "was_review": "24h"}, page=PAGE)
    assert answer.status_code == 422 and "must be from 5m to 3d" in answer.text
    assert settings_of(app, "blog").review == "24h"
