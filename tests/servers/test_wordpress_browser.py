"""The WordPress plugin in a browser, as an author, an administrator and a reader see it."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from flask import Flask
from playwright.sync_api import Browser, Dialog, Page, expect
from sqlalchemy import select

from newsletter.access_vocabulary import TokenScope
from newsletter.db.session import reading, transaction
from newsletter.feeds.fetch import Fetcher
from newsletter.models import Subscriber, Subscription
from newsletter.services import api_tokens
from newsletter.services.digests import asked
from newsletter.services.polling import feeds, poll
from newsletter.services.runtime import EXTENSION, Environment, utcnow
from newsletter.services.sending import run as sending
from newsletter.urls import Links
from tests.browser.foreign import ForeignBlog, foreign_blog, served
from tests.fakes import Clock, Sink
from tests.feeds_server import FeedsServer, feeds_server, ok
from tests.people import add_list, add_reader
from tests.servers.test_wordpress_plugin import blog, installation
from tests.servers.test_wordpress_sends import SCRIPT, SETTINGS
from tests.servers.wordpress import WordPress
from tests.servers.wp_admin import PASSWORD, Admin, log_in

__all__ = ["blog", "installation"]
pytestmark = [
    pytest.mark.wordpress,
    pytest.mark.browser,
    pytest.mark.xdist_group("wordpress"),
    pytest.mark.any_database,
]
SCREENSHOTS = os.environ.get("SCREENSHOTS")
THEMES = ("twentytwentythree", "twentytwentyone")
ROLES = {"writer": "author", "chief": "administrator"}
USERS = (
    "foreach ($v['roles'] as $name => $role) if (!username_exists($name)) update_user_meta("
    "wp_insert_user(['user_login' => $name, 'user_pass' => $v['password'], 'role' => $role,"
    " 'user_email' => $name . '@example.com']), 'wp_persisted_preferences',"
    " ['core/edit-post' => ['welcomeGuide' => false], '_modified' => gmdate('c')]);"
)
CLASSIC = "<?php add_filter('use_block_editor_for_post', '__return_false');"
LEFT = (
    "global $wpdb; wp_cache_flush(); $left = [];"
    "foreach (['options' => 'option_name', 'postmeta' => 'meta_key', 'usermeta' => 'meta_key']"
    " as $table => $column) foreach ($wpdb->get_col($wpdb->prepare("
    '"SELECT $column FROM {$wpdb->$table} WHERE $column LIKE %s", "%newsletter%")) as $name)'
    " $left[] = $name; echo json_encode($left);"
)


@dataclass
class World:
    """An installation on the loopback with a list that reads the blog, and its mails."""

    env: Environment
    url: str
    blog: WordPress
    sink: Sink
    token: str

    def work(self) -> None:
        """Do what the worker does next."""
        poll.poll_due(self.env)
        asked.send_asked(self.env)
        sending.send_due(self.env)

    def status(self, email: str) -> str | None:
        query = select(Subscription.status).join(Subscriber).where(Subscriber.email == email)
        with reading() as session:
            return session.scalar(query)

    def shown(self, post: int) -> str:
        with urlopen(f"{self.blog.url}/?p={post}", timeout=60) as response:
            assert "Set-Cookie" not in response.headers
            text: str = response.read().decode()
        return text


@pytest.fixture
def world(app: Flask, clock: Clock, sink: Sink, blog: WordPress) -> Iterator[World]:
    clock.now = datetime.now(UTC)
    with app.app_context(), served(app) as url:
        env: Environment = app.extensions[EXTENSION]
        env = app.extensions[EXTENSION] = replace(
            env,
            settings=env.settings.model_copy(update={"base_url": url}),
            links=Links(url, env.tokens),
            clock=utcnow,
            fetch=Fetcher(user_agent="newsletter", allow_private=True),
        )
        with transaction() as session:
            add_reader(session, add_list(session, "slow-letters"), "ana@example.com")
            add_reader(session, add_list(session, "other"), "ben@example.com")
        feeds.add(env, blog.feed, "slow-letters")
        token = api_tokens.add_token(env, "blog", TokenScope.PUBLISH, ["slow-letters"])
        blog.empty()
        blog.run(
            USERS + SETTINGS,
            roles=ROLES,
            password=PASSWORD,
            o={"url": url, "list": "slow-letters"},
            t=token,
        )
        yield World(env, url, blog, sink, token)


@pytest.fixture
def author(browser: Browser, world: World) -> Iterator[Admin]:
    """Somebody with the role of an Author, who may post no frames or forms of their own."""
    admin = log_in(browser, world.blog, "writer")
    yield admin
    admin.page.context.close()


@pytest.fixture
def administrator(browser: Browser, world: World) -> Iterator[Admin]:
    admin = log_in(browser, world.blog, "chief")
    yield admin
    admin.page.context.close()


def shoot(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


def sign_up(page: Page, email: str) -> None:
    """Sign up through the frame on a page."""
    frame = page.frame_locator("iframe.newsletter-door")
    frame.get_by_label("Your e-mail address").fill(email)
    page.wait_for_timeout(2100)  # faster than anybody types is a robot
    frame.get_by_role("button", name="Subscribe").click()
    frame.get_by_text("Check your inbox").wait_for()


def confirm(page: Page, world: World, email: str) -> None:
    """Follow the link of the mail that came."""
    world.work()
    mail = world.sink.messages[-1]
    assert mail["To"] == email
    text = mail.get_body(("plain",))
    assert text is not None
    match = re.search(rf"{world.url}/confirm/\S+", text.get_content())
    assert match, text.get_content()
    page.goto(match[0])
    page.get_by_role("button", name="Yes, subscribe me").click()
    page.get_by_role("heading", name="You are subscribed").wait_for()
    assert world.status(email) == "active"


def test_an_author_places_and_styles_the_form_and_readers_sign_up(
    author: Admin, world: World, browser: Browser
) -> None:
    author.write("Going slowly")
    author.place("Newsletter form")
    page = author.page
    frame = page.frame_locator('[data-type="newsletter-door/form"] iframe')
    frame.get_by_role("button", name="Subscribe").wait_for()
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_label("Dark form").check()
    page.get_by_role("button", name="Background").click()
    page.get_by_role("button", name="Color: Tertiary").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Align", exact=True).click()
    page.get_by_role("menuitemradio", name="Wide width").click()
    shoot(page, "editor")
    post = author.save_draft()
    author.open(f"post.php?post={post}&action=edit")
    frame.get_by_role("button", name="Subscribe").wait_for()
    assert page.get_by_text("unexpected or invalid content").count() == 0
    assert author.publish() == post
    assert_shown_everywhere(browser, world, post)

    for scripts in (True, False):
        email = f"{scripts}@example.com".lower()
        context = browser.new_context(java_script_enabled=scripts)
        reader = context.new_page()
        reader.goto(f"{world.blog.url}/?p={post}")
        sign_up(reader, email)
        shoot(reader, f"signed-up-{scripts}")
        assert reader.url == f"{world.blog.url}/?p={post}"
        confirm(reader, world, email)
        assert context.cookies() == []
        context.close()


def assert_shown_everywhere(browser: Browser, world: World, post: int) -> None:
    for theme in THEMES:
        world.blog.run("switch_theme($v['theme']); echo 1;", theme=theme)
        html = world.shown(post)
        assert "alignwide" in html
        assert "has-tertiary-background-color" in html
        for scheme in ("light", "dark"):
            for scripts in (True, False):
                context = browser.new_context(color_scheme=scheme, java_script_enabled=scripts)
                page = context.new_page()
                for width in (360, 1200):
                    page.set_viewport_size({"width": width, "height": 800})
                    page.goto(f"{world.blog.url}/?p={post}")
                    name = f"{theme}-{width}-{scheme}-{'script' if scripts else 'plain'}"
                    assert_form_fits(page, scripts=scripts)
                    shoot(page, name)
                context.close()
    world.blog.run("switch_theme($v['theme']); echo 1;", theme=THEMES[0])


def assert_form_fits(page: Page, *, scripts: bool) -> None:
    frame = page.locator("iframe.newsletter-door")
    frame.scroll_into_view_if_needed()
    button = page.frame_locator("iframe.newsletter-door").get_by_role("button", name="Subscribe")
    button.wait_for()
    if scripts:
        page.locator("iframe.newsletter-door[style*='height:']").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        inside = page.frames[1]
        assert inside.evaluate("document.documentElement.scrollHeight <= innerHeight + 1")
        assert inside.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = button.bounding_box()
    outer = frame.bounding_box()
    assert box and outer
    assert box["y"] + box["height"] <= outer["y"] + outer["height"], "the button is in the frame"
    assert page.get_by_role("link", name="Subscribe on a page of its own").is_visible()


def test_a_page_out_of_a_cache_serves_another_visitor(
    author: Admin, world: World, browser: Browser
) -> None:
    author.write("Kept in a cache")
    author.place("Newsletter form")
    post = author.publish()
    html = world.shown(post)
    assert html == world.shown(post), "the same for everybody"
    assert "nonce" not in html[html.index("iframe") : html.index("its own")]
    with foreign_blog() as cache:
        keep(cache, html)
        context = browser.new_context()
        page = context.new_page()
        page.goto(cache.url + "/")
        sign_up(page, "late@example.com")
        confirm(page, world, "late@example.com")
        context.close()


def keep(cache: ForeignBlog, html: str) -> None:
    """Serve what stood between the body's tags of a page, from another origin."""
    cache.pages["/"] = html[html.index("<body") :].partition(">")[2].partition("</body>")[0]


