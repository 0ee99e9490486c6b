"""Passkeys: made by an author who is logged in, good for that author alone, once a challenge."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from newsletter.db.session import db, reading
from newsletter.errors import Refused
from newsletter.models import AuthorAct, AuthorPasskey, AuthorSession, Delivery
from newsletter.services.authors import authors, passkeys
from newsletter.services.authors.passkey_check import find_relying_party
from newsletter.services.runtime import EXTENSION
from tests.authenticator import PRESENT, Device, decode, encode
from tests.fakes import Clock
from tests.web.author.conftest import URL, Browse, BrowserOf

ANA = "ana@blog.example"
BEN = "ben@blog.example"


def add(browser: BrowserOf, device: Device, name: str = "Ana's telephone") -> int:
    options = browser.get("/author/passkeys/challenge").json
    fields = {"name": name, "answer": device.make(options)}
    return browser.post("/author/passkeys", fields, page="/author/passkeys").status_code


def challenge(browser: BrowserOf) -> dict[str, object]:
    browser.token()
    return browser.get("/author/log-in/challenge").json  # type: ignore[no-any-return]


def show(browser: BrowserOf, answer: str, **fields: str) -> int:
    data = {"answer": answer, **fields}
    return browser.post("/author/log-in/passkey", data).status_code


@pytest.fixture
def ana(browse: Browse) -> BrowserOf:
    """Ana is an owner. Ben, an editor of one list, has a passkey of his own."""
    assert add(browse("editor", "talks", address=BEN), Device(URL), "Ben's key") == 303
    return browse("owner", address=ANA)


@pytest.fixture
def device(ana: BrowserOf) -> Device:
    """Ana's device, with a passkey."""
    device = Device(URL)
    assert add(ana, device) == 303
    return device


def test_a_passkey_opens_its_authors_pages(ana: BrowserOf, device: Device, browse: Browse) -> None:
    browser = browse()
    answer = device.answer(challenge(browser))
    before = browser.cookie
    assert show(browser, answer, next="/author/account") == 303
    assert browser.cookie != before
    page = browser.get("/author/account").text
    assert ANA in page
    assert BEN not in page
    assert browser.get("/author/subscribers/add").status_code == 200, "it counts as a fresh log-in"


def test_it_is_listed_renamed_and_removed(
    app: Flask, ana: BrowserOf, device: Device, browse: Browse
) -> None:
    page = ana.get("/author/passkeys").text
    assert "Ana&#39;s telephone" in page
    assert "Ben" not in page
    with app.app_context(), reading() as session:
        rows = dict(session.execute(select(AuthorPasskey.name, AuthorPasskey.id)).all())
    mine = rows["Ana's telephone"]
    his = rows["Ben's key"]
    new = {"name": " the  old one "}
    assert ana.post(f"/author/passkeys/{mine}/name", new).status_code == 303
    assert ana.post(f"/author/passkeys/{his}/name", new).status_code == 404
    assert ana.post(f"/author/passkeys/{his}/remove").status_code == 404
    assert ana.post(f"/author/passkeys/{mine}/name", {"name": " "}).status_code == 422
    assert 'value="the old one"' in ana.get("/author/passkeys").text
    assert ana.post(f"/author/passkeys/{mine}/remove").status_code == 303
    browser = browse()
    assert show(browser, device.answer(challenge(browser))) == 422
    with app.app_context(), reading() as session:
        assert session.scalars(select(AuthorPasskey.name)).all() == ["Ben's key"]


def test_the_record_says_which_passkey_was_used(
    app: Flask, ana: BrowserOf, device: Device, browse: Browse
) -> None:
    browser = browse()
    assert show(browser, device.answer(challenge(browser))) == 303
    with app.app_context(), reading() as session:
        used = session.scalars(
            select(AuthorPasskey.id).where(AuthorPasskey.used_at.isnot(None))
        ).one()
        acts = session.execute(select(AuthorAct.act, AuthorAct.subject)).all()
    assert ("passkeys.add", "") in acts
    assert ("log-in", f"passkey {used}") in acts


def test_an_answer_counts_once_and_in_its_browser(
    app: Flask, ana: BrowserOf, device: Device, browse: Browse
) -> None:
    browser = browse()
    thief = browse()
    answer = device.answer(challenge(browser))
    challenge(thief)
    assert show(thief, answer) == 422
    assert show(browser, answer) == 303
    browser.post("/author/log-out", page="/author/account")
    assert show(browser, answer) == 422
    assert show(thief, answer) == 422


