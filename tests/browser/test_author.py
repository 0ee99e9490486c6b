"""Every page of the author, in every state: judged by axe-core, at four widths, in six languages, light and dark, by keyboard."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from newsletter import demo
from newsletter.access_vocabulary import AuthorRole
from newsletter.authoring.letter_fields import LetterFields
from newsletter.db.session import transaction
from newsletter.demo import SLUG, DemoStage
from newsletter.i18n import LANGUAGES
from newsletter.models import Campaign, Feed, MailingList, Subscriber
from newsletter.services.authors import authors, log_in
from newsletter.services.letters import manuscripts
from newsletter.services.transfer import import_files, import_work
from newsletter.services.transfer.import_files import ImportChoices
from tests.browser.test_every_page import WCAG
from tests.browser.test_story import shoot
from tests.people import add_entry, add_list, add_reader

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ANA = "ana@blog.example"
WIDTHS = (320, 360, 768, 1440, 1600)

Place = Callable[["Desk"], str]
PAGES: dict[str, Place] = {
    "today": lambda desk: "",
    "digest": lambda desk: f"digests/{SLUG}/weekly",
    "digest-over": lambda desk: f"digests/{SLUG}/instant?review=99",
    "sending": lambda desk: "sending",
    "campaigns": lambda desk: "campaigns",
    "campaign": lambda desk: f"campaigns/{desk.campaign}",
    "subscribers": lambda desk: "subscribers",
    "add": lambda desk: "subscribers/add",
    "search": lambda desk: "subscribers?search=zz",
    "subscriber": lambda desk: f"subscribers/{desk.subscriber}",
    "explained": lambda desk: f"subscribers/{desk.subscriber}?campaign={desk.campaign}",
    "proof": lambda desk: f"subscribers/{desk.subscriber}/proof",
    "letters": lambda desk: "letters",
    "letter": lambda desk: f"letters/{desk.draft}",
    "letter-send": lambda desk: f"letters/{desk.draft}/send",
    "sources": lambda desk: "sources",
    "held": lambda desk: "sources?fate=held",
    "feed": lambda desk: f"feeds/{desk.feed}",
    "add-feed": lambda desk: "sources/add",
    "imports": lambda desk: "imports",
    "import": lambda desk: f"imports/{desk.imported}",
    "forms": lambda desk: f"lists/{SLUG}/forms",
    "form-frame": lambda desk: f"lists/{SLUG}/forms?snippet=iframe",
    "files": lambda desk: "files",
    "health": lambda desk: "health",
    "statistics": lambda desk: "statistics?days=365",
    "settings": lambda desk: "settings",
    "list-settings": lambda desk: f"lists/{SLUG}/settings",
    "look": lambda desk: f"lists/{SLUG}/look",
    "account": lambda desk: "account",
    "audit": lambda desk: "audit",
    "again": lambda desk: "again",
    "done": lambda desk: "sources?done=1",
    "not-found": lambda desk: "campaigns/99999",
    "dead-link": lambda desk: "enter/nothing.here",
}
OPEN: dict[str, Place] = {
    "log-in": lambda desk: "log-in",
    "code": lambda desk: "code",
    "enter": lambda desk: desk.link(),
}
"""Pages of the way in, for a browser that is not logged in."""


class Desk:
    """The demo's installation with an author, and something in every state."""

    def __init__(self, scene: DemoStage) -> None:
        self.scene = scene
        with scene.app.app_context():
            authors.add_author(scene.env, ANA, role=AuthorRole.OWNER)
            with transaction() as session:
                mine = session.query(MailingList).filter_by(slug=SLUG).one()
                add_list(session, "talks", title="Long Talks")
                ann = add_reader(
                    session, mine, "amal.with.a.long.address@subdomain.example.com", name="أمل"
                )
                feed = session.query(Feed).filter_by(list_id=mine.id).first()
                assert feed is not None
                for title in ("Held back, with a title that is rather long", "أيام بطيئة"):
                    add_entry(session, feed, title, fate="held")
                feed.error = "https://blog.example.com/feed/: 404 Not Found"
                self.subscriber = session.get_one(Subscriber, ann.subscriber_id).handle
                campaign = session.query(Campaign).filter_by(list_id=mine.id).first()
                assert campaign is not None
                self.campaign = campaign.id
                self.feed = feed.id
            self.draft = manuscripts.start_draft(
                scene.env,
                SLUG,
                LetterFields(subject="A pause", body="Rest.\n\n![](lost.jpg)", segment="tags = x"),
            )
            ana = authors.list_authors()[0].id
            table = io.BytesIO(b"Email,Shoe size\nzed@example.com,44\nnobody,1\n")
            choices = ImportChoices(SLUG)
            self.imported = import_files.keep_file(scene.env, ana, table, "people.csv", choices)
            import_work.work_on_files(scene.env)

    def link(self) -> str:
        with self.scene.app.app_context():
            return log_in.make_link(self.scene.env, ANA).partition("/author/")[2]

    def enter(self, context: BrowserContext) -> Page:
        page = context.new_page()
        page.goto(f"{self.scene.url}/author/{self.link()}")
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
    yield desk.enter(context)
    context.close()


def judge(page: Page, name: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        violations = Axe().run(page, options=WCAG).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations] == [], (
            scheme
        )
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    shoot(page, f"author-{name}-{page.evaluate('document.documentElement.lang')}")


@pytest.mark.parametrize("name", PAGES)
def test_wcag(english: Page, desk: Desk, name: str) -> None:
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


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_language_fits_every_width(browser: Browser, desk: Desk, language: str) -> None:
    context = browser.new_context(locale=language)
    page = desk.enter(context)
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
        judge(page, name)
    context.close()


def test_an_entry_is_released_by_keyboard_without_javascript(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(locale="en", java_script_enabled=False)
    page = desk.enter(context)
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