def read_on_ping(blog: WordPress, installation: FeedsServer) -> list[bytes]:
    """Have an installation read the feed on each ping, as a worker does; return what it read."""
    read: list[bytes] = []

    def read_feed(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        with urlopen(blog.feed, timeout=60) as response:
            read.append(response.read())
        ok(b"Thanks for the ping.", "text/plain")(connection, path, headers)

    installation.answers["/ping"] = read_feed
    blog.run(SETTINGS, o={"url": installation.url, "list": "slow-letters"}, t="")
    return read


def test_the_switch_is_in_the_feed_as_soon_as_the_post_is(
    author: Admin, world: World, installation: FeedsServer
) -> None:
    """A worker mails what it finds when it reads the feed on the ping."""
    read = read_on_ping(world.blog, installation)
    author.write("Kept to myself")
    page = author.page
    author.open_panel("Newsletter")
    page.get_by_label("Not in the newsletter").check()
    shoot(page, "switch")
    post = author.publish()
    assert read
    assert all(b"Kept to myself" in feed and b"no-newsletter" in feed for feed in read)
    public = json.loads(urlopen(f"{world.blog.url}/?rest_route=/wp/v2/posts/{post}").read())
    assert "_newsletter_door_skip" not in public["meta"]

    author.open(f"post.php?post={post}&action=edit")
    author.open_panel("Newsletter")
    expect(page.get_by_label("Not in the newsletter")).to_be_checked()
    page.get_by_label("Not in the newsletter").uncheck()
    page.get_by_role("button", name="Update", exact=True).click()
    page.get_by_text("Post updated.").first.wait_for()
    assert b"no-newsletter" not in read[-1]


def test_the_classic_editor(author: Admin, world: World, installation: FeedsServer) -> None:
    read = read_on_ping(world.blog, installation)
    folder = world.blog.root / "wp-content" / "mu-plugins"
    folder.mkdir(exist_ok=True)
    (folder / "classic.php").write_text(CLASSIC)
    try:
        page = author.open("post-new.php")
        page.get_by_label("Add title").fill("By shortcode")
        page.locator("#content-html").click()
        page.locator("#content").fill('Before\n\n[newsletter height="700"]\n\nAfter')
        page.get_by_label("Not in the newsletter").check()
        shoot(page, "classic")
        page.get_by_text("Draft saved").wait_for()  # buttons do nothing meanwhile
        page.locator("#publish:not(.disabled)").click()
        page.get_by_text("Post published.").wait_for()
        expect(page.get_by_label("Not in the newsletter")).to_be_checked()
        address = page.locator("#message a").get_attribute("href")
    finally:
        (folder / "classic.php").unlink()
    assert [b"no-newsletter" in feed for feed in read] == [True]
    assert address
    page.goto(address)
    expect(page.locator("iframe.newsletter-door")).to_have_attribute("height", "700")
    assert page.locator("script[src*='newsletter-door/frame.js']").count() == 1


def test_a_post_is_sent_from_the_list_of_posts(author: Admin, world: World) -> None:
    def state(post: int) -> str:
        world.blog.run("delete_transient('newsletter_door_entries'); echo 1;")
        page = author.open("edit.php")
        return page.locator(f"#post-{post} .column-newsletter").inner_text()

    author.write("Sent by hand")
    post = author.publish()
    assert state(post) == "Not read yet"
    world.work()
    assert state(post).startswith("With the next digest")
    page = author.page
    page.locator(f"#post-{post}").hover()
    shoot(page, "posts")
    page.get_by_role("link", name="Send as newsletter").click()
    shoot(page, "send")
    page.get_by_role("button", name="With the next digest").click()
    expect(page.get_by_role("status")).to_contain_text("goes with the next digest anyway")
    page.get_by_role("button", name="Send now").click()
    expect(page.get_by_role("status")).to_contain_text("is being sent")
    assert state(post) == "Being sent"
    world.work()
    assert [message["To"] for message in world.sink.messages] == ["ana@example.com"]
    assert state(post).startswith("Sent")
    shoot(page, "posts-sent")


def test_settings_and_the_connection(administrator: Admin, author: Admin, world: World) -> None:
    page = administrator.open("options-general.php?page=newsletter-door")
    assert world.token not in page.content()
    page.get_by_label("Address").fill(world.url + "/")
    page.get_by_label("Token").fill(world.token)
    page.get_by_role("button", name="Save Changes").click()
    page.get_by_text("Settings saved.").wait_for()
    expect(page.get_by_label("Address")).to_have_value(world.url)
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_role("status")).to_have_text("The installation answers.")
    shoot(page, "settings")
    assert world.token not in page.content()
    page.get_by_label("List").fill("other")
    page.get_by_role("button", name="Save Changes").click()
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_role("status")).to_have_text("The token is not for this list.")
    answer = author.page.goto(f"{world.blog.url}/wp-admin/options-general.php?page=newsletter-door")
    assert answer is not None
    assert answer.status == 403, "an author sees no settings"


