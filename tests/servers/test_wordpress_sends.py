"""A WordPress whose plugin holds a token: states of posts, "send now", and an API that is
hostile.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask, request
from sqlalchemy import select

from newsletter.access_vocabulary import TokenScope
from newsletter.db.session import transaction
from newsletter.feeds.fetch import Fetcher
from newsletter.models import Feed
from newsletter.services import api_tokens
from newsletter.services.digests import asked
from newsletter.services.polling import feeds, poll
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.web.http_server import create_server
from tests.fakes import Clock, Sink
from tests.feeds_server import FeedsServer, feeds_server
from tests.people import add_entry, add_list, add_reader
from tests.servers.test_wordpress_plugin import blog, installation
from tests.servers.wordpress import WordPress

__all__ = ["blog", "installation"]
pytestmark = [
    pytest.mark.wordpress,
    pytest.mark.xdist_group("wordpress"),
    pytest.mark.any_database,
]

ADMIN = (
    "wp_set_current_user($v['user'] ?? 1); $d = WP_CONTENT_DIR . '/plugins/newsletter-door/';"
    "require_once ABSPATH . 'wp-admin/includes/admin.php';"
    "require_once $d . 'settings.php'; require_once $d . 'posts.php';"
)
SHOWN = "ob_start(); {} echo json_encode(['html' => ob_get_clean()]);"
COLUMN = SHOWN.format("do_action('manage_post_posts_custom_column', 'newsletter', $v['p']);")
PAGE = SHOWN.format("$_GET['post'] = $v['p']; newsletter_door_send_page();")
SEND = (
    "$_POST = ['newsletter_door_how' => $v['how'], '_wpnonce' => $v['good']"
    " ? wp_create_nonce('newsletter_door_send_' . $v['p']) : 'x'];"
    "echo json_encode(newsletter_door_receive($v['p']));"
)
SETTINGS = (
    "delete_option('newsletter_door_token'); update_option('newsletter_door', $v['o']);"
    "update_option('newsletter_door_token', $v['t']); echo json_encode(true);"
)
FORGET = "delete_transient('newsletter_door_entries'); delete_transient('newsletter_door_down');"


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """Yield the address of the installation, on a real server."""
    server = create_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(5)


@pytest.fixture
def world(env: Environment, clock: Clock, blog: WordPress, served: str) -> Environment:
    """Make a list that reads the blog, a token for it, and another list with somebody else."""
    clock.now = datetime.now(UTC)
    world = replace(env, fetch=Fetcher(user_agent="newsletter", allow_private=True))
    with transaction() as session:
        mailing_list = add_list(session, "slow-letters")
        add_reader(session, mailing_list, "ana@example.com", cadence="monthly")
        add_reader(session, add_list(session, "other"), "ben@example.com")
    blog.empty()
    feeds.add(world, blog.feed, "slow-letters")
    token = api_tokens.add_token(env, "blog", TokenScope.PUBLISH, ["slow-letters"])
    blog.run(SETTINGS, o={"url": served, "list": "slow-letters"}, t=token)
    return world


def test_a_post_is_sent_from_wordpress(
    world: Environment, blog: WordPress, sink: Sink, clock: Clock
) -> None:
    def shown(code: str = COLUMN) -> str:
        page = blog.run(FORGET + ADMIN + code, p=post)
        assert isinstance(page, dict)
        return str(page["html"])

    def send(how: str, *, good: bool = True, user: int = 1) -> object:
        return blog.run(FORGET + ADMIN + SEND, p=post, how=how, good=good, user=user)

    post = blog.publish("Going slowly")
    assert shown() == "Not read yet"
    assert "not read this post yet" in str(send("now"))
    poll.poll_due(world)
    assert shown().startswith("With the next digest")
    page = shown(PAGE)
    assert "Going slowly" in page
    assert "newsletter_door_how" in page

    assert "Nothing was done" in str(send("now", good=False)), "without the page's nonce"
    assert send("elsewhere") == ""
    writer = blog.run(
        "echo json_encode(wp_insert_user(['user_login' => 'c' . wp_rand(), 'user_pass' => 'x',"
        " 'role' => 'contributor']));"
    )
    assert isinstance(writer, int)
    assert "Nothing was done" in str(send("now", user=writer)), "who may not publish may not send"
    assert sink.messages == []

    assert send("next") == "The post goes with the next digest anyway."
    assert send("now") == "The post is being sent."
    assert shown() == "Being sent"
    asked.send_asked(world)
    sending.send_due(world)
    assert [message["To"] for message in sink.messages] == ["ana@example.com"]
    assert shown().startswith("Sent")
    blog.run(ADMIN + "update_post_meta($v['p'], '_newsletter_door_skip', 1); echo 1;", p=post)
    assert shown() == "Not in the newsletter"
    assert "not for the newsletter" in str(send("now"))


def test_the_connection_test_wants_the_smallest_token(
    world: Environment, blog: WordPress, served: str
) -> None:
    check = FORGET + ADMIN + "echo json_encode(newsletter_door_check());"
    assert blog.run(check) == ""
    for scope, lists, words in (
        (TokenScope.PUBLISH, ["other"], "not for this list"),
        (TokenScope.SEND, ["slow-letters"], "may do more"),
        (TokenScope.READ, [], "may do more"),
    ):
        token = api_tokens.add_token(world, f"{scope} {len(lists)}", scope, lists)
        blog.run(SETTINGS, o={"url": served, "list": "slow-letters"}, t=token)
        assert words in str(blog.run(check)), scope
    api_tokens.revoke_token("read 0")
    assert "not valid" in str(blog.run(check))


def test_the_token_is_stored_and_never_shown(world: Environment, blog: WordPress) -> None:
    def stored() -> object:
        return blog.run("echo json_encode(get_option('newsletter_door_token'));")

    store = ADMIN + "echo json_encode(newsletter_door_store_token($v['t']));"
    token = stored()
    assert str(token).startswith("nlt_")
    page = blog.run(ADMIN + SHOWN.format("newsletter_door_page();"))
    assert isinstance(page, dict)
    assert str(token) not in page["html"]
    assert 'placeholder="stored"' in page["html"]
    assert blog.run(store, t="") == {"token": token}, "an empty field keeps it"
    assert blog.run(store, t="<script>") == {"token": token}
    assert blog.run(store, t={"token": token}) == {"token": token}, "it is cleaned twice"
    assert blog.run(store, t="remove") == []
    is_hidden = (
        'global $wpdb; $q = "SELECT option_value FROM $wpdb->options WHERE option_name = %s";'
        "$value = $wpdb->get_var($wpdb->prepare($q, 'newsletter_door_token'));"
        "echo json_encode(is_serialized($value));"
    )
    stored_as_typed = (
        "update_option('newsletter_door_token', newsletter_door_store_token($v['t']));"
    )
    assert blog.run(ADMIN + stored_as_typed + is_hidden, t=token), "on the page of all settings"
    assert blog.run("echo json_encode(newsletter_door_token());") == token
    blog.run(
        ADMIN + "update_option('newsletter_door', $v['o']); echo 1;",
        o={"url": "https://elsewhere.example.com", "list": "slow-letters"},
    )
    assert stored() is False, "another installation is not given it"


SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def test_an_answer_cannot_put_script_into_wp_admin(blog: WordPress) -> None:
    with feeds_server() as hostile:
        blog.run(SETTINGS, o={"url": hostile.url, "list": "slow-letters"}, t="nlt_" + "a" * 43)
        post = blog.publish("Attacked")
        link = blog.run("echo json_encode(get_permalink($v['p']));", p=post)
        row = {"id": 7, "link": link, "fate": "held", "why": SCRIPT, "at_once": False}
        path = "/api/v1/entries?limit=100&list=slow-letters"
        for body in (
            json.dumps({"data": [row]}),
            json.dumps({"data": [{**row, "fate": SCRIPT}]}),
            json.dumps({"data": [{**row, "id": SCRIPT}]}),
            SCRIPT,
            "[" * 5_000,
            "null",
        ):
            hostile.page(path, body.encode(), "application/json")
            for code in (COLUMN, PAGE):
                page = blog.run(FORGET + ADMIN + code, p=post)
                assert isinstance(page, dict)
                html = page["html"].replace("Attacked", "")
                assert "<script" not in html
                assert "onerror" not in html or "<img" not in html
        assert {
            headers["authorization"]
            for asked_path, headers in hostile.requests
            if "api" in asked_path
        } == {"Bearer nlt_" + "a" * 43}


def test_an_answer_that_unpacks_to_half_a_gigabyte_ends_no_page(
    blog: WordPress, installation: FeedsServer
) -> None:
    """WordPress unpacks what it has got, and counts only the bytes before."""
    blog.run(SETTINGS, o={"url": installation.url, "list": "slow-letters"}, t="nlt_" + "a" * 43)
    post = blog.publish("Inflated")
    bomb = gzip.compress(b" " * 500_000_000, 9)[: 512 * 1024]
    for path in ("/api/v1/entries?limit=100&list=slow-letters", "/api/v1/entries/search", "/ping"):
        installation.page(path, bomb, "application/json", Content_Encoding="gzip")
    code = "ini_set('memory_limit', '256M');" + FORGET + ADMIN
    page = blog.run(code + COLUMN, p=post)
    assert page == {"html": "Not read yet"}
    check = blog.run(code + "echo json_encode(newsletter_door_check());")
    assert check == "The token is not for this list."


def test_an_installation_that_hangs_costs_wp_admin_three_seconds_once(
    blog: WordPress, installation: FeedsServer
) -> None:
    released = threading.Event()
    installation.answers["/api/v1/entries?limit=100&list=slow-letters"] = (
        lambda connection, path, headers: released.wait(20) and None
    )
    blog.run(SETTINGS, o={"url": installation.url, "list": "slow-letters"}, t="nlt_" + "a" * 43)
    posts = [blog.publish(f"Post {number}") for number in range(3)]
    code = (
        "$s = microtime(true); foreach ($v['posts'] as $p) { newsletter_door_state($p); }"
        "echo json_encode(microtime(true) - $s);"
    )
    started = time.monotonic()
    first = blog.run(FORGET + ADMIN + code, posts=posts)
    again = blog.run(ADMIN + code, posts=posts)
    released.set()
    assert isinstance(first, float)
    assert first < 5, time.monotonic() - started
    assert float(str(again)) < 1


LIST_OF_POSTS = (
    "$q = new WP_Query(['post_type' => 'post', 'posts_per_page' => 999, 'order' => 'ASC']);"
    "$GLOBALS['wp_query'] = $q; $states = []; foreach ($q->posts as $p) {"
    " ob_start(); do_action('manage_post_posts_custom_column', 'newsletter', $p->ID);"
    " $states[$p->post_title] = ob_get_clean(); } echo json_encode($states);"
)


def test_a_page_of_old_posts_asks_once(
    world: Environment, blog: WordPress, served: str, app: Flask
) -> None:
    """Posts beyond the newest hundred entries: one request for all of them, not one for each."""
    requests: list[str] = []
    app.before_request(lambda: requests.append(f"{request.method} {request.path}"))
    titles = [f"Old {number}" for number in range(230)]
    blog.run(
        "foreach ($v['t'] as $t) wp_insert_post(['post_title' => $t, 'post_status' => 'publish']);"
        "echo 1;",
        t=[*titles, "Not read"],
    )
    links = blog.run(
        "$l = []; foreach (get_posts(['numberposts' => -1]) as $p)"
        " $l[$p->post_title] = get_permalink($p); echo json_encode($l);"
    )
    assert isinstance(links, dict)
    with transaction() as session:
        feed = session.scalars(select(Feed)).one()
        for title in titles:
            add_entry(session, feed, title).link = links[title]
    states = blog.run(FORGET + ADMIN + LIST_OF_POSTS)
    assert isinstance(states, dict)
    assert states.pop("Not read") == "Not read yet"
    assert len(states) == 230
    assert {state.partition(":")[0] for state in states.values()} == {"With the next digest"}
    assert [line for line in requests if "/api/" in line] == [
        "GET /api/v1/entries",
        "POST /api/v1/entries/search",
    ]


def test_the_ping_arrives_within_a_second(blog: WordPress, installation: FeedsServer) -> None:
    blog.run(SETTINGS, o={"url": installation.url, "list": "slow-letters"}, t="")
    code = (
        "$id = wp_insert_post(['post_title' => 'Now', 'post_status' => 'publish']);"
        "echo json_encode(microtime(true));"
    )
    published_at = float(str(blog.run(code)))
    assert [path for path, _ in installation.requests] == ["/ping"]
    assert time.time() - published_at < 5, "the process has ended by then"


def test_wordpress_pings_with_its_own_cron(
    world: Environment, blog: WordPress, served: str, clock: Clock
) -> None:
    """Without the plugin's ping: the address under Settings > Writing, and the next cron run."""
    blog.run(
        "update_option('newsletter_door', []); update_option('ping_sites', $v['s']);"
        "update_option('blog_public', 1); echo 1;",
        s=f"{served}/ping",
    )
    poll.poll_due(world)
    post = blog.publish("By cron")
    assert poll.poll_due(world) == []
    blog.run("do_action('do_pings'); echo 1;")
    [result] = poll.poll_due(world)
    assert result.new == 1
    assert post
