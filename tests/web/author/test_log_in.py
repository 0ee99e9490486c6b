"""An author's way in: links, codes, sessions, and those who should not come in."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from newsletter.access_vocabulary import AuthorRole
from newsletter.app import create_app
from newsletter.db.session import db, reading
from newsletter.models import AuthorLogin, AuthorSession, Delivery
from newsletter.services.authors import authors, sessions
from newsletter.services.operations import cleanup
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.settings import Settings
from tests.fakes import Clock, FakeDns, FakeFetch, Sink, body
from tests.web.author.conftest import URL, Browse, BrowserOf

ANA = "ana@blog.example"
NOTICE = "A log-in from a new browser"


@pytest.fixture
def ana(app: Flask, lists: None) -> str:
    """Ana is an owner; Ben, an editor, is somebody else."""
    with app.app_context():
        env = app.extensions[EXTENSION]
        authors.add_author(env, ANA, role=AuthorRole.OWNER)
        authors.add_author(env, "ben@blog.example", role=AuthorRole.EDITOR)
    return ANA


def ask(browser: BrowserOf, address: str = ANA) -> None:
    answer = browser.post("/author/log-in", {"email": address})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/author/code?next=/author/")


def mailed(app: Flask, sink: Sink, address: str = ANA) -> tuple[str, str]:
    """Return the link and the code of the latest mail."""
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    text = body(sink.to(address)[-1])
    link = re.search(r"https://news\.example\.com(/author/enter/\S+)", text)
    code = re.search(r": ([0-9A-Z]{8})\b", text)
    assert link and code
    return link[1], code[1]


def test_from_the_address_to_the_first_page(
    app: Flask, ana: str, browse: Browse, sink: Sink
) -> None:
    browser = browse()
    assert browser.get("/author/").headers["Location"] == "/author/log-in?next=/author/"
    ask(browser)
    link, _ = mailed(app, sink)
    for kind in ("plain", "html"):
        text = body(sink.to(ANA)[-1], kind)
        assert "Log in to news.example.com" in text
        assert f"Account: {ANA}" in text
    before = browser.cookie
    page = browser.get(link)
    assert "<button" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert browser.post(link, page=link).headers["Location"] == "/author/"
    assert browser.cookie != before, "the value from before the log-in opens nothing"
    home = browser.get("/author/")
    assert home.status_code == 200
    assert ANA in home.text


def test_a_scanner_that_opens_the_link_changes_nothing(
    app: Flask, ana: str, browse: Browse, sink: Sink
) -> None:
    browser = browse()
    scanner = browse()
    ask(browser)
    link, _ = mailed(app, sink)
    for _ in range(3):
        assert scanner.get(link).status_code == 200
    assert "<form" not in scanner.get(link).text
    assert scanner.post(link).status_code == 410
    assert scanner.get("/author/").status_code == 303
    assert browser.post(link, page=link).status_code == 303


def test_a_link_works_once(app: Flask, ana: str, browse: Browse, sink: Sink) -> None:
    browser = browse()
    ask(browser)
    link, code = mailed(app, sink)
    assert browser.post(link, page=link).status_code == 303
    browser.post("/author/log-out", page="/author/account")
    assert browser.get(link).status_code == 410
    assert browser.post(link).status_code == 410
    assert browser.post("/author/code", {"code": code}).status_code == 422


def test_a_link_lives_for_15_minutes(
    app: Flask, ana: str, browse: Browse, sink: Sink, clock: Clock
) -> None:
    browser = browse()
    ask(browser)
    link, code = mailed(app, sink)
    clock.forward(timedelta(minutes=15))
    assert browser.post(link).status_code == 410
    assert browser.post("/author/code", {"code": code}).status_code == 422


def test_a_code_logs_in_the_browser_that_asked_and_no_other(
    app: Flask, ana: str, browse: Browse, sink: Sink
) -> None:
    browser = browse()
    other = browse()
    ask(other, "ben@blog.example")
    ask(browser)
    _, code = mailed(app, sink)
    assert other.post("/author/code", {"code": code}).status_code == 422
    spelled = f" {code[:4].lower()}-{code[4:].replace('0', 'o')} "
    assert browser.post("/author/code", {"code": spelled}).status_code == 303
    assert ANA in browser.get("/author/").text


def test_a_code_may_be_tried_five_times(app: Flask, ana: str, browse: Browse, sink: Sink) -> None:
    browser = browse()
    ask(browser)
    link, code = mailed(app, sink)
    for wrong in ("", "x", "00000000", "ZZZZZZZZ", "é" * 30):
        assert browser.post("/author/code", {"code": wrong}).status_code == 422
    assert browser.post("/author/code", {"code": code}).status_code == 422
    assert browser.post(link, page=link).status_code == 303, "the link was not guessed at"


def test_every_address_gets_the_same_answer_after_the_same_statements(
    app: Flask, ana: str, browse: Browse
) -> None:
    answers = {}
    for address in ("warm.up@blog.example", ANA, "nobody@blog.example"):
        browser = browse()
        token = browser.token()
        statements: list[str] = []

        def note(_c: object, _cur: object, statement: str, *_: object) -> None:
            statements.append(re.sub(r"sa_savepoint_\d+", "sp", statement))  # noqa: B023

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        answer = browser.client.post(
            "/author/log-in", base_url=URL, data={"email": address, "csrf_token": token}
        )
        event.remove(engine, "before_cursor_execute", note)
        following = browser.post("/author/code", {"code": "00000000"}).text
        writes = sorted(text for text in statements if not text.startswith("SELECT name"))
        comparable = [
            text for text in writes if "sqlite_sequence" not in text and "SAVEPOINT" not in text
        ]
        answers[address] = (
            answer.status_code,
            answer.headers["Location"],
            answer.data,
            comparable,
            re.sub(r'value="[^"]*"', "", following),
        )
    assert answers[ANA] == answers["nobody@blog.example"]


def test_only_an_author_is_mailed(app: Flask, ana: str, browse: Browse, sink: Sink) -> None:
    for address in ("nobody@blog.example", ANA):
        ask(browse(), address)
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    assert [outgoing.recipient for outgoing in sink.accepted] == [ANA]


def test_an_author_gets_five_mails_an_hour_and_requests_have_the_ceilings_of_sign_ups(
    app: Flask, ana: str, browse: Browse, sink: Sink
) -> None:
    codes = []
    browser = browse()
    token = browser.token()
    for _ in range(25):
        data = {"email": ANA, "csrf_token": token}
        codes.append(browser.client.post("/author/log-in", base_url=URL, data=data).status_code)
    assert codes == [303] * 20 + [429] * 5
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    assert len(sink.to(ANA)) == 5


def test_a_stranger_uses_up_nothing_of_a_browser_that_is_known(
    app: Flask, ana: str, browse: Browse, sink: Sink
) -> None:
    """Strangers could keep an author from what needs a fresh log-in for ever otherwise."""
    laptop = browse("owner", address=ANA)
    home = browse()
    assert enter(app, home, sink) == 1
    assert home.post("/author/log-out", page="/author/").status_code == 303
    ben = browse("editor", address="ben@blog.example")
    stranger = browse()
    for _ in range(30):
        stranger.post("/author/log-in", {"email": ANA})
    assert count_new_mails(app, sink) == 4, "the fifth was for Ana's browser at home"
    assert laptop.post("/author/again").status_code == 303
    assert count_new_mails(app, sink) == 1
    ask(home)
    assert count_new_mails(app, sink) == 1
    assert ben.post("/author/log-in", {"email": ANA}).status_code == 429, "he is a stranger to her"
    codes = [laptop.post("/author/again").status_code for _ in range(6)]
    assert codes == [303] * 4 + [429] * 2
    assert count_new_mails(app, sink) == 4
    with app.app_context(), reading() as session:
        assert session.scalar(select(func.count(AuthorLogin.id))) < 40


def count_new_mails(app: Flask, sink: Sink, address: str = ANA) -> int:
    """Return how many mails an author has got since the last look."""
    before = len(sink.to(address))
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    return len(sink.to(address)) - before


def test_ten_thousand_requests_leave_no_more_rows_than_the_ceiling(
    app: Flask, ana: str, browse: Browse
) -> None:
    browser = browse()
    token = browser.token()
    for number in range(60):
        data = {"email": f"a{number}@blog.example", "csrf_token": token}
        place = {"REMOTE_ADDR": f"192.0.2.{number}"}
        browser.client.post("/author/log-in", base_url=URL, data=data, environ_overrides=place)
    for _ in range(300):
        data = {"email": "z@blog.example", "csrf_token": token}
        place = {"REMOTE_ADDR": "192.0.2.7"}
        browser.client.post("/author/log-in", base_url=URL, data=data, environ_overrides=place)
    with app.app_context(), reading() as session:
        assert session.scalar(select(func.count(AuthorLogin.id))) <= 60


def test_the_cookie_is_kept_to_the_authors_pages(app: Flask, ana: str, browse: Browse) -> None:
    answer = browse().get("/author/log-in")
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Secure-author=")
    assert {"Secure", "HttpOnly", "Path=/author", "SameSite=Lax"} <= set(cookie.split("; "))
    for path in (
        "/",
        "/blog/",
        "/link",
        "/healthz",
        "/blog/archive/",
        "/authors",
    ):
        assert "Set-Cookie" not in browse("owner").get(path).headers, path


def test_pages_are_private_and_cannot_be_framed(app: Flask, browse: Browse) -> None:
    browser = browse("owner")
    for path in ("/author/", "/author/log-in", "/author/audit", "/author/nothing-here"):
        headers = browser.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "Cookie" in headers["Vary"]


def test_a_log_out_ends_the_session_itself(app: Flask, browse: Browse) -> None:
    browser = browse("owner")
    stolen = browser.cookie
    answer = browser.post("/author/log-out", page="/author/account")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    thief = browse()
    thief.client.set_cookie(
        "__Secure-author", stolen or "", domain="news.example.com", path="/author"
    )
    assert thief.get("/author/").status_code == 303
    assert browser.get("/author/").status_code == 303


def test_a_log_out_lasts_where_the_clock_is_set_back(
    app: Flask, browse: Browse, clock: Clock
) -> None:
    browser = browse("owner", address=ANA)
    other = browse("owner", address=ANA)
    with app.app_context():
        env = app.extensions[EXTENSION]
        [ana] = authors.list_authors()
        others, closed = [view.id for view in sessions.list_sessions(env, ana.id)]
        clock.forward(timedelta(hours=2))
        browser.post("/author/log-out", page="/author/account")
        clock.forward(timedelta(hours=-1))
        assert browser.get("/author/").status_code == 303
        assert other.get("/author/").status_code == 200
        assert [view.id for view in sessions.list_sessions(env, ana.id)] == [others]
        assert [sessions.may_write(env, one) for one in (closed, others)] == [False, True]


def test_log_out_everywhere_ends_other_browsers_and_nobody_elses(
    app: Flask, browse: Browse
) -> None:
    first = browse("owner", address=ANA)
    second = browse("owner", address=ANA)
    other = browse("viewer")
    second.post("/author/log-out", {"everywhere": "1"}, page="/author/account")
    assert [one.get("/author/").status_code for one in (first, second, other)] == [303, 303, 200]


def test_a_revoked_author_is_out_at_once(app: Flask, browse: Browse, sink: Sink) -> None:
    browser = browse("owner", address=ANA)
    other = browse("viewer")
    with app.app_context():
        env = app.extensions[EXTENSION]
        authors.revoke_author(env, ANA)
    assert browser.get("/author/").status_code == 303
    assert other.get("/author/").status_code == 200
    ask(browse())
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
        with reading() as session:
            assert session.scalar(select(func.count(Delivery.id))) == 0


def test_a_session_ends_after_30_days_and_its_cookie_changes_every_day(
    app: Flask, browse: Browse, clock: Clock
) -> None:
    browser = browse("owner")
    values = {browser.cookie}
    for _ in range(29):
        clock.forward(timedelta(hours=24, minutes=10))
        assert browser.get("/author/").status_code == 200
        values.add(browser.cookie)
    assert len(values) == 30
    clock.forward(timedelta(days=1))
    assert browser.get("/author/").status_code == 303
    clock.forward(timedelta(days=30))  # for so long the browser is known
    with app.app_context():
        cleanup.clean_up(app.extensions[EXTENSION])
        with reading() as session:
            assert session.scalar(select(func.count(AuthorSession.id))) == 0


def enter(app: Flask, browser: BrowserOf, sink: Sink, address: str = ANA) -> int:
    """Log in with the mailed link; return how many log-ins the author has been told of."""
    ask(browser, address)
    link, _ = mailed(app, sink, address)
    assert browser.post(link, page=link).status_code == 303
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    notices = [mail for mail in sink.to(address) if mail["Subject"] == NOTICE]
    for notice in notices:
        text = body(notice)
        assert f"{URL}/author/account" in text
        assert browser.cookie is not None
        assert browser.cookie not in text
    return len(notices)


def test_a_log_in_from_a_new_browser_is_told_its_author(
    app: Flask, ana: str, browse: Browse, sink: Sink, clock: Clock
) -> None:
    laptop = browse()
    phone = browse()
    ben = browse()
    assert enter(app, ben, sink, "ben@blog.example") == 0
    assert enter(app, laptop, sink) == 0, "nobody logged in as Ana before"
    assert enter(app, laptop, sink) == 0
    assert enter(app, phone, sink) == 1
    assert laptop.post("/author/log-out", page="/author/").status_code == 303
    clock.forward(timedelta(days=29))
    assert enter(app, laptop, sink) == 1, "it was logged out a while ago"
    assert enter(app, ben, sink) == 2, "it knows another author only"
    assert enter(app, ben, sink, "ben@blog.example") == 1


def test_a_browser_is_forgotten_in_time_and_with_log_out_everywhere(
    app: Flask, ana: str, browse: Browse, sink: Sink, clock: Clock
) -> None:
    laptop = browse()
    phone = browse()
    assert enter(app, laptop, sink) == 0
    assert enter(app, phone, sink) == 1
    fields = {"everywhere": "1"}
    assert phone.post("/author/log-out", fields, page="/author/").status_code == 303
    assert laptop.get("/author/").status_code == 303
    assert enter(app, laptop, sink) == 2
    clock.forward(timedelta(days=61))
    with app.app_context():
        cleanup.clean_up(app.extensions[EXTENSION])
    assert enter(app, laptop, sink) == 3


def test_a_cookie_from_before_a_log_out_is_no_known_browser(
    app: Flask, ana: str, browse: Browse, sink: Sink
) -> None:
    laptop = browse()
    thief = browse()
    assert enter(app, laptop, sink) == 0
    stolen = laptop.cookie or ""
    assert laptop.post("/author/log-out", page="/author/").status_code == 303
    thief.client.set_cookie("__Secure-author", stolen, domain="news.example.com", path="/author")
    assert thief.get("/author/").status_code == 303
    assert enter(app, thief, sink) == 1


def test_a_replaced_cookie_that_is_used_again_ends_the_session(
    app: Flask, browse: Browse, clock: Clock
) -> None:
    browser = browse("owner")
    thief = browse()
    thief.client.set_cookie(
        "__Secure-author", browser.cookie or "", domain="news.example.com", path="/author"
    )
    clock.forward(timedelta(days=2))
    assert browser.get("/author/").status_code == 200
    assert thief.get("/author/").status_code == 200, "a request that was under way"
    clock.forward(timedelta(minutes=2))
    assert thief.get("/author/").status_code == 303
    assert browser.get("/author/").status_code == 303


def test_a_form_needs_the_token_of_its_browser(app: Flask, browse: Browse) -> None:
    browser = browse("owner")
    foreign = browse("editor").token("/author/account")
    for fields in ({}, {"csrf_token": "x"}, {"csrf_token": foreign}):
        answer = browser.client.post("/author/log-out", base_url=URL, data=fields)
        assert answer.status_code == 400
    assert browser.get("/author/").status_code == 200


def test_no_form_of_another_site_replaces_the_cookie(app: Flask, browse: Browse) -> None:
    """The browser sends it without our cookie (SameSite), and would store another one.

    A new cookie in its place would log the author out.
    """
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/author/")]
    paths = [re.sub("<[^>]+>", "1", rule.rule) for rule in rules if "POST" in (rule.methods or ())]
    assert len(paths) > 40
    for path in [*paths, "/author/nowhere"]:
        answer = app.test_client().post(path, base_url=URL, data={"email": ANA})
        assert "Set-Cookie" not in answer.headers, path
        assert answer.status_code in (303, 400, 404), path


def test_a_form_without_a_cookie_needs_a_token_that_nobody_has(app: Flask, browse: Browse) -> None:
    visitor = browse()
    token = visitor.token("/author/log-in")
    client = app.test_client(use_cookies=False)
    refused = client.post("/author/log-in", base_url=URL, data={"email": ANA})
    tokens = [token, *re.findall(r'name="csrf_token" value="([^"]+)"', refused.text)]
    for one in tokens:
        fields = {"email": ANA, "csrf_token": one}
        answer = client.post("/author/log-in", base_url=URL, data=fields)
        assert answer.status_code == 400


def test_a_form_outlives_the_rotation_of_the_cookie(
    app: Flask, browse: Browse, clock: Clock
) -> None:
    browser = browse("owner")
    token = browser.token("/author/account")
    clock.forward(timedelta(days=2))
    browser.get("/author/")
    answer = browser.client.post("/author/log-out", base_url=URL, data={"csrf_token": token})
    assert answer.status_code == 303


@pytest.mark.any_database
@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example/author/", "/author/\\evil", "/", "/author/\nx", ""],
)
def test_a_log_in_leads_to_no_other_page(app: Flask, ana: str, browse: Browse, path: str) -> None:
    answer = browse().post("/author/log-in", {"email": ANA, "next": path})
    assert answer.headers["Location"] == "/author/code?next=/author/"


def test_over_plain_http_nobody_logs_in(settings: Settings, clock: Clock) -> None:
    for base_url, status in (
        ("http://news.example.com", 403),
        ("http://localhost:8025", 200),
        ("http://127.0.0.1:8025", 200),
    ):
        app = create_app(
            settings.model_copy(update={"base_url": base_url}),
            fetch=FakeFetch(),
            clock=clock,
            resolver=FakeDns(),
            transport=Sink,
        )
        answer = app.test_client().get("/author/log-in", base_url=base_url)
        assert answer.status_code == status
        cookies = answer.headers.getlist("Set-Cookie")
        if status == 200:
            assert cookies[0].startswith("author=")
            assert "Secure" not in cookies[0]
        else:
            assert cookies == []
            assert "base_url" in answer.text
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def test_what_needs_a_fresh_log_in_asks_for_one(
    app: Flask, ana: str, browse: Browse, sink: Sink, clock: Clock
) -> None:
    browser = browse("owner", address=ANA)
    clock.forward(timedelta(hours=2))
    assert browser.get("/author/again?next=/author/audit").status_code == 200
    answer = browser.post("/author/again", {"next": "/author/audit"}, page="/author/again")
    assert answer.headers["Location"] == "/author/code?next=/author/audit"
    _, code = mailed(app, sink)
    before = browser.cookie
    entered = browser.post(
        "/author/code", {"code": code, "next": "/author/audit"}, page="/author/code"
    )
    assert entered.headers["Location"] == "/author/audit"
    assert browser.cookie != before