def test_a_hostile_answer_runs_nothing_in_wp_admin(administrator: Admin, world: World) -> None:
    ran: list[str] = []
    page = administrator.page

    def note(dialog: Dialog) -> None:
        ran.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    post = world.blog.publish("Attacked")
    link = world.blog.run("echo json_encode(get_permalink($v['p']));", p=post)
    with feeds_server() as hostile:
        world.blog.run(SETTINGS, o={"url": hostile.url, "list": "slow-letters"}, t=world.token)
        row = {"id": 7, "link": link, "fate": "held", "why": SCRIPT, "at_once": False}
        why = {**row, "why": f"&lt;img src=x onerror=alert(3)&gt;\u202e{SCRIPT}"}
        for rows in (row, why, {**row, "fate": SCRIPT}):
            body = json.dumps({"data": [rows], "title": SCRIPT, "detail": SCRIPT}).encode()
            hostile.page("/api/v1/entries?limit=100&list=slow-letters", body, "application/json")
            hostile.page("/api/v1/lists/slow-letters", body, "application/json")
            hostile.page("/ping", SCRIPT.encode(), "text/html")
            world.blog.run("delete_transient('newsletter_door_entries'); echo 1;")
            administrator.open("edit.php")
            assert page.locator("#the-list script, #the-list [onerror]").count() == 0
            administrator.open(f"edit.php?page=newsletter-door-send&post={post}")
            page.get_by_role("button", name="Send now").click()
            page.get_by_role("status").wait_for()
            shoot(page, "hostile")
            administrator.open("options-general.php?page=newsletter-door")
            page.get_by_role("button", name="Test the connection").click()
            page.get_by_role("status").wait_for()
            assert page.locator(".wrap script, .wrap [onerror]").count() == 0
    assert ran == []


def test_deleting_the_plugin_in_wp_admin_leaves_nothing(administrator: Admin, world: World) -> None:
    post = world.blog.publish("Marked")
    world.blog.run("update_post_meta($v['p'], '_newsletter_door_skip', 1); echo 1;", p=post)
    page = administrator.open("edit.php")
    assert world.blog.run(LEFT)
    page.on("dialog", lambda dialog: dialog.accept())
    administrator.open("plugins.php")
    page.get_by_role("link", name="Deactivate Newsletter Door").click()
    page.get_by_text("Plugin deactivated.").wait_for()
    page.get_by_role("link", name="Delete Newsletter Door").click()
    page.get_by_text("was successfully deleted").wait_for()
    assert world.blog.run(LEFT) == []
    assert not (world.blog.root / "wp-content" / "plugins" / "newsletter-door").exists()
