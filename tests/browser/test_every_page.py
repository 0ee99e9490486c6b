"""Every page a reader can meet, in every state: judged by axe-core (WCAG 2.2 AA), at 320 px and 400
% zoom, from right to left, in the dark, by keyboard and without JavaScript. A state that is new
belongs into `STATES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, build_opener

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page

from newsletter import demo, outbox
from newsletter.db.session import transaction
from newsletter.demo import SLUG, DemoStage
from newsletter.i18n import LANGUAGES, SOURCE
from newsletter.link_purposes import LinkPurpose
from newsletter.models import (
    AddressChange,
    Campaign,
    ConsentEvent,
    Delivery,
    MailingList,
    Subscriber,
    Subscription,
)
from newsletter.services import resources
from newsletter.services.lists import topics
from newsletter.services.sending import run as sending
from newsletter.services.subscribers.requested_link import RequestedLink
from newsletter.services.suppressions import hash_address
from newsletter.tokens import new_handle
from tests.browser.test_story import fits, shoot
from tests.fakes import Sink, body
from tests.people import add_list, add_reader

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

WCAG = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}


class Visit:
    """A subscriber of two lists at the demo's pages, and what they can open."""

    def __init__(self, scene: DemoStage) -> None:
        self.scene = scene
        with scene.app.app_context(), transaction() as session:
            mailing_list = session.query(MailingList).one()
            other = add_list(session, "talks", title="Long Talks", language="de")
            reader = add_reader(
                session, mailing_list, "amal@example.com", name="Amal", now=scene.env.now
            )
            session.add(
                Subscription(
                    handle="handle-talks",
                    list_id=other.id,
                    subscriber_id=reader.subscriber_id,
                    status="active",
                    cadence="weekly",
                    created_at=scene.env.now,
                    confirmed_at=scene.env.now,
                )
            )
            add_reader(
                session, mailing_list, "pending@example.com", status="pending", now=scene.env.now
            )
            self.pending_twice = add_reader(
                session, other, "nobody@example.com", status="pending"
            ).handle
            third = add_list(session, "walks", title="Short Walks")
            self.asked_too = "handle-walks"
            session.add(
                Subscription(
                    handle=self.asked_too,
                    list_id=third.id,
                    subscriber_id=reader.subscriber_id,
                    status="pending",
                    cadence="weekly",
                    created_at=scene.env.now,
                )
            )
            self.first = reader.id
            self.subscriber = reader.subscriber_id
            pending = (
                session.query(Subscription)
                .filter_by(status="pending", list_id=mailing_list.id)
                .one()
            )
            self.pending = pending.handle

    @property
    def handle(self) -> str:
        """The handle of the subscription now; a change of address gives a new one."""
        with self.scene.app.app_context(), transaction() as session:
            return session.get_one(Subscription, self.first).handle

    def link(self, purpose: str, payload: str = "", *, days_ago: float = 0) -> str:
        signed_at = self.scene.env.now - timedelta(days=days_ago)
        kind = LinkPurpose(purpose)
        return f"/{kind.path}/{self.scene.env.tokens.sign(kind, payload or self.handle, signed_at)}"

    def moving_to(self, address: str) -> str:
        with self.scene.app.app_context(), transaction() as session:
            subscriber = session.get_one(Subscriber, self.subscriber)
            subscriber.new_email = subscriber.new_email_key = address
            mark = hash_address(self.scene.env, address)[0][:16]
        return self.link("address", f"{self.handle}.{mark}")

    def asked(self) -> str:
        """Return a link to an answer of a campaign's question."""
        return self.link("answer", f"{self.handle}.{self.add_permission_campaign()}.0.0")

    def asked_to_stay(self) -> str:
        """Return a link to the page of a campaign that asks whether its recipients stay."""
        return self.link("stay", f"{self.handle}.{self.add_permission_campaign()}")

    def add_permission_campaign(self) -> str:
        """Add a campaign that asks for permission again, with a question; return its handle."""
        with self.scene.app.app_context(), transaction() as session:
            asking = Campaign(
                list_id=session.get_one(Subscription, self.first).list_id,
                kind="permission",
                status="sent",
                subject="A pause",
                seed="s",
                created_at=self.scene.env.now,
                started_at=self.scene.env.now,
                questions=[{"text": "Was this helpful?", "choices": ["yes", "no"]}],
            )
            session.add(asking)
            asking.handle = new_handle()
            return asking.handle

    def moved_from(self, address: str) -> str:
        with self.scene.app.app_context(), transaction() as session:
            change = AddressChange(
                handle=new_handle(),
                subscriber_id=self.subscriber,
                list_id=session.query(MailingList.id).first()[0],
                old_email=address,
                old_email_key=address,
                changed_at=self.scene.env.now,
            )
            session.add(change)
            return self.link("address-undo", change.handle)

    def fresh_subscriber(self, address: str = "gone@example.com") -> str:
        with self.scene.app.app_context(), transaction() as session:
            return add_reader(session, session.query(MailingList).first(), address).handle  # type: ignore[arg-type]


