"""The story as one test, in a real browser: a form on a foreign origin, the inbox, confirm, a
digest, unsubscribe.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from newsletter import demo
from newsletter.demo import SLUG, SUBSCRIBER, DemoStage, run_steps
from newsletter.demo.blog import POSTS
from newsletter.services.digests import due as digests
from newsletter.services.polling import feeds
from newsletter.services.polling import poll as polling
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin as subscribers

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SCREENSHOTS = os.environ.get("SCREENSHOTS")
"""A folder to put pictures of every page and mail into, to be looked at."""


def shoot(page: Page, name: str) -> None:
    """Pictures of a page at 360 and 1200 px, light and dark, if asked for."""
    if not SCREENSHOTS:
        return
    for width in (360, 1200):
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{width}-{scheme}.png", full_page=True)


def fits(page: Page) -> None:
    """Nothing is cut off or scrolls sideways at 320 px (WCAG 1.4.10)."""
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth <= 320"), page.url


def standing(app: Flask) -> str:
    with app.app_context():
        [subscriber] = subscribers.iterate_subscribers()
        return subscriber.subscriptions[0].status


def work(scene: DemoStage) -> None:
    """Return what the worker does by itself."""
    with scene.app.app_context():
        for feed in feeds.list_feeds():
            polling.poll_feed(scene.env, feed.id)
        digests.compose_due(scene.env)
        sending.send_due(scene.env)


def read_mail(page: Page, scene: DemoStage, number: int, name: str) -> None:
    page.goto(f"{scene.blog.url}/mailbox/{number}/html")
    fits(page)
    shoot(page, f"mail-{name}")


def test_a_subscriber_comes_reads_and_leaves_and_no_third_party_hears(browser: Browser) -> None:
    with demo.open_stage() as scene:
        with scene.app.app_context():
            demo._set_up(scene)
        page = browser.new_page()
        outside: list[str] = []
        page.on("request", lambda request: outside.append(request.url))
        _sign_up(page, scene)
        _confirm(page, scene)
        _digest(page, scene)
        _leave(page, scene)
        assert all(url.startswith((scene.url, scene.blog.url, "data:")) for url in outside), (
            "a third party was asked"
        )
        assert page.context.cookies() == []
        page.close()


def _sign_up(page: Page, scene: DemoStage) -> None:
    page.goto(f"{scene.blog.url}/blog/")
    page.get_by_label("Your e-mail address").fill(SUBSCRIBER)
    page.get_by_label("How often").select_option("instant")
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(f"{scene.url}/{SLUG}/check-your-inbox")
    expect(page.get_by_role("heading", name="Check your inbox")).to_be_visible()
    fits(page)
    shoot(page, "check-your-inbox")
    work(scene)
    read_mail(page, scene, 0, "confirm")


def _confirm(page: Page, scene: DemoStage) -> None:
    page.get_by_role("link", name="Yes, subscribe me").click()
    page.wait_for_url("**/confirm/**")
    page.wait_for_timeout(300)
    assert standing(scene.app) == "pending", "a page that is only looked at confirms nobody (T09)"
    fits(page)
    shoot(page, "confirm")
    page.get_by_role("button", name="Yes, subscribe me").click()
    expect(page.get_by_role("heading", name="You are subscribed")).to_be_visible()
    assert standing(scene.app) == "active"
    shoot(page, "confirmed")
    work(scene)
    read_mail(page, scene, 1, "welcome")


def _digest(page: Page, scene: DemoStage) -> None:
    scene.blog.publish(POSTS[2])
    work(scene)
    read_mail(page, scene, 2, "digest")
    expect(page.get_by_role("heading", name=POSTS[2].title)).to_be_visible()
    page.get_by_role("link", name="Change how often you hear from us").click()
    assert SUBSCRIBER not in page.content()
    fits(page)
    shoot(page, "preferences")
    page.get_by_label("How often").select_option("weekly")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.goto(f"{scene.url}/{SLUG}/archive/")
    fits(page)
    shoot(page, "archive")
    page.get_by_role("link", name=POSTS[2].title).click()
    assert SUBSCRIBER not in page.content()
    shoot(page, "archived-mail")


def _leave(page: Page, scene: DemoStage) -> None:
    page.goto(f"{scene.blog.url}/mailbox/2/html")
    page.get_by_role("link", name="Unsubscribe").click()
    page.wait_for_timeout(300)
    assert standing(scene.app) == "active"
    fits(page)
    shoot(page, "unsubscribe")
    page.get_by_role("button", name="Unsubscribe").click()
    assert standing(scene.app) == "unsubscribed"
    shoot(page, "unsubscribed")
    page.get_by_role("button", name="undo").click()
    assert standing(scene.app) == "active"
    shoot(page, "back-again")
    page.goto(f"{scene.blog.url}/mailbox/2/html")
    page.get_by_role("link", name="Unsubscribe").click()
    page.get_by_role("button", name="Unsubscribe").click()
    work(scene)
    read_mail(page, scene, len(scene.mailbox.mails) - 1, "goodbye")


def test_every_other_page_fits_and_works_by_keyboard(browser: Browser) -> None:
    with demo.open_stage() as scene:
        run_steps(scene, lambda line: None)
        page = browser.new_page(java_script_enabled=True)
        for path, name in (
            ("/", "home"),
            (f"/{SLUG}/", "list"),
            ("/link", "link"),
            ("/confirm/x", "broken-link"),
        ):
            page.goto(scene.url + path)
            fits(page)
            shoot(page, name)
        _form_by_keyboard(page, scene)
        page.close()


def _form_by_keyboard(page: Page, scene: DemoStage) -> None:
    page.goto(f"{scene.url}/{SLUG}/")
    order = []
    for _ in range(5):
        page.keyboard.press("Tab")
        order.append(
            page.evaluate("document.activeElement.name || document.activeElement.textContent")
        )
    assert order[1:5] == ["email", "name", "cadence", "Subscribe"], (
        "the hidden field is in nobody's way"
    )
    page.get_by_label("Your e-mail address").fill("nonsense")
    page.get_by_label("Your e-mail address").press("Enter")
    page.locator("#email-error").wait_for()
    field = page.get_by_label("Your e-mail address")
    assert field.get_attribute("aria-invalid") == "true"
    assert field.input_value() == "nonsense"
    shoot(page, "form-error")
