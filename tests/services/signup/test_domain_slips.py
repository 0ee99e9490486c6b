"""A domain that is one slip away from a well-known one is named, and no other."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter.db.session import transaction
from newsletter.services.signup.domain_slips import OTHERS, WELL_KNOWN, find_intended_domain
from tests.people import add_list, add_reader


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gmai.com", "gmail.com"),
        ("gmaill.com", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("gmail.co", "gmail.com"),
        ("hotmial.com", "hotmail.com"),
        ("outlok.com", "outlook.com"),
        ("t-onlne.de", "t-online.de"),
        ("ornage.fr", "orange.fr"),
        ("gmail.com", ""),
        ("mail.com", ""),
        ("ymail.com", ""),
        ("example.org", ""),
        ("", ""),
        ("web.do", ""),
        ("gamil.cmo", ""),
        ("gmx.com", ""),
        ("notgmail.com", ""),
    ],
)
def test_one_slip_is_named(typed: str, meant: str) -> None:
    assert find_intended_domain(typed) == meant


def test_no_well_known_domain_is_taken_for_another() -> None:
    assert [domain for domain in (*WELL_KNOWN, *OTHERS) if find_intended_domain(domain)] == []


def test_the_page_after_the_form_asks_what_was_meant(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction() as session:
        add_reader(session, add_list(session), "known@gmial.com")
    pages = []
    for name in ("known", "unknown"):
        answer = client.post("/blog/subscribe", data={"email": f"{name}@gmial.com"})
        pages.append((answer.status_code, answer.headers["Location"]))
    assert pages == [(303, "/blog/check-your-inbox?meant=gmail.com")] * 2, "known or not"
    assert "an address at gmail.com?" in client.get(pages[0][1]).text
    plain = client.post("/blog/subscribe", data={"email": "a@example.org"})
    assert plain.headers["Location"] == "/blog/check-your-inbox"
    assert "an address at" not in client.get("/blog/check-your-inbox?meant=evil.example").text