# What is opened, and what is then sent from there as its form would.
State = tuple[Callable[[Visit], str], dict[str, str] | None]

STATES: dict[str, State] = {
    "home": (lambda visit: "/", None),
    "list": (lambda visit: f"/{SLUG}/", None),
    "list-error": (
        lambda visit: f"/{SLUG}/subscribe",
        {"email": "nonsense", "cadence": "hourly", "name": "x" * 300},
    ),
    "check-your-inbox": (lambda visit: f"/{SLUG}/check-your-inbox", None),
    "archive-empty": (lambda visit: "/talks/archive/", None),
    "archive": (lambda visit: f"/{SLUG}/archive/", None),
    "confirm": (lambda visit: visit.link("confirm", f"{visit.pending}.1"), None),
    "confirmed": (lambda visit: visit.link("confirm", f"{visit.pending}.1"), {}),
    "confirm-spent": (lambda visit: visit.link("confirm", f"{visit.pending}.7"), None),
    "never": (lambda visit: visit.link("never", f"{visit.pending_twice}.1"), None),
    "never-taken-back": (lambda visit: visit.link("never", f"{visit.asked_too}.1"), {}),
    "never-again": (lambda visit: visit.link("never", f"{visit.pending_twice}.1"), {}),
    "expired-never": (lambda visit: visit.link("never", f"{visit.pending}.1", days_ago=40), None),
    "unsubscribe": (lambda visit: visit.link("unsubscribe"), None),
    "unsubscribed": (lambda visit: visit.link("unsubscribe"), {}),
    "unsubscribed-reason": (lambda visit: visit.link("unsubscribe"), {"reason": "often"}),
    "back-again": (lambda visit: visit.link("unsubscribe"), {"undo": "1"}),
    "preferences": (lambda visit: visit.link("preferences"), None),
    "preferences-mailed": (lambda visit: visit.link("preferences"), {"link": "1"}),
    "preferences-own": (lambda visit: visit.link("account"), None),
    "preferences-saved": (lambda visit: visit.link("account"), {"name": "Amal"}),
    "preferences-error": (lambda visit: visit.link("account"), {"address": "nonsense"}),
    "preferences-asked": (
        lambda visit: visit.link("account"),
        {"address": "new@example.com"},
    ),
    "why": (lambda visit: visit.link("why"), None),
    "why-pending": (lambda visit: visit.link("why", visit.pending), None),
    "why-mailed": (lambda visit: visit.link("why"), {}),
    "why-own": (lambda visit: visit.link("story"), None),
    "address": (lambda visit: visit.moving_to("amal.new@example.com"), None),
    "address-taken": (lambda visit: visit.moving_to("pending@example.com"), None),
    "address-done": (lambda visit: visit.moving_to("amal.new@example.com"), {}),
    "address-undo": (lambda visit: visit.moved_from("amal.old@example.com"), None),
    "address-undo-taken": (lambda visit: visit.moved_from("pending@example.com"), None),
    "address-undone": (lambda visit: visit.moved_from("amal.old@example.com"), {}),
    "export": (lambda visit: visit.link("export"), None),
    "erase": (lambda visit: visit.link("erase"), None),
    "erased": (lambda visit: visit.link("erase", visit.fresh_subscriber()), {}),
    "link": (lambda visit: "/link", None),
    "link-error": (lambda visit: "/link", {"email": "nonsense"}),
    "link-sent": (lambda visit: "/link", {"email": "nobody@example.com"}),
    "expired": (lambda visit: visit.link("preferences", days_ago=40), None),
    "broken": (lambda visit: "/preferences/broken", None),
    "not-found": (lambda visit: "/nothing/here", None),
    "answer": (lambda visit: visit.asked(), None),
    "answered": (lambda visit: visit.asked(), {}),
    "answer-example": (lambda visit: "/answer/example", None),
    "answer-closed": (
        lambda visit: visit.link("answer", f"{visit.handle}.x.0.0", days_ago=8),
        None,
    ),
    "stay": (lambda visit: visit.asked_to_stay(), None),
    "stayed": (lambda visit: visit.asked_to_stay(), {}),
    "resource": (lambda visit: "/resources/guide", None),
    "resource-expired": (
        lambda visit: visit.link("resources", f"{visit.handle}.guide", days_ago=40),
        None,
    ),
}