def test_a_device_that_does_not_count_cannot_be_replayed_either(
    ana: BrowserOf, browse: Browse
) -> None:
    """Synchronised passkeys say 0 each time: only the challenge tells a replay."""
    device = Device(URL, counts=False)
    assert add(ana, device, "cloud") == 303
    browser = browse()
    options = challenge(browser)
    cookie = browser.cookie
    answer = device.answer(options)
    assert show(browser, answer) == 303
    browser.client.set_cookie(
        "__Secure-author", cookie or "", domain="news.example.com", path="/author", secure=True
    )
    assert show(browser, answer) == 422
    assert show(browser, device.answer(challenge(browser))) == 303


def test_a_challenge_lives_for_minutes(
    ana: BrowserOf, device: Device, browse: Browse, clock: Clock
) -> None:
    browser = browse()
    answer = device.answer(challenge(browser))
    late = device.answer(challenge(browser))
    clock.forward(timedelta(minutes=4))
    assert show(browser, answer) == 303
    clock.forward(timedelta(minutes=15))
    browser.post("/author/log-out", page="/author/account")
    assert show(browser, late) == 422


def test_a_copy_of_a_device_is_noticed(ana: BrowserOf, device: Device, browse: Browse) -> None:
    copy = replace(device)
    browser = browse()
    for _ in range(2):
        assert show(browser, device.answer(challenge(browser))) == 303
        browser.post("/author/log-out", page="/author/account")
    assert show(browser, copy.answer(challenge(browser))) == 422


Change = Callable[[Device], object]
DISHONEST: dict[str, Change] = {
    "another page asked": lambda device: setattr(device, "origin", "https://evil.example"),
    "nobody was asked for a PIN": lambda device: setattr(device, "flags", PRESENT),
    "nobody was there": lambda device: setattr(device, "flags", 0),
    "another key signed": lambda device: setattr(device, "key", Device(URL).key),
    "it names another author": lambda device: setattr(device, "user", b"somebody"),
    "it names nobody": lambda device: setattr(device, "user", b""),
    "it is not known": lambda device: setattr(device, "credential", b"x" * 32),
}


@pytest.mark.any_database
@pytest.mark.parametrize("how", DISHONEST)
def test_what_is_not_right_opens_nothing(
    app: Flask, ana: BrowserOf, device: Device, browse: Browse, how: str
) -> None:
    browser = browse()
    DISHONEST[how](device)
    assert show(browser, device.answer(challenge(browser))) == 422
    assert browser.get("/author/").status_code == 303
    with app.app_context(), reading() as session:
        assert session.scalar(select(func.count(AuthorSession.id))) == 2, "Ana's and Ben's own"


@pytest.mark.any_database
@pytest.mark.parametrize("how", ["another page asked", "nobody was asked for a PIN"])
def test_no_passkey_is_kept_that_is_not_right(ana: BrowserOf, how: str) -> None:
    device = Device(URL)
    DISHONEST[how](device)
    assert add(ana, device) == 422
    assert "You have no passkey yet" in ana.get("/author/passkeys").text


def test_a_challenge_to_log_in_makes_no_passkey(ana: BrowserOf, browse: Browse) -> None:
    """Nor does the challenge of one author's browser for another author."""
    device = Device(URL)
    ben = browse("editor", address="bea@blog.example")
    for other in (
        ana.get("/author/log-in/challenge").json,
        ben.get("/author/passkeys/challenge").json,
    ):
        options = ana.get("/author/passkeys/challenge").json | {"challenge": other["challenge"]}
        fields = {"name": "x", "answer": device.make(options)}
        assert ana.post("/author/passkeys", fields).status_code == 422


def test_the_same_passkey_is_not_kept_twice(
    app: Flask, ana: BrowserOf, device: Device, browse: Browse
) -> None:
    assert add(ana, device, "again") == 422
    other = browse("owner", address="cleo@blog.example")
    assert add(other, device, "stolen") == 422
    known = ana.get("/author/passkeys/challenge").json["excludeCredentials"]
    assert [decode(one["id"]) for one in known] == [device.credential]
    assert other.get("/author/passkeys/challenge").json["excludeCredentials"] == []


def test_no_more_than_twenty(ana: BrowserOf) -> None:
    for number in range(passkeys.AT_MOST):
        assert add(ana, Device(URL), f"device {number}") == 303
    assert ana.get("/author/passkeys/challenge").status_code == 409


def test_a_log_in_of_yesterday_adds_and_removes_none(
    app: Flask, ana: BrowserOf, device: Device, clock: Clock
) -> None:
    options = ana.get("/author/passkeys/challenge").json
    clock.forward(timedelta(hours=2))
    assert ana.get("/author/passkeys/challenge").status_code == 303
    fields = {"name": "x", "answer": Device(URL).make(options)}
    for path in ("/author/passkeys", "/author/passkeys/2/remove"):
        answer = ana.post(path, fields, page="/author/passkeys")
        assert answer.headers["Location"].startswith("/author/again")
    with app.app_context(), reading() as session:
        assert session.scalar(select(func.count(AuthorPasskey.id))) == 2


