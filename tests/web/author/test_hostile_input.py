"""Every page of the author's, with what no form of ours sends: an answer each time, never an
error.
"""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from newsletter.db.session import reading, transaction
from newsletter.models import Campaign, MailingList
from newsletter.services.digests import due
from newsletter.services.letters import manuscripts
from newsletter.services.runtime import EXTENSION
from newsletter.web.request_body import URLENCODED
from newsletter.web.uploads import PREFIX
from tests.people import add_entry, add_feed, add_reader
from tests.web.author.conftest import URL, Browse
from tests.web.author.test_access import author_rules

FIELDS = [
    "address",
    "after",
    "anyway",
    "at",
    "backlog",
    "because",
    "before",
    "body",
    "cadence",
    "campaign",
    "categories",
    "choices",
    "clear",
    "code",
    "column",
    "confirmed",
    "count",
    "days",
    "description",
    "email",
    "everywhere",
    "excerpt",
    "fate",
    "form",
    "key",
    "kind",
    "kinds",
    "label",
    "language",
    "list",
    "meaning",
    "name",
    "never",
    "next",
    "not_title",
    "only",
    "page",
    "pause",
    "platform",
    "preheader",
    "reason",
    "replace",
    "required",
    "review",
    "revision",
    "scheme",
    "search",
    "segment",
    "share",
    "subject",
    "subject_b",
    "tag",
    "text",
    "theme",
    "title",
    "topic",
    "topics",
    "undo",
    "untag",
    "url",
    "when",
    "words",
    "snippet",
    "from",
    "reply_to",
    "hour",
    "day",
    "monthday",
    "min_entries",
    "max_wait",
    "grace",
    "indexed",
    "consent",
    "color",
    "font",
    "radius",
    "logo",
    "show",
    "order",
    "sections",
    "timezone",
    "cadences",
    "site_url",
]
HOSTILE = ("\0", "http://[", "9" * 400)
LARGE = 10**30
LONG_NAME = "\U00020000" * 100 + ".csv"


@pytest.fixture
def things(app: Flask, lists: None) -> dict[str, object]:
    with app.app_context(), transaction() as session:
        blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        subscriber = add_reader(session, blog, "ann@example.com").subscriber
        feed = add_feed(session, blog)
        entry = add_entry(session, feed, "Slow days")
        values = {"slug": "blog", "feed_id": feed.id, "entry_id": entry.id}
        values |= {"subscriber": subscriber.handle, "cadence": "weekly", "import_id": 1}
    with app.app_context():
        env = app.extensions[EXTENSION]
        due.send_now(env, "blog")
        values["campaign_id"] = manuscripts.start_draft(env, "blog")
        with reading() as session:
            values["sent"] = session.scalars(select(Campaign.id)).first()
    return values


def _paths(app: Flask, rule: Rule, things: dict[str, Any]) -> list[tuple[str, str]]:
    """Each address of a rule with each text; with a number that no database takes, and with a long
    word, once.
    """
    good = {name: things.get(name, 1 if name.endswith("_id") else "x") for name in rule.arguments}
    choices = [(good, text) for text in HOSTILE]
    choices += [({**good, name: LARGE}, "x") for name in good if name.endswith("_id")]
    choices += [({**good, name: "w" * 200}, "x") for name in good if not name.endswith("_id")]
    if "campaign_id" in good:
        choices.append(({**good, "campaign_id": things["sent"]}, "x"))
    with app.test_request_context(base_url=URL):
        return [(str(rule.build(values)[1]), text) for values, text in choices]  # type: ignore[index]


def test_hostile_fields_end_in_an_answer(
    app: Flask, browse: Browse, things: dict[str, object]
) -> None:
    browser = browse("owner")
    token = browser.token("/author/account")
    odd = []
    for rule in author_rules(app):
        if rule.endpoint in ("author_log_in.log_out", "author_health.check"):
            continue
        for path, text in _paths(app, rule, things):
            fields: dict[str, Any] = dict.fromkeys(FIELDS, text)
            if "GET" in rule.methods:
                answer = browser.get(path, query_string=dict.fromkeys(FIELDS, text[:20]))
            else:
                if path.startswith(PREFIX):
                    fields["file"] = (io.BytesIO(b"x"), LONG_NAME)
                    fields["picture"] = (io.BytesIO(b"x"), LONG_NAME)
                fields["csrf_token"] = token
                fields["list"] = "blog" if text != "\0" else text
                answer = browser.client.post(path, base_url=URL, data=fields, buffered=True)
            if answer.status_code >= 500:
                odd.append((path, text[:10], answer.status_code))
    assert odd == []


@pytest.mark.any_database
def test_a_referer_that_cannot_be_read_leads_to_the_log_in(browse: Browse) -> None:
    answer = browse().post("/author/upload/files", headers={"Referer": "http://["})
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/author/log-in?next=/author/"


@pytest.mark.any_database
def test_a_form_of_too_many_fields_is_refused_unread(browse: Browse) -> None:
    """Half a million fields of a letter would take a second, and 100 MB."""
    answer = browse().client.post(
        "/author/letters", base_url=URL, data="a&" * 500_000, content_type=URLENCODED
    )
    assert answer.status_code == 413