OPENED_ELSEWHERE = {
    "archive.show_campaign": "test_story.py follows the link to it in the archive",
    "signup.embed": "test_embedding.py opens it in a frame of the blog",
    "reviews.hold_page": "test_author.py; OPEN in tests/desk.py",
    "reviews.leave_out_page": "test_author.py; OPEN in tests/desk.py",
}
"""Pages that other browser tests open."""

FOR_PROGRAMS = {
    "archive.archive_feed": "a feed",
    "archive.media": "pictures of letters",
    "archive.sitemap": "search engines",
    "health.healthz": "monitoring",
    "health.robots": "search engines",
    "metrics.show_metrics": "monitoring",
    "signup.challenge": "the script of the form",
    "signup.embed_script": "the script of an embedded form",
    "signup.openapi": "programs of a blog",
    "static": "stylesheets and scripts",
    "theme.theme": "a stylesheet",
    "websub.verify": "hubs of feeds",
}
"""Addresses that show nobody a page, and who asks for them."""


class Addresses(Visit):
    """The addresses of the states, without anything in a database."""

    def __init__(self) -> None:
        self.pending = self.pending_twice = self.asked_too = "handle"

    @property
    def handle(self) -> str:
        return "handle"

    def link(self, purpose: str, payload: str = "", *, days_ago: float = 0) -> str:
        return f"/{LinkPurpose(purpose).path}/token"

    def moving_to(self, address: str) -> str:
        return self.link("address")

    def moved_from(self, address: str) -> str:
        return self.link("address-undo")

    def add_permission_campaign(self) -> str:
        return "campaign"

    def fresh_subscriber(self, address: str = "") -> str:
        return "handle"


def test_a_browser_opens_every_public_page(app: Flask) -> None:
    """The author's pages are in tests/desk.py; the API shows no pages."""
    pages = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.rule.startswith(("/author", "/api/"))
    }
    routes = app.url_map.bind("news.example.com")
    opened = set()
    for name, (path, fields) in STATES.items():
        if fields is None and name not in ("not-found", "broken"):
            opened.add(routes.match(path(Addresses()))[0])
    assert pages - opened == OPENED_ELSEWHERE.keys() | FOR_PROGRAMS.keys(), (
        "a page belongs into STATES, or with a reason into one of the lists above"
    )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoStage]:
    file = tmp_path_factory.mktemp("files") / "guide.pdf"
    file.write_bytes(b"%PDF-1.4 ten quiet minutes")
    with demo.open_stage() as scene:
        demo.run_steps(scene, lambda line: None)
        with scene.app.app_context():
            resources.add_resource(scene.env, file, title="Ten quiet minutes")
            for name in ("Rest", "Work"):
                topics.add(SLUG, name, categories=[name])
        yield scene