def test_who_is_revoked_has_no_passkey_left(
    app: Flask, ana: BrowserOf, device: Device, browse: Browse
) -> None:
    env = app.extensions[EXTENSION]
    with app.app_context():
        authors.revoke_author(env, ANA)
        authors.add_author(env, ANA, role=authors.AuthorRole.OWNER)
    browser = browse()
    assert show(browser, device.answer(challenge(browser))) == 422
    with app.app_context(), reading() as session:
        assert session.scalars(select(AuthorPasskey.name)).all() == ["Ben's key"]


def test_a_challenge_tells_nothing_and_writes_nothing(
    app: Flask, ana: BrowserOf, device: Device, browse: Browse
) -> None:
    """The same for everybody; and a wrong answer writes nothing, however many come."""
    browser = browse()
    first = challenge(browser)
    second = challenge(browser)
    assert first.pop("challenge") != second.pop("challenge")
    assert first == second
    written: list[str] = []

    def note(conn: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE"):
            written.append(statement)

    browser.token()
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        stranger = Device(URL, user=b"x")
        assert show(browser, stranger.answer(challenge(browser))) == 422
        device.key = stranger.key
        assert show(browser, device.answer(challenge(browser))) == 422
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert written == []


@pytest.mark.any_database
def test_no_form_of_another_site_is_taken(ana: BrowserOf, device: Device, browse: Browse) -> None:
    browser = browse()
    answer = device.answer(challenge(browser))
    sent = browser.client.post("/author/log-in/passkey", base_url=URL, data={"answer": answer})
    assert sent.status_code == 400


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary().map(encode),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.any_database
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_is_sent_is_refused_in_words(
    app: Flask, ana: BrowserOf, device: Device, data: st.DataObject
) -> None:
    """An answer with any part replaced by anything, for a challenge that is right."""
    env = app.extensions[EXTENSION]
    browser = "a browser"
    with app.app_context():
        author = authors.list_authors()[0].id
        answer = json.loads(device.answer(passkeys.make_log_in_options(env, browser=browser)))
        part = data.draw(
            st.sampled_from(["", "id", "rawId", "type", "response", *answer["response"]])
        )
        odd = data.draw(_json)
        if part == "":
            answer = odd
        elif part in answer:
            answer[part] = odd
        else:
            answer["response"][part] = odd
        with pytest.raises(Refused):
            passkeys.log_in(env, json.dumps(answer), browser=browser, session_id=None)
        options = passkeys.make_new_options(env, author, browser=browser)
        new = json.loads(Device(URL).make(options))
        new["response"]["attestationObject"] = odd
        with pytest.raises(Refused):
            passkeys.add_passkey(env, author, json.dumps(new), "x", browser=browser)


@pytest.mark.parametrize(
    ("base_url", "party"),
    [
        ("https://news.example.com", ("news.example.com", "https://news.example.com")),
        ("https://News.Example.com:443/", ("news.example.com", "https://news.example.com")),
        ("https://news.example.com:8443", ("news.example.com", "https://news.example.com:8443")),
        ("http://localhost:8025", ("localhost", "http://localhost:8025")),
        ("http://127.0.0.1:8025", None),
        ("http://[::1]:8025", None),
    ],
)
def test_whom_a_passkey_is_for(base_url: str, party: tuple[str, str] | None) -> None:
    relying_party = find_relying_party(base_url)
    assert (relying_party and (relying_party.id, relying_party.origin)) == party


def test_their_author_is_told_of_a_passkey_that_was_added_or_removed(
    app: Flask, ana: BrowserOf
) -> None:
    """Ana is told of hers in the language of the page, Ben of his, and nobody of the other's."""
    options = ana.get("/author/passkeys/challenge").json
    fields = {"name": "A spy's telephone", "answer": Device(URL).make(options)}
    german = {"Accept-Language": "de"}
    ana.post("/author/passkeys", fields, page="/author/passkeys", headers=german)
    with app.app_context():
        [owner] = [row for row in authors.list_authors() if row.email == ANA]
        [mine] = [row.id for row in passkeys.list_passkeys(owner.id)]
    ana.post(f"/author/passkeys/{mine}/remove", page="/author/passkeys")
    with app.app_context(), reading() as session:
        query = select(Delivery.context).where(Delivery.mail == "passkey").order_by(Delivery.id)
        contexts = [dict(context or {}) for context in session.scalars(query)]
    notices = [(context["to"], context["language"], context["added"]) for context in contexts]
    assert notices == [(BEN, "en", True), (ANA, "de", True), (ANA, "en", False)]
    assert "spy" not in str(contexts), "the name was typed, perhaps by somebody else"
