"""Test what subscribers filled in: theirs to see and change, and nobody's who got a forwarded
mail.
"""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.models import ConsentEvent, ConsentText, Subscription
from newsletter.services.runtime import Environment
from newsletter.services.signup import forms
from tests.people import add_list, add_reader
from tests.web.test_one_door import active, signed


@pytest.fixture
def handle(app: Flask, env: Environment) -> str:
    """Ana, with answers; Ben has others on the same list, and the other list has the same field."""
    with transaction() as session:
        blog = add_list(session, "blog")
        other = add_list(session, "other", from_email="x@elsewhere.example")
        for name, mailing_list in (("ben", blog), ("eva", other)):
            row = add_reader(session, mailing_list, f"{name}@example.com")
            row.answers = {"town": "Ulm"}
    for slug in ("blog", "other"):
        forms.add_field(slug, "town", "text", "Your town", required=True)
        forms.add_field(slug, "size", "choice", "Size", ["S", "L"])
        forms.add_field(slug, "workshops", "consent", "Tell me of workshops <b>")
    handle = active(app, "ana@example.com")
    with transaction() as session:
        mine(session).answers = {"town": 'Köln "<i>', "old": "kept"}
    return handle


def mine(session: object) -> Subscription:
    query = select(Subscription).join(Subscription.subscriber)
    rows = session.scalars(query)  # type: ignore[attr-defined]
    return next(row for row in rows if row.subscriber.email == "ana@example.com")


def test_a_link_to_the_account_shows_and_changes_answers(
    app: Flask, client: FlaskClient, handle: str
) -> None:
    result = signed(app, "account", handle)
    page = client.get(result).text
    assert "Köln &#34;&lt;i&gt;" in page
    assert "workshops &lt;b&gt;" in page
    typed = {
        "fields-blog": "1",
        "field-blog-town": "Rome",
        "field-blog-size": "L",
        "field-blog-workshops": "1",
        "field-other-town": "Mars",
    }
    assert client.post(result, data=typed).status_code == 200
    with reading() as session:
        row = mine(session)
        assert row.answers == {"old": "kept", "town": "Rome", "size": "L", "workshops": True}
        query = select(ConsentEvent, ConsentText.text).join(ConsentText)
        query = query.where(ConsentEvent.subscription_id == row.id, ConsentEvent.kind == "agreed")
        [(event, wording)] = session.execute(query).all()
        assert (event.source, event.note, wording) == (
            "preferences",
            "workshops",
            "Tell me of workshops <b>",
        )
        others = [r.answers for r in session.scalars(select(Subscription)) if r.id != row.id]
        assert others == [{"town": "Ulm"}, {"town": "Ulm"}]
    client.post(result, data={"fields-blog": "1", "field-blog-town": "Rome"})
    with reading() as session:
        assert mine(session).answers["workshops"] is False
    assert client.post(result, data={"fields-blog": "1", "field-blog-size": "M"}).status_code == 422


def test_a_link_from_a_mail_neither_shows_nor_changes_them(
    app: Flask, client: FlaskClient, handle: str
) -> None:
    link = signed(app, "preferences", handle)
    assert "Köln" not in client.get(link).text
    client.post(link, data={"fields-blog": "1", "field-blog-town": "Rome"})
    with reading() as session:
        assert mine(session).answers["town"].startswith("Köln")