@pytest.fixture(scope="module")
def visit(scene: DemoStage) -> Visit:
    return Visit(scene)


@pytest.fixture(scope="module")
def left_to_right(browser: Browser) -> Iterator[Page]:
    yield from opened(browser, "en", "light")


@pytest.fixture(scope="module")
def right_to_left(browser: Browser) -> Iterator[Page]:
    yield from opened(browser, "ar", "dark")


def opened(browser: Browser, language: str, scheme: str) -> Iterator[Page]:
    context = browser.new_context(locale=language, color_scheme=scheme)  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def reach(page: Page, visit: Visit, name: str) -> None:
    """Open a state; a form is sent as a browser sends it."""
    path, fields = STATES[name]
    url = visit.scene.url + path(visit)
    if fields is None:
        page.goto(url)
        return
    page.goto(visit.scene.url + "/link")
    with page.expect_navigation():
        page.evaluate(
            """([url, fields]) => {
                const form = document.createElement("form");
                form.method = "post"; form.action = url;
                for (const [name, value] of Object.entries(fields)) {
                    const input = document.createElement("input");
                    input.name = name; input.value = value; form.append(input);
                }
                document.body.append(form); form.submit();
            }""",
            [url, fields],
        )


@pytest.mark.parametrize("name", STATES)
def test_every_page_conforms_to_wcag(left_to_right: Page, visit: Visit, name: str) -> None:
    judged(left_to_right, visit, name)


@pytest.mark.parametrize(
    "name",
    ["list-error", "confirm", "unsubscribed", "preferences-own", "why-own", "address", "expired"],
)
def test_wcag_from_right_to_left_and_in_the_dark(
    right_to_left: Page, visit: Visit, name: str
) -> None:
    judged(right_to_left, visit, name)


def judged(page: Page, visit: Visit, name: str) -> None:
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    reach(page, visit, name)
    shoot(page, f"{name}-{page.evaluate('document.documentElement.lang')}")
    response = Axe().run(page, options=WCAG).response["violations"]
    assert [
        (violation["id"], [node["html"] for node in violation["nodes"]]) for violation in response
    ] == []
    fits(page)
    scripts, forms = (page.locator(what).count() for what in ("script[src]", "form.signup"))
    assert scripts <= forms, "only the form that strangers meet has a script"
    assert [url for url in outside if not url.startswith(visit.scene.url)] == [], (
        "a third party was asked"
    )
    assert page.context.cookies() == []


def test_t09_a_scanner_that_runs_scripts_changes_nothing(browser: Browser, visit: Visit) -> None:
    """Opens every kind of link in a whole browser, as Microsoft's does, and looks around."""
    before = state(visit.scene)
    page = browser.new_page()
    for path in (
        visit.link("confirm", f"{visit.pending}.1"),
        visit.link("unsubscribe"),
        visit.link("preferences"),
        visit.link("account"),
        visit.link("export"),
        visit.link("erase"),
        visit.link("never", f"{visit.pending}.1"),
    ):
        page.goto(visit.scene.url + path, wait_until="networkidle")
        page.mouse.move(100, 100)
        page.mouse.wheel(0, 2000)
        page.reload(wait_until="networkidle")
    page.close()
    assert state(visit.scene) == before


def state(scene: DemoStage) -> list[tuple[object, ...]]:
    """Return what the readers' links could change."""
    with scene.app.app_context(), transaction() as session:
        readers = [(row.id, row.email, row.name, row.language) for row in session.query(Subscriber)]
        subscriptions = [
            (row.id, row.status, row.cadence, row.confirmed_at)
            for row in session.query(Subscription)
        ]
        counts = (session.query(ConsentEvent).count(), session.query(Delivery).count())
        return [*readers, *subscriptions, counts]


