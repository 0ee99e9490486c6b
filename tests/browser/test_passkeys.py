"""Passkeys in a real browser, with the virtual authenticator of Chromium's DevTools protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

from newsletter import demo
from newsletter.access_vocabulary import AuthorRole
from newsletter.demo import DemoStage
from newsletter.services.authors import authors, log_in
from newsletter.services.runtime import EXTENSION
from tests.browser.test_author import judge

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ANA = "ana@blog.example"
BEN = "ben@blog.example"
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def scene() -> Iterator[DemoStage]:
    """Start the demo's installation, reached by a name: browsers keep no passkeys for a number."""
    with demo.open_stage() as scene:
        scene = replace(scene, url=scene.url.replace("127.0.0.1", "localhost"))
        settings = scene.env.settings.model_copy(update={"base_url": scene.url})
        scene.app.extensions[EXTENSION] = replace(scene.env, settings=settings)
        with scene.app.app_context():
            for address in (ANA, BEN):
                authors.add_author(scene.env, address, role=AuthorRole.OWNER)
        yield scene


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en")
    yield context
    context.close()


def enter(scene: DemoStage, context: BrowserContext, address: str = ANA) -> Page:
    with scene.app.app_context():
        path = log_in.make_link(scene.env, address).partition("/author/")[2]
    page = context.new_page()
    page.goto(f"{scene.url}/author/{path}")
    page.locator("main form button").press("Enter")
    page.wait_for_url("**/author/")
    return page


def attach(context: BrowserContext, page: Page, **options: bool) -> tuple[CDPSession, str]:
    """Give a page's browser a device; returns how to speak of it."""
    wire = context.new_cdp_session(page)
    wire.send("WebAuthn.enable")
    authenticator = wire.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE | options})
    return wire, authenticator["authenticatorId"]


def add(page: Page, scene: DemoStage, name: str) -> None:
    page.goto(f"{scene.url}/author/passkeys")
    page.get_by_label("Name of this device").fill(name)
    page.get_by_role("button", name="Add a passkey").press("Enter")


def test_from_the_mailed_link_to_a_passkey_and_back_by_keyboard(
    scene: DemoStage, context: BrowserContext
) -> None:
    refused: list[str] = []
    page = enter(scene, context)
    page.on(
        "console", lambda message: refused.append(message.text) if message.type == "error" else None
    )
    wire, device = attach(context, page)
    page.get_by_role("link", name="Add a passkey").press("Enter")
    judge(page, "passkeys-none")
    add(page, scene, "أمل's telephone")
    page.get_by_text("Done.").wait_for()
    judge(page, "passkeys")
    [credential] = wire.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    assert credential["isResidentCredential"]
    assert credential["rpId"] == "localhost"
    page.goto(f"{scene.url}/author/")
    assert page.get_by_role("link", name="Add a passkey").count() == 0, "offered until there is one"
    page.get_by_role("button", name="Log out").press("Enter")
    page.goto(f"{scene.url}/author/campaigns")
    judge(page, "log-in-passkey")
    page.get_by_role("button", name="Log in with a passkey").press("Enter")
    page.wait_for_url("**/author/campaigns")
    assert ANA in page.locator("header").inner_text()
    page.goto(f"{scene.url}/author/passkeys")
    assert "Last used" in page.locator("main").inner_text()
    page.goto(f"{scene.url}/author/again?next=/author/sources")
    page.get_by_role("button", name="Log in with a passkey").press("Enter")
    page.wait_for_url("**/author/sources")
    assert refused == [], "the policy of the pages lets the script do its work"


def test_a_device_makes_one_passkey_only(scene: DemoStage, context: BrowserContext) -> None:
    page = enter(scene, context, BEN)
    attach(context, page)
    add(page, scene, "mine")
    page.get_by_text("Done.").wait_for()
    add(page, scene, "mine again")
    page.get_by_text("This device has a passkey for these pages already.").wait_for()
    judge(page, "passkeys-known")


def test_a_finger_that_is_not_known_opens_nothing(
    scene: DemoStage, context: BrowserContext
) -> None:
    page = enter(scene, context, BEN)
    wire, device = attach(context, page)
    add(page, scene, "telephone")
    page.get_by_text("Done.").wait_for()
    wire.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.get_by_role("button", name="Log out").press("Enter")
    page.get_by_role("button", name="Log in with a passkey").press("Enter")
    page.get_by_text("You were not logged in").wait_for()
    assert page.url.endswith("/author/log-in") or "/author/log-in?" in page.url
    wire.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    page.get_by_role("button", name="Log in with a passkey").press("Enter")
    page.wait_for_url("**/author/")


def test_a_passkey_that_was_removed_is_refused_in_words(
    scene: DemoStage, context: BrowserContext
) -> None:
    page = enter(scene, context, BEN)
    attach(context, page)
    add(page, scene, "lost")
    page.get_by_text("Done.").wait_for()
    page.get_by_role("button", name="Remove lost").press("Enter")
    page.get_by_text("Done.").wait_for()
    page.get_by_role("button", name="Log out").press("Enter")
    page.get_by_role("button", name="Log in with a passkey").press("Enter")
    page.get_by_text("This passkey is not known here").wait_for()
    judge(page, "log-in-refused")


def test_without_javascript_the_mail_is_the_way_in(scene: DemoStage, browser: Browser) -> None:
    context = browser.new_context(locale="en", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{scene.url}/author/log-in")
    assert not page.get_by_role("button", name="Log in with a passkey").is_visible()
    assert page.get_by_role("button", name="Mail me a link").is_visible()
    page = enter(scene, context)
    page.goto(f"{scene.url}/author/passkeys")
    assert "This needs JavaScript" in page.locator("main").inner_text()
    assert not page.get_by_role("button", name="Add a passkey").is_visible()
    context.close()
