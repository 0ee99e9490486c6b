"""Every page under /author/, opened by everybody: who may, and who may not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from newsletter.access_vocabulary import ActOutcome
from newsletter.db.session import reading, transaction
from newsletter.models import Author, AuthorAct, Campaign, Entry, MailingList, Subscription
from newsletter.services.digests import due
from newsletter.services.runtime import EXTENSION
from tests.people import add_entry, add_feed, add_reader
from tests.web.author.conftest import Browse

OPEN = {"ask_page", "ask", "code_page", "code", "enter_page", "enter", "challenge", "passkey"}
"""Pages of the way in; everything else asks for a log-in."""

MAY = {
    "today.index": "viewer",
    "today.sending": "viewer",
    "log_in.again_page": "viewer",
    "log_in.again": "viewer",
    "log_in.account": "viewer",
    "log_in.log_out": "viewer",
    "passkeys.index": "viewer",
    "passkeys.challenge": "viewer recent",
    "passkeys.add": "viewer recent",
    "passkeys.rename": "viewer",
    "passkeys.remove": "viewer recent",
    "audit.index": "owner everywhere",
    "statistics.index": "viewer",
    "campaigns.index": "viewer",
    "campaigns.show": "viewer",
    "campaigns.html": "viewer",
    "campaigns.text": "viewer",
    "campaigns.pause": "editor",
    "campaigns.resume": "owner recent",
    "campaigns.cancel": "owner recent",
    "campaigns.retry": "owner recent",
    "campaigns.undo": "editor",
    "newcomers.show": "owner recent",
    "newcomers.count": "owner recent",
    "newcomers.send": "owner recent",
    "letters.index": "viewer",
    "letters.create": "editor",
    "letters.show": "viewer",
    "letters.save": "editor",
    "letters.test": "editor",
    "letters.discard": "editor",
    "letter_pictures.add": "editor",
    "letter_preview.html": "viewer",
    "letter_preview.text": "viewer",
    "letter_preview.checks": "editor",
    "letter_preview.recipients": "editor",
    "letter_send.send_page": "owner recent",
    "letter_send.send": "owner recent",
    "corrections.show": "editor",
    "corrections.save": "editor",
    "digests.show": "viewer",
    "digests.html": "viewer",
    "digests.recipients": "viewer",
    "digests.hold": "editor",
    "digests.release": "owner recent",
    "digests.send": "owner recent",
    "digests.skip": "editor",
    "digests.leave_out": "editor",
    "digests.intro": "editor",
    "sources.index": "viewer",
    "forms.show": "editor",
    "forms.html": "editor",
    "forms.add_field": "owner",
    "forms.remove_field": "owner",
    "forms.add_topic": "owner",
    "files.index": "editor everywhere",
    "files.upload": "owner everywhere",
    "files.remove": "owner everywhere",
    "health.index": "owner everywhere",
    "health.check": "owner everywhere",
    "settings.index": "editor",
    "settings.show": "owner",
    "settings.edit": "owner",
    "settings.look": "owner",
    "settings.edit_look": "owner",
    "settings.try_look": "owner",
    "settings.look_html": "owner",
    "feeds.add_page": "owner",
    "feeds.add": "owner",
    "feeds.show": "viewer",
    "feeds.edit": "owner",
    "sources.check": "editor",
    "sources.pause": "owner",
    "sources.resume": "owner",
    "sources.hold": "editor",
    "sources.skip": "editor",
    "sources.release": "editor",
    "sources.resend": "owner recent",
    "subscribers.index": "editor",
    "subscribers.show": "editor",
    "subscribers.add_page": "editor",
    "subscribers.add": "editor",
    "subscribers.correct_page": "editor",
    "subscribers.unsubscribe": "editor",
    "imports.index": "owner everywhere recent",
    "imports.upload": "owner everywhere recent",
    "imports.show": "owner everywhere",
    "imports.check": "owner everywhere recent",
    "imports.approve": "owner everywhere recent",
    "imports.discard": "owner everywhere",
    "subscribers.erase": "owner everywhere recent",
    "subscribers.proof": "owner everywhere",
    "subscribers.export": "owner everywhere recent",
}
"""The least role that each page needs; `everywhere`: only with every list, `recent`: within an
hour.
"""

VALUES = {
    "slug": "nothing",
    "cadence": "weekly",
    "campaign_id": 987654,
    "entry_id": 987654,
    "feed_id": 987654,
    "subscriber": "nobody",
}
RANKS = ["viewer", "editor", "owner"]


def author_rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/author")]


def test_every_page_is_listed_and_declares_its_role(app: Flask) -> None:
    rules = author_rules(app)
    names = {rule.endpoint.removeprefix("author_") for rule in rules}
    assert names - {f"log_in.{name}" for name in OPEN} == set(MAY)
    for rule in rules:
        view = app.view_functions[rule.endpoint]
        is_open = rule.endpoint.removeprefix("author_log_in.") in OPEN
        assert hasattr(view, "access") != is_open, rule.endpoint
        if not is_open:
            access = view.access  # type: ignore[attr-defined]
            declared = [access.role.value]
            declared += ["everywhere"] if access.everywhere else []
            declared += ["recent"] if access.recent else []
            assert " ".join(declared) == MAY[rule.endpoint.removeprefix("author_")]
        assert len(rule.methods - {"HEAD", "OPTIONS"}) == 1, "GET shows, POST acts"


@pytest.mark.parametrize(
    "role", ["", "viewer", "editor", "owner", "viewer talks", "editor talks", "owner talks"]
)
def test_every_page_for_every_role(app: Flask, browse: Browse, role: str) -> None:
    name, *slugs = role.split() or [""]
    browser = browse(name, *slugs)
    token = browser.token("/author/account" if name else "/author/log-in")
    for rule in author_rules(app):
        endpoint = rule.endpoint.removeprefix("author_")
        if endpoint not in MAY or endpoint == "log_in.log_out":
            continue
        least, *more = MAY[endpoint].split()
        values = {key: value for key, value in VALUES.items() if key in rule.arguments}
        values |= dict.fromkeys(rule.arguments - values.keys(), 1)
        with app.test_request_context(base_url="https://news.example.com"):
            path = rule.build(values)[1]  # type: ignore[index]
        if "GET" in rule.methods:
            answer = browser.get(path)
        else:
            answer = browser.client.post(
                path, base_url="https://news.example.com", data={"csrf_token": token}
            )
        allowed = name and RANKS.index(name) >= RANKS.index(least)
        allowed = allowed and not (slugs and "everywhere" in more)
        if not name:
            assert answer.status_code == 303, endpoint
            assert answer.headers["Location"].startswith("/author/log-in?next="), endpoint
        elif not allowed:
            assert answer.status_code == 403, endpoint
        elif set(values) & set(VALUES):
            assert answer.status_code == 404, endpoint
        else:
            assert answer.status_code < 500, endpoint
            assert answer.status_code != 403, endpoint


@pytest.fixture
def things(app: Flask, lists: None) -> dict[str, object]:
    """One of each kind on `blog`, by the argument that names it; on `talks` there is nothing."""
    with app.app_context(), transaction() as session:
        blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        subscriber = add_reader(session, blog, "ann@example.com").subscriber
        feed = add_feed(session, blog)
        entry = add_entry(session, feed, "Slow days")
        add_entry(session, feed, "Held", fate="held")
        values = {"slug": "blog", "feed_id": feed.id, "entry_id": entry.id}
        values["subscriber"] = subscriber.handle
    with app.app_context():
        due.send_now(app.extensions[EXTENSION], "blog")
        with reading() as session:
            values["campaign_id"] = session.scalars(select(Campaign.id)).one()
    return values


@pytest.mark.parametrize("role", ["viewer", "editor", "owner"])
def test_nothing_of_another_list_is_there(
    app: Flask, browse: Browse, things: dict[str, object], role: str
) -> None:
    """Every page about a thing, with a thing that exists, for an author of the other list."""
    stranger = browse(role, "talks")
    result = browse("owner", "blog", address="own@example.com")
    token = stranger.token("/author/account")
    text = 0
    for rule in author_rules(app):
        access = getattr(app.view_functions[rule.endpoint], "access", None)
        if access is None or access.scope is None:
            continue
        arguments = {name: things.get(name, 1) for name in rule.arguments}
        with app.test_request_context(base_url="https://news.example.com"):
            path = rule.build(arguments)[1]  # type: ignore[index]
        if "GET" in rule.methods:
            answer = stranger.get(path)
            assert result.get(path).status_code != 403 or access.everywhere, path
        else:
            fields = {"csrf_token": token}
            answer = stranger.client.post(path, base_url="https://news.example.com", data=fields)
        assert answer.status_code in (403, 404), path
        assert "ann@example.com" not in answer.text
        assert "Slow days" not in answer.text
        text += 1
    assert text > 20
    with app.app_context(), reading() as session:
        assert session.scalars(select(Entry.fate).order_by(Entry.id)).all() == ["sent", "held"]
        assert session.scalars(select(Subscription.status)).all() == ["active"]


@pytest.mark.any_database
def test_a_correction_without_a_list_changes_no_subscription(
    app: Flask, browse: Browse, things: dict[str, object]
) -> None:
    """Ann is on both lists; an editor of one of them leaves the list out of the form."""
    with app.app_context(), transaction() as session:
        talks = session.scalars(select(MailingList).where(MailingList.slug == "talks")).one()
        ann = session.scalars(select(Subscription)).one().subscriber
        session.add(
            Subscription(
                handle="ann-on-talks",
                list_id=talks.id,
                subscriber=ann,
                status="active",
                cadence="weekly",
                created_at=ann.created_at,
            )
        )
    editor = browse("editor", "talks")
    page = f"/author/subscribers/{things['subscriber']}"
    day = (app.extensions[EXTENSION].now + timedelta(days=30)).date().isoformat()
    for fields in ({"cadence": "monthly"}, {"pause": day}, {"list": "blog", "pause": day}):
        editor.post(f"{page}/correct", fields, page=page)
    with app.app_context(), reading() as session:
        rows = session.execute(select(Subscription.cadence, Subscription.paused_until)).all()
    assert rows == [("weekly", None)] * 2


def test_every_act_is_recorded_with_its_author(app: Flask, browse: Browse) -> None:
    browse("viewer")
    browser = browse("owner")
    browser.post("/author/again", page="/author/again")
    page = browser.get("/author/audit").text
    assert page.count("owner0@example.com") >= 3
    assert "log_in.again" in page
    with app.app_context(), reading() as session:
        rows = session.execute(
            select(Author.email, AuthorAct.act, AuthorAct.outcome).join(
                Author, Author.id == AuthorAct.author_id
            )
        ).all()
    assert ("owner0@example.com", "log_in.again", ActOutcome.DONE) in rows
    assert ("viewer0@example.com", "log-in", ActOutcome.DONE) in rows
    assert ("viewer0@example.com", "log_in.again", ActOutcome.DONE) not in rows
