"""The form on a foreign origin in a real browser: each kind, with and without script, under a
strict policy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import func, select

from newsletter.db.session import db, transaction
from newsletter.models import ConsentEvent, Counter, Subscription
from newsletter.services.lists import topics
from newsletter.services.runtime import EXTENSION, utcnow
from newsletter.services.signup import forms
from newsletter.setup_vocabulary import EmbedKind
from newsletter.urls import Links
from newsletter.web.embed_snippets import embed_form
from tests.browser.foreign import STRICT, ForeignBlog, foreign_blog, served
from tests.people import add_list

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.any_database]

WCAG = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}
SCREENSHOTS = os.environ.get("SCREENSHOTS")


@dataclass
class Scene:
    """The blog, our pages, and how many subscriptions there are."""

    app: Flask
    blog: ForeignBlog
    url: str

    def paste(
        self, kind: EmbedKind, *, times: int = 1, language: str = "", theme: str = ""
    ) -> None:
        with self.app.app_context():
            snippet = embed_form(
                self.app.extensions[EXTENSION], "blog", kind, language=language, theme=theme
            )
        self.blog.pages["/"] = "<p>A post.</p>" + snippet * times

    def count(self, model: type, *where: object) -> int:
        with self.app.app_context():
            return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0  # type: ignore[arg-type]

    def event(self) -> ConsentEvent:
        with self.app.app_context():
            return db.session.scalars(select(ConsentEvent).order_by(ConsentEvent.id)).first()  # type: ignore[return-value]

    @property
    def proven(self) -> int:
        """Return how many sign-ups brought a puzzle's solution."""
        with self.app.app_context():
            query = select(func.sum(Counter.count)).where(Counter.name == "proven/overall")
            return db.session.scalar(query) or 0


@pytest.fixture
def scene(app: Flask) -> Iterator[Scene]:
    with app.app_context(), transaction() as session:
        add_list(session)
    with app.app_context():
        forms.add_field("blog", "town", "text", "Your town")
        forms.add_field(
            "blog", "topic", "choice", "What brings you here?", ["Sleep", "Work", "Love & loss"]
        )
        forms.add_field("blog", "printed", "checkbox", "On paper, too")
        for name in ("Sleep", "A long walk before breakfast, whatever the weather says"):
            topics.add("blog", name, categories=[name])
        forms.add_field(
            "blog",
            "workshops",
            "consent",
            "Ana may also write to me about workshops, twice a year.",
        )
    with foreign_blog() as blog, served(app) as url:
        env = app.extensions[EXTENSION]
        settings = env.settings.model_copy(update={"base_url": url})
        app.extensions[EXTENSION] = replace(
            env, settings=settings, links=Links(url, env.tokens), clock=utcnow
        )
        blog.policy = STRICT.format(ours=url)
        yield Scene(app, blog, url)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    assert context.cookies() == []
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def shoot(page: Page, name: str) -> None:
    """Pictures at 320, 360 and 1200 px, light and dark, if asked for."""
    if not SCREENSHOTS:
        return
    for width in (320, 360, 1200):
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 700})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.wait_for_timeout(150)
            page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{width}-{scheme}.png", full_page=True)


