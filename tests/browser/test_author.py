"""Every page of the author, in every state: judged by axe-core, at four widths, in every language,
light and dark, by keyboard.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from newsletter import demo
from newsletter.demo import SLUG
from newsletter.i18n import LANGUAGES
from tests.browser.test_every_page import WCAG
from tests.browser.test_story import shoot
from tests.desk import OPEN, PAGES, Desk

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

OTHERS = [language for language in LANGUAGES if language != "en"]
WIDTHS = (320, 360, 768, 1440, 1600)


def enter(desk: Desk, context: BrowserContext) -> Page:
    """Log in, and return the page that shows Today."""
    page = context.new_page()
    page.goto(f"{desk.scene.url}/author/{desk.link()}")
    page.locator("main form button").press("Enter")
    page.wait_for_url("**/author/")
    return page


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with demo.open_stage() as scene:
        demo.run_steps(scene, lambda line: None)
        yield Desk(scene)


@pytest.fixture(scope="module")
def english(browser: Browser, desk: Desk) -> Iterator[Page]:
    context = browser.new_context(locale="en", java_script_enabled=True)
    yield enter(desk, context)
    context.close()


def judge(page: Page, name: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations = Axe().run(page, options=WCAG).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations] == [], (
            scheme
        )
    fits(page, name)


def fits(page: Page, name: str) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    shoot(page, f"author-{name}-{page.evaluate('document.documentElement.lang')}")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_of_the_author_conforms_to_wcag(english: Page, desk: Desk, name: str) -> None:
    outside: list[str] = []
    english.on("request", lambda request: outside.append(request.url))
    english.goto(f"{desk.scene.url}/author/{PAGES[name](desk)}")
    judge(english, name)
    foreign = [url for url in outside if not url.startswith(desk.scene.url)]
    assert foreign == [] or name in ("campaign", "look", "today", "digest", "digest-over"), (
        "only a mail in its frame has the blog's pictures"
    )


@pytest.mark.parametrize("name", OPEN)
def test_wcag_of_the_way_in(browser: Browser, desk: Desk, name: str) -> None:
    page = browser.new_page(locale="en")
    page.goto(f"{desk.scene.url}/author/{OPEN[name](desk)}")
    judge(page, name)
    page.close()


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_fits_every_width(browser: Browser, desk: Desk, language: str) -> None:
    """The pages with most words; the test after this one has the others, and WCAG."""
    context = browser.new_context(locale=language)
    page = enter(desk, context)
    for name in (
        "today",
        "digest",
        "campaigns",
        "campaign",
        "letter",
        "letter-send",
        "subscriber",
        "sources",
        "audit",
    ):
        page.goto(f"{desk.scene.url}/author/{PAGES[name](desk)}")
        assert page.evaluate("document.documentElement.lang") == language
        fits(page, name)
    context.close()


@pytest.mark.parametrize(("number", "language"), list(enumerate(OTHERS)))
def test_every_page_is_judged_in_one_other_language(
    browser: Browser, desk: Desk, number: int, language: str
) -> None:
    """Each language has its share of all pages, on a telephone, in turn dark and light."""
    context = browser.new_context(
        locale=language,
        color_scheme="dark" if number % 2 else "light",
        viewport={"width": 360, "height": 800},
    )
    page = enter(desk, context)
    for name in list(PAGES)[number :: len(OTHERS)]:
        page.goto(f"{desk.scene.url}/author/{PAGES[name](desk)}")
        assert page.evaluate("document.documentElement.lang") == language
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        violations = Axe().run(page, options=WCAG).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations] == [], (
            name
        )
    context.close()


def test_an_entry_is_released_by_keyboard_without_javascript(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(locale="en", java_script_enabled=False)
    page = enter(desk, context)
    held = page.locator("li", has_text="Held back")
    held.get_by_role("button", name="Release").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Done.").wait_for()
    assert page.locator("li", has_text="Held back").count() == 0
    page.goto(f"{desk.scene.url}/author/sources")
    page.locator("li", has_text="Held back").get_by_role("button", name="Hold").press("Enter")
    page.get_by_text("Done.").wait_for()
    page.get_by_role("button", name="Log out").press("Enter")
    page.get_by_label("Your e-mail address").wait_for()
    page.go_back()
    assert page.get_by_label("Your e-mail address").count() == 1, "a page that was left is not kept"
    context.close()


@pytest.mark.parametrize("name", ["today", "digest", "campaign", "look", "forms"])
def test_a_frame_is_painted_without_javascript(browser: Browser, desk: Desk, name: str) -> None:
    """On a telephone in the dark, where frames are below what is seen first."""
    context = browser.new_context(
        locale="en",
        java_script_enabled=False,
        color_scheme="dark",
        viewport={"width": 360, "height": 800},
    )
    page = enter(desk, context)
    page.goto(f"{desk.scene.url}/author/{PAGES[name](desk)}")
    mail = page.locator("iframe.mail").first
    mail.scroll_into_view_if_needed()
    page.frame_locator("iframe.mail").first.get_by_text("Slow Letters").first.wait_for()
    with Image.open(BytesIO(mail.screenshot())) as painted:
        colors = painted.convert("RGB").getcolors(1 << 20)
    assert colors is not None
    assert len(colors) > 20, "letters have many shades"
    context.close()


def test_public_pages_get_no_cookie_of_an_author(english: Page, desk: Desk) -> None:
    [cookie] = english.context.cookies()
    assert (cookie["name"], cookie["path"], cookie["httpOnly"]) == ("author", "/author", True)
    assert english.context.cookies(f"{desk.scene.url}/{SLUG}/") == []


def test_the_mail_as_sent_stands_in_its_frame(english: Page, desk: Desk) -> None:
    english.set_viewport_size({"width": 1200, "height": 900})
    english.goto(f"{desk.scene.url}/author/campaigns/{desk.campaign}")
    frame = english.frame_locator("iframe.mail")
    frame.get_by_text("Letters to a younger self").first.wait_for()
    shoot(english, "author-mail")