def test_400_percent_zoom_scrolls_one_way_only(browser: Browser, visit: Visit) -> None:
    """1280 px at 400 % are 320 CSS pixels, four device pixels each (WCAG 1.4.10)."""
    context = browser.new_context(viewport={"width": 320, "height": 256}, device_scale_factor=4)
    page = context.new_page()
    for name in ("list-error", "preferences-own", "unsubscribed"):
        reach(page, visit, name)
        assert page.evaluate("document.documentElement.scrollWidth <= 320"), name
    context.close()


def test_everything_a_reader_can_do_works_without_javascript_and_by_keyboard(
    browser: Browser, visit: Visit
) -> None:
    handle = visit.fresh_subscriber("keyboard@example.com")
    context = browser.new_context(java_script_enabled=False, locale="en")
    page = context.new_page()
    page.goto(visit.scene.url + visit.link("account", handle))
    page.get_by_label("Your name").focus()
    page.keyboard.type("!")
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    page.get_by_role("button", name="Erase my data").focus()
    page.keyboard.press("Space")
    page.get_by_text("A mail with the link is on its way to you.").wait_for()
    page.goto(visit.scene.url + visit.link("unsubscribe", handle))
    page.get_by_role("button", name="Unsubscribe").press("Enter")
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    page.get_by_role("button", name="Too many mails").press("Enter")
    page.get_by_text("Thank you, that helps.").wait_for()
    page.get_by_role("button", name="undo").press("Enter")
    page.get_by_role("heading", name="Welcome back").wait_for()
    context.close()


def test_what_a_screen_reader_reads(browser: Browser, visit: Visit) -> None:
    """The tree that a screen reader is given, of the page with most on it."""
    page = browser.new_page(locale="en")
    page.goto(visit.scene.url + visit.link("account"))
    tree = page.locator("main").aria_snapshot()
    for line in (
        'heading "Your preferences" [level=1]',
        'group "Long Talks"',
        'combobox "How often"',
        'textbox "Your name',
        'button "Save"',
        'heading "A new address" [level=2]',
        'button "Change my address"',
        'button "Erase my data"',
    ):
        assert line in tree, tree
    page.goto(visit.scene.url + f"/{SLUG}/")
    assert "website" not in page.locator("main").aria_snapshot().lower(), (
        "the trap is for robots alone"
    )
    page.close()


def test_the_first_page_is_small(browser: Browser, visit: Visit) -> None:
    """Everything a first visit loads, as it goes over the wire: under 30 KB."""
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(f"{visit.scene.url}/{SLUG}/", wait_until="networkidle")
    assert len(sizes) >= 2
    assert sum(sizes) < 30_000, sizes
    context.close()


MAILS = {
    "confirm": {"round": 1},
    "welcome": None,
    "already": None,
    "goodbye": None,
    "link": None,
    "export": None,
    "erase": None,
    "address": {"to": "new@example.com", "mark": "x"},
    "moved": {"to": "old@example.com"},
    "resource": {"resource": "guide"},
    "story": None,
}


@pytest.mark.parametrize("mail", MAILS)
def test_the_mails_of_one_reader(right_to_left: Page, visit: Visit, mail: str) -> None:
    sink = Sink()
    env = visit.scene.env
    with visit.scene.app.app_context(), transaction() as session:
        reader = session.get_one(Subscription, visit.first)
        reader.subscriber.language = "ar"
        reader.status = "pending" if mail == "confirm" else "active"
        outbox.enqueue(
            session, mail=mail, subscription_id=reader.id, now=env.now, context=MAILS[mail]
        )
    with visit.scene.app.app_context():
        sending.send_due(replace(env, transport=lambda: sink))
        with transaction() as session:
            reader = session.get_one(Subscription, visit.first)
            reader.status = "active"
            reader.subscriber.language = ""
    page = right_to_left
    page.goto("about:blank")
    page.set_content(body(sink.messages[-1], "html"))
    shoot(page, f"mail-{mail}-ar")
    response = Axe().run(page, options=WCAG).response["violations"]
    assert [
        (violation["id"], [node["html"] for node in violation["nodes"]]) for violation in response
    ] == []
    fits(page)