def complaints(page: Page) -> list[str]:
    """Return what the browser's console says from now on."""
    messages: list[str] = []
    page.on(
        "console",
        lambda message: (
            messages.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: messages.append(str(error)))
    return messages


def fill(target: Page, email: str = "ana@example.com") -> None:
    target.get_by_label("Your e-mail address").fill(email)
    target.get_by_label("How often").select_option("monthly")
    target.get_by_label("What brings you here?").select_option("Work")
    target.get_by_label("Ana may also write").check()


def test_plain_html_needs_no_script_and_survives_a_strict_policy(
    scene: Scene, browser: Browser
) -> None:
    scene.paste(EmbedKind.FORM)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(scene.blog.url + "/")
    assert not page.get_by_label("Leave this empty").is_visible(), (
        "the trap is in nobody's way, even without styles"
    )
    shoot(page, "form-strict")
    fill(page)
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(f"{scene.url}/blog/check-your-inbox")
    assert scene.count(Subscription) == 1
    event = scene.event()
    assert (event.form, event.source) == ("form", "form")
    scene.blog.policy = ""
    page.goto(scene.blog.url + "/")
    shoot(page, "form")
    context.close()


def test_the_script_answers_in_place(scene: Scene, page: Page) -> None:
    scene.paste(EmbedKind.SCRIPT)
    result = complaints(page)
    page.goto(scene.blog.url + "/")
    shoot(page, "script-strict")
    fill(page)
    page.get_by_role("button", name="Subscribe").click()
    page.get_by_role("status").get_by_text("a mail is on its way").wait_for()
    assert page.url == scene.blog.url + "/", "no change of page"
    assert page.evaluate("document.activeElement.getAttribute('role')") == "status", (
        "a screen reader is told"
    )
    shoot(page, "script-sent")
    assert scene.count(Subscription) == 1
    assert scene.proven == 1, "the puzzle was solved and taken"
    event = scene.event()
    assert (event.form, event.page) == ("script", scene.blog.url + "/")
    assert [text for text in result if "style-src" not in text and "inline style" not in text] == []


def test_the_script_says_what_is_missing_beside_its_field(scene: Scene, page: Page) -> None:
    scene.paste(EmbedKind.SCRIPT)
    page.goto(scene.blog.url + "/")
    page.get_by_role("button", name="Subscribe").click()
    email = page.get_by_label("Your e-mail address")
    assert email.get_attribute("aria-invalid") == "true"
    note = page.locator(f"#{email.get_attribute('aria-describedby')}")
    assert note.is_visible()
    assert email.evaluate("field => field === document.activeElement")
    shoot(page, "script-missing")
    email.fill("ana@example.com")
    assert email.get_attribute("aria-invalid") is None, "it is taken back as soon as it is mended"
    email.fill("ana@example")  # the browser thinks it right, the server does not
    page.get_by_role("button", name="Subscribe").click()
    page.get_by_text("the part after the @").wait_for()
    assert scene.count(Subscription) == 0
    assert page.url == scene.blog.url + "/"


def test_the_script_works_twice_on_a_page(scene: Scene, page: Page) -> None:
    scene.paste(EmbedKind.SCRIPT, times=2)
    page.goto(scene.blog.url + "/")
    page.get_by_role("button", name="Subscribe").nth(1).click()
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(found => found.id)")
    assert len(ids) == len(set(ids)) == 1
    for number, email in (
        (0, "one@example.com"),
        (0, "two@example.com"),
    ):  # the first form is gone once it is sent
        page.get_by_label("Your e-mail address").nth(number).fill(email)
        page.get_by_role("button", name="Subscribe").nth(number).click()
        page.get_by_role("status").nth(1 if email.startswith("two") else 0).wait_for()
    page.wait_for_load_state("networkidle")
    assert page.get_by_role("status").count() == 2, "each was sent once"
    assert page.get_by_role("alert").count() == 0
    assert scene.count(Subscription) == 2


@pytest.mark.parametrize(
    "failure", ["integrity", "blocked", "no answer may be fetched", "no script"]
)
def test_where_the_script_fails_the_form_is_plain_html(
    scene: Scene, browser: Browser, failure: str
) -> None:
    scene.paste(EmbedKind.SCRIPT)
    context = browser.new_context(java_script_enabled=failure != "no script")
    page = context.new_page()
    match failure:
        case "integrity":
            scene.blog.pages["/"] = scene.blog.pages["/"].replace("sha384-", "sha384-AAAA")
        case "blocked":
            scene.blog.policy = scene.blog.policy.replace(
                f"script-src {scene.url}", "script-src 'none'"
            )
        case "no answer may be fetched":
            scene.blog.policy = scene.blog.policy.replace(
                f"connect-src {scene.url}", "connect-src 'none'"
            )
    page.goto(scene.blog.url + "/")
    fill(page)
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(f"{scene.url}/blog/check-your-inbox")
    assert scene.count(Subscription) == 1
    context.close()


def test_a_frame_is_as_tall_as_its_form_and_answers_within_itself(scene: Scene, page: Page) -> None:
    scene.blog.head = '<link rel=stylesheet href="/style.css">'
    scene.paste(EmbedKind.IFRAME)
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(scene.blog.url + "/")
    frame = page.frame_locator("iframe")
    frame.get_by_label("Your e-mail address").wait_for()
    page.locator("iframe[style*='height:']").wait_for()
    inside = page.frames[1]
    assert inside.evaluate("document.documentElement.scrollHeight <= innerHeight + 1"), (
        "it needs no scroll bar"
    )
    assert inside.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(page, "iframe")
    frame.get_by_role("button", name="Subscribe").click()
    frame.locator("#email-error").wait_for()
    frame.get_by_label("Your e-mail address").fill("ana@example.com")
    page.wait_for_timeout(2100)  # faster than anybody types is a robot
    frame.get_by_role("button", name="Subscribe").click()
    frame.get_by_text("Check your inbox").wait_for()
    shoot(page, "iframe-sent")
    assert page.url == scene.blog.url + "/"
    assert scene.count(Subscription) == 1
    assert scene.proven == 1
    event = scene.event()
    assert event.form == "iframe"
    assert event.page.startswith(scene.blog.url)


@pytest.mark.parametrize("theme", ["", "dark"])
def test_a_frame_has_no_canvas_and_the_scheme_that_was_asked_for(
    scene: Scene, browser: Browser, theme: str
) -> None:
    """Visitors' systems may be dark: the page around the frame says nothing of it, and stays
    light.
    """
    scene.paste(EmbedKind.IFRAME, theme=theme)
    page = browser.new_context(color_scheme="dark").new_page()
    page.goto(scene.blog.url)
    page.locator("iframe[style*='height:']").wait_for()
    assert page.locator("iframe").evaluate("frame => getComputedStyle(frame).display") == "block"
    look = "name => getComputedStyle(document.querySelector(name))"
    inside = page.frames[1]
    assert inside.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert inside.evaluate(f"({look})('body').backgroundColor") == "rgba(0, 0, 0, 0)"
    ground = inside.evaluate(f"({look})('.signup').backgroundColor")
    assert ground == ("rgb(32, 39, 37)" if theme else "rgb(255, 255, 255)")
    page.context.close()


def test_a_frame_shows_where_the_error_is_and_no_console_complains(
    scene: Scene, page: Page
) -> None:
    scene.paste(EmbedKind.IFRAME)
    result = complaints(page)
    page.goto(scene.blog.url + "/")
    page.locator("iframe[style*='height:']").wait_for()
    frame = page.frame_locator("iframe")
    frame.get_by_label("Your e-mail address").fill("ana@example")
    page.wait_for_timeout(2100)
    frame.get_by_role("button", name="Subscribe").click()
    frame.locator("#email-error").wait_for()
    frame.locator("#email:focus").wait_for()
    assert [text for text in result if "422" not in text] == []


NAMES = (
    "action",
    "append",
    "contains",
    "dataset",
    "elements",
    "method",
    "newsletter",
    "submit",
    "target",
)
"""What a form is asked for by name, until a field is called that."""


@pytest.mark.parametrize("kind", ["script", "page"])
def test_fields_may_have_any_name(scene: Scene, page: Page, kind: str) -> None:
    with scene.app.app_context():
        for name in NAMES:
            forms.add_field("blog", name, "text", f"The {name}")
    scene.paste(EmbedKind.SCRIPT)
    result = complaints(page)
    page.goto(scene.url + "/blog/" if kind == "page" else scene.blog.url + "/")
    fill(page)
    page.get_by_label("The submit").fill("it all")
    page.wait_for_timeout(2100)
    page.get_by_role("button", name="Subscribe").click()
    page.get_by_text("a mail is on its way").wait_for()
    assert page.url == (
        scene.blog.url + "/" if kind == "script" else f"{scene.url}/blog/check-your-inbox"
    )
    assert (scene.count(Subscription), scene.proven) == (1, 1)
    assert [text for text in result if "inline style" not in text and "style-src" not in text] == []


def test_a_frame_works_without_script(scene: Scene, browser: Browser) -> None:
    scene.paste(EmbedKind.IFRAME, theme="dark")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(scene.blog.url + "/")
    frame = page.frame_locator("iframe")
    frame.get_by_label("Your e-mail address").fill("ana@example.com")
    page.wait_for_timeout(2100)
    frame.get_by_role("button", name="Subscribe").click()
    frame.get_by_text("Check your inbox").wait_for()
    assert scene.count(Subscription) == 1
    context.close()


def test_our_own_page_solves_the_puzzle_with_altcha_under_its_own_policy(
    scene: Scene, page: Page
) -> None:
    result = complaints(page)
    page.goto(scene.url + "/blog/")
    shoot(page, "list")
    fill(page)
    page.wait_for_timeout(2100)
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(f"{scene.url}/blog/check-your-inbox")
    assert scene.count(Subscription) == 1
    assert scene.proven == 1
    assert result == [], "our own policy allows all that our own page does"


def test_what_a_screen_reader_reads(scene: Scene, page: Page) -> None:
    scene.paste(EmbedKind.SCRIPT)
    page.goto(scene.blog.url + "/")
    tree = page.locator("form").aria_snapshot()
    assert tree == EXPECTED, tree
    assert "Leave this empty" not in tree, "the trap is hidden from screen readers too"
    page.goto(scene.url + "/blog/")
    result = page.locator("form").aria_snapshot()
    assert "Leave this empty" not in result
    assert 'checkbox "Ana may also write to me about workshops, twice a year."' in result


EXPECTED = """\
- paragraph:
  - text: Your e-mail address
  - textbox "Your e-mail address"
- paragraph:
  - text: How often
  - combobox "How often":
    - option "With every new post"
    - option "Once a day"
    - option "Once a week" [selected]
    - option "Once a month"
- 'group "Topics (none: all of them)"':
  - text: "Topics (none: all of them)"
  - checkbox "Sleep"
  - text: Sleep
  - checkbox "A long walk before breakfast, whatever the weather says"
  - text: A long walk before breakfast, whatever the weather says
- paragraph:
  - text: Your town
  - textbox "Your town"
- paragraph:
  - text: What brings you here?
  - combobox "What brings you here?":
    - option [selected]
    - option "Sleep"
    - option "Work"
    - option "Love & loss"
- paragraph:
  - checkbox "On paper, too"
  - text: On paper, too
- paragraph:
  - checkbox "Ana may also write to me about workshops, twice a year."
  - text: Ana may also write to me about workshops, twice a year.
- paragraph:
  - button "Subscribe"
- paragraph: Yes, send me Slow Letters by e-mail. I can unsubscribe at any time with one click."""


def test_right_to_left_and_the_blogs_own_font(scene: Scene, page: Page) -> None:
    scene.blog.lang = 'lang="ar" dir="rtl"'
    scene.blog.policy = ""
    scene.blog.head = (
        "<style>body { font: 20px Georgia, serif; background: #123; color: #fed }</style>"
    )
    scene.paste(EmbedKind.SCRIPT, language="ar")
    page.goto(scene.blog.url + "/")
    button = page.get_by_role("button", name="اشتراك").bounding_box()
    form = page.locator("form").bounding_box()
    assert button and form
    assert button["x"] + button["width"] == pytest.approx(form["x"] + form["width"], abs=1), (
        "it begins at the right"
    )
    email = page.locator("input[name=email]")
    assert email.evaluate("field => getComputedStyle(field).fontFamily") == "Georgia, serif"
    assert email.evaluate("field => getComputedStyle(field).color") == "rgb(255, 238, 221)"
    shoot(page, "script-rtl")
    scene.paste(EmbedKind.IFRAME, language="ar")
    page.goto(scene.blog.url + "/")
    inside = page.frame_locator("iframe").locator("html")
    inside.wait_for()
    page.wait_for_timeout(300)
    assert inside.evaluate("root => getComputedStyle(root).fontFamily") == "Georgia, serif"
    assert inside.get_attribute("dir") == "rtl"
    shoot(page, "iframe-rtl")


MISSING = {
    "en": "Please fill this in.",
    "de": "Bitte füllen Sie das aus.",
    "ar": "يُرجى ملء هذه الخانة.",
}
DARK = (
    '<meta name=color-scheme content="light dark"><style>:root { color-scheme: light dark } '
    "body { margin: 16px }</style>"
)


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("kind", [EmbedKind.FORM, EmbedKind.SCRIPT, EmbedKind.IFRAME])
def test_wcag_on_a_blog_from_both_sides_in_the_light_and_in_the_dark(
    scene: Scene, browser: Browser, kind: EmbedKind, *, scripts: bool
) -> None:
    """axe-core on the foreign page and within the frame; nothing wider than the narrowest screen;
    all of it by topics, fields and errors.
    """
    scene.blog.head = DARK
    scene.blog.policy = ""
    for language, width, scheme in (
        ("en", 320, "light"),
        ("ar", 320, "dark"),
        ("de", 1200, "dark"),
    ):
        scene.blog.lang = f'lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}"'
        scene.paste(kind, language=language)
        context = browser.new_context(
            color_scheme=scheme,
            java_script_enabled=scripts,
            viewport={"width": width, "height": 700},  # type: ignore[arg-type]
        )
        page = context.new_page()
        page.goto(scene.blog.url + "/", wait_until="networkidle")
        if scripts:
            if kind != "form":
                form = page.frame_locator("iframe") if kind == "iframe" else page
                form.locator("button").click()
                form.locator("[aria-invalid=true]").first.wait_for()
                if kind == "script":
                    assert page.locator(".newsletter-error").first.inner_text() == MISSING[language]
            response = Axe().run(page, options=WCAG).response["violations"]
            assert [
                (violation["id"], [node["html"] for node in violation["nodes"]])
                for violation in response
            ] == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.evaluate("scrollTo(0, 0)")
        shoot(page, f"blog-{kind}-{language}-{'scripts' if scripts else 'plain'}")
        context.close()
