"""Digests in a real browser: nothing acts, nothing is fetched but pictures, nothing is wider than
the screen.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, Route
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.html.text import to_plain_line
from newsletter.mail.slots import fill
from newsletter.models import Feed, MailingList
from newsletter.services.digests.layout import Editor, read_style
from newsletter.services.digests.plan import read_candidates
from newsletter.services.mail_context import make_list_context
from newsletter.services.runtime import EXTENSION
from tests.attacks import payloads
from tests.people import add_entry, add_feed, add_list

pytestmark = [pytest.mark.browser, pytest.mark.any_database, pytest.mark.xdist_group("browser")]

VALUES = {
    "name": "Ana",
    "preferences_url": "https://news.example.com/p",
    "unsubscribe_url": "https://news.example.com/u",
    "why_url": "https://news.example.com/w",
    "web_url": "https://news.example.com/w",
}
POST = (
    "<p>One <a href='/x'>link</a>.</p><h2>Heading</h2><ul><li>a</li></ul><blockquote>"
    "b</blockquote><pre>"
    + "long " * 40
    + "</pre><p>"
    + "x" * 300
    + (
        "</p><table><tr><th>Day</th><td>Monday</td></tr></table><table><tr>"
        + "<td>September</td>" * 5
        + "</tr></table><figure><img src='/p.jpg' alt='A "
        "lake' width='1200' height='800'></figure>"
    )
)
WATCHED = """() => [...document.querySelectorAll("*")].flatMap(element => [
    ...[...element.attributes].filter(a => a.name.startsWith("on"))
        .map(a => element.tagName + " " + a.name),
    ...(/^(fixed|absolute|sticky)$/.test(getComputedStyle(element).position)
        ? [element.tagName + " moved"] : []),
    ...(element.namespaceURI === "http://www.w3.org/1999/xhtml" ? [] : [element.tagName])])"""


def editor(app: Flask, posts: list[str], **settings: object) -> tuple[Editor, list]:  # type: ignore[type-arg]
    """Return an editor of a list with these posts, within an application context."""
    with transaction() as session:
        mailing_list = add_list(session, site_url="https://blog.example.com/", **settings)
        add_feed(session, mailing_list)
    with transaction() as session:
        feed = session.scalars(select(Feed)).one()
        for number, post in enumerate(posts):
            entry = add_entry(session, feed, f"Post {number}")
            entry.content_html = post.encode("utf-8", "ignore").decode().replace("\0", "")
            if post != POST:
                entry.title = to_plain_line(post)
    session = db.session()
    row = session.scalars(select(MailingList)).one()
    candidates = read_candidates(session, row.id, after=0, through=row.entry_seq)
    return Editor(
        app.extensions[EXTENSION],
        session,
        make_list_context(app.extensions[EXTENSION], row),
        read_style(session, row),
    ), candidates


def show(page: Page, html: str) -> list[str]:
    """Open a mail as a page of its own. Return everything but pictures that it asked for."""
    requested: list[str] = []

    def answer(route: Route) -> None:
        if route.request.url == "https://mail.example/":
            route.fulfill(status=200, content_type="text/html; charset=utf-8", body=html)
            return
        if route.request.resource_type != "image":
            requested.append(route.request.url)
        route.abort()

    page.route("**/*", answer)
    page.goto("https://mail.example/")
    page.wait_for_timeout(50)
    page.unroute("**/*")
    return requested


def test_e07_attacks_do_nothing_in_a_browser(app: Flask, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    alarms: list[str] = []
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    page.on("popup", lambda popup: alarms.append(popup.url))
    everything = payloads()
    with app.app_context():
        mail_editor, candidates = editor(app, everything, digest_show="full")
        for start in range(0, len(candidates), 40):
            some = candidates[start : start + 40]
            html = fill(mail_editor.render_web(some).html, VALUES)
            assert show(page, html) == [], everything[start : start + 40]
            assert page.evaluate(WATCHED) == [], everything[start : start + 40]
            assert page.locator("h2").count() >= len(some), (
                "all of them are there, and none swallows the rest"
            )
        db.session.rollback()
    assert alarms == []
    assert page.url == "https://mail.example/"
    context.close()


UNTIDY = (
    "<h4>Begins at four</h4><ul><ul><li>as old editors nest</li></ul></ul><p><a "
    "href='/big.jpg'><img src='/small.jpg' alt=''></a>"
    "<a name='x'></a></p><table><tr><th></th><th>A</th></tr><tr><td>1</td><td>2</td></tr>"
    "</table><dl><dd>alone</dd></dl>"
    "<iframe src='https://www.youtube.com/embed/dQw4w9WgXcQ'></iframe><p "
    "style='color:#eee'>pale</p>"
)


@pytest.mark.parametrize(
    "look", [{}, {"digest_sections": "feed", "theme_color": "#ffd54a"}, {"language": "ar"}]
)
def test_axe_finds_nothing_in_the_archive(
    app: Flask, browser: Browser, look: dict[str, object]
) -> None:
    with app.app_context():
        mail_editor, candidates = editor(app, [POST, UNTIDY] * 5, digest_show="full", **look)
        pages = [
            fill(mail_editor.render_web(some).html, VALUES)
            for some in (candidates, candidates[:1], candidates[1:2])
        ]
        db.session.rollback()
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 700, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        for html in pages:
            show(page, html)
            response = Axe().run(page).response["violations"]
            assert [(rule["id"], rule["nodes"][0]["html"]) for rule in response] == []
        context.close()


KNOWN = {
    "-webkit-text-size-adjust",
    "background-color",
    "border",
    "border-bottom",
    "border-collapse",
    "border-left",
    "border-right",
    "border-top",
    "color",
    "display",
    "font-family",
    "font-size",
    "font-weight",
    "height",
    "line-height",
    "margin",
    "margin-top",
    "max-height",
    "max-width",
    "mso-hide",
    "padding",
    "padding-left",
    "padding-right",
    "text-align",
    "text-decoration",
    "vertical-align",
}


@pytest.mark.parametrize("language", ["en", "ar"])
def test_styles_are_those_that_every_program_knows(app: Flask, language: str) -> None:
    """Styles that caniemail.com names as unsupported somewhere (classic Outlook knows the least)
    stand in @media rules only.
    """
    with app.app_context():
        mail_editor, candidates = editor(
            app, [POST, UNTIDY] * 5, digest_show="full", language=language
        )
        for some in (candidates, candidates[:1], candidates[1:2]):
            html = re.sub(r"<!--.*?-->", "", mail_editor.render(some).html, flags=re.DOTALL)
            used = {
                style.split(":")[0].strip()
                for inline in re.findall(r'style="([^"]*)"', html)
                for style in inline.split(";")
            }
            assert used - {""} <= KNOWN
            rules = re.findall(r"<style>\s*(.*?)</style>", html, re.DOTALL)
            assert rules and all(sheet.startswith("@media") for sheet in rules)
        db.session.rollback()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_mails_fit_narrow_screens(app: Flask, browser: Browser, language: str) -> None:
    with app.app_context():
        mail_editor, candidates = editor(
            app, [POST] * 3, digest_show="full", language=language, theme_radius=24
        )
        renderings: list[Callable[[], object]] = [
            lambda: mail_editor.render(candidates),
            lambda: mail_editor.render(candidates[:1]),
        ]
        mails = [fill(make().html, VALUES) for make in renderings]  # type: ignore[attr-defined]
        db.session.rollback()
    for width in (320, 360, 700):
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme
            )  # type: ignore[arg-type]
            page = context.new_page()
            for html in mails:
                show(page, html)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
            context.close()


QUOTED = "<blockquote><p>{0}</p></blockquote><table><tr><td>{0}</td><td>{0}</td></tr></table>"
SIDES = """() => [...document.querySelectorAll("blockquote, .content td")].map(element => {
    const style = getComputedStyle(element);
    const bar = parseInt(style.borderRightWidth) ? "right" : "left";
    return [style.direction, element.tagName === "TD" ? style.textAlign : bar];
}).filter(([direction, side]) => (direction === "rtl") !== (side === "right"))"""


@pytest.mark.parametrize("language", ["en", "ar"])
def test_quotes_and_tables_begin_at_the_side_of_their_language(
    app: Flask, browser: Browser, language: str
) -> None:
    """In posts of either direction, in lists of either, and in parts of the other direction."""
    arabic = QUOTED.format("خطوة بطيئة كل يوم. " * 9)
    english = QUOTED.format("A slow step. " * 9)
    posts = [
        *(arabic, english),
        f'{english}<div dir="rtl">{arabic}</div>{english}',
        f'{arabic}<div dir="ltr">{english}</div>{arabic}',
    ]
    with app.app_context():
        mail_editor, candidates = editor(app, posts, digest_show="full", language=language)
        mails = [
            fill(mail_editor.render(some).html, VALUES)
            for some in (candidates, *([p] for p in candidates))
        ]
        db.session.rollback()
    page = browser.new_page()
    for html in mails:
        show(page, html)
        assert page.locator("blockquote").count()
        assert page.evaluate(SIDES) == []
    page.close()