def test_no_kind_of_link_is_forgotten_here() -> None:
    assert {link.mail.value for link in RequestedLink} <= set(MAILS)


class _Words(HTMLParser):
    """The words of a page: its texts, and the attributes that are read out.

    What is marked as another language, or as the author's, is left out.
    """

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr", "wbr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: set[str] = set()
        self.tags: list[tuple[str, bool]] = []
        self.root: dict[str, str | None] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        result = dict(attrs)
        if tag == "html":
            self.root = result
        elif tag not in self.VOID:
            foreign = (
                "lang" in result
                or result.get("dir") == "auto"
                or tag in ("style", "script", "bdi", "code")
            )
            self.tags.append((tag, foreign or any(hidden for _, hidden in self.tags)))
        if not any(hidden for _, hidden in self.tags):
            names = ("aria-label", "title", "alt", "placeholder")
            self.said |= {str(result[name]).strip() for name in names if result.get(name)}

    def handle_endtag(self, tag: str) -> None:
        if self.tags and self.tags[-1][0] == tag:
            self.tags.pop()

    def handle_data(self, data: str) -> None:
        if not any(hidden for _, hidden in self.tags):
            self.said.add(" ".join(data.split()))


ODD_ANSWERS: dict[str, tuple[str, dict[str, str], bytes | None]] = {
    "405": ("/link", {"X-Method": "DELETE"}, None),
    "413": ("/link", {}, b"x" * 100_000),
    "415": (f"/{SLUG}/subscribe", {"Content-Type": "text/plain"}, b"x"),
    "400": ("/?" + "x" * 5_000, {}, None),
}


def _answered(
    visit: Visit, path: str, fields: dict[str, str] | None, language: str, name: str
) -> tuple[_Words, Any]:
    headers = {"Accept-Language": f"{language};q=0.9, xx"}
    data = urlencode(fields).encode() if fields is not None else None
    method = None
    if name in ODD_ANSWERS:
        _, more, data = ODD_ANSWERS[name]
        method = more.get("X-Method")
        headers |= more
    opener = build_opener()
    try:
        answer = opener.open(Request(visit.scene.url + path, data, headers, method=method))
    except HTTPError as error:
        answer = error
    with answer:
        return _Words(answer.read().decode()), answer.headers


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != SOURCE])
def test_no_english_is_left_on_any_page(visit: Visit, language: str) -> None:
    """Whatever a page says in English and says again in another language was not translated, or is
    the author's.
    """
    left = {}
    with visit.scene.app.app_context(), transaction() as session:
        for subscriber in session.query(Subscriber):
            subscriber.language = ""
    states = {
        **STATES,
        **{name: (lambda visit, odd=odd: odd[0], None) for name, odd in ODD_ANSWERS.items()},
    }
    for name, (path, fields) in states.items():
        if name in (
            "preferences-saved",
            "erased",
            "never-again",
        ):  # what they change is another's; their words are elsewhere
            continue
        english, _ = _answered(visit, path(visit), fields, "en", name)
        spoken, headers = _answered(visit, path(visit), fields, language, name)
        assert (spoken.root["lang"], spoken.root["dir"]) == (
            language,
            "rtl" if language == "ar" else "ltr",
        ), name
        assert headers["Content-Language"] == language, name
        assert "Accept-Language" in (headers["Vary"] or ""), name
        same = {text for text in english.said & spoken.said if re.search(r"[A-Za-z]{2}", text)}
        if same - NAMES:
            left[name] = sorted(same - NAMES)
    assert left == {}


NAMES = {"Slow Letters", "Long Talks", "Short Walks", "Ten quiet minutes", "Newsletters"}
"""What is called the same everywhere."""
