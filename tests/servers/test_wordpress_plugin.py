"""The WordPress plugin in a real WordPress: form, ping, switch, and nothing left behind."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from newsletter.feeds.parse import parse_feed
from tests.feeds_server import FeedsServer, feeds_server
from tests.programs import find_program
from tests.servers.wordpress import WordPress

pytestmark = [pytest.mark.wordpress, pytest.mark.xdist_group("wordpress")]

PLUGIN = Path(__file__).parents[2] / "integrations" / "wordpress"
ACTIVATE = (
    "require_once ABSPATH . 'wp-admin/includes/plugin.php';"
    "echo json_encode(activate_plugin('newsletter-door/newsletter-door.php'));"
)


@pytest.fixture
def installation() -> Iterator[FeedsServer]:
    with feeds_server() as server:
        server.page("/ping", b"Thanks for the ping.\n", "text/plain")
        yield server


@pytest.fixture
def blog(wordpress: WordPress, installation: FeedsServer) -> WordPress:
    """Return a WordPress with the plugin, set to an installation on the loopback."""
    folder = wordpress.root / "wp-content" / "plugins" / "newsletter-door"
    if not folder.exists():
        shutil.copytree(PLUGIN, folder)
    assert wordpress.run(ACTIVATE) is None
    wordpress.run(
        "echo json_encode(update_option('newsletter_door', $v['o']));",
        o={"url": installation.url, "list": "slow-letters"},
    )
    return wordpress


@pytest.mark.parametrize("file", sorted(PLUGIN.glob("*.php")), ids=lambda file: file.name)
def test_php_finds_no_error(file: Path) -> None:
    subprocess.run(
        [find_program("php", "php-cli"), "-l", str(file)], check=True, capture_output=True
    )


def test_publishing_and_taking_back_ping_once_each(
    blog: WordPress, installation: FeedsServer
) -> None:
    post = blog.publish("New")
    assert [path for path, _ in installation.requests] == ["/ping"]
    blog.update(post, post_status="draft")
    assert [path for path, _ in installation.requests] == ["/ping", "/ping"]
    blog.update(post, post_title="Still a draft")
    assert len(installation.requests) == 2


def test_what_changes_a_public_post_pings_and_what_does_not_is_silent(
    blog: WordPress, installation: FeedsServer
) -> None:
    post = blog.publish("Public")
    for change in (
        {"post_name": "another-slug"},
        {"post_password": "sesame"},
        {"post_password": ""},
    ):
        installation.requests.clear()
        blog.update(post, **change)
        assert len(installation.requests) == 1, change
    installation.requests.clear()
    blog.trash(post)
    assert len(installation.requests) == 1
    installation.requests.clear()
    scheduled = blog.run(
        "$at = gmdate('Y-m-d H:i:s', time() + 9000);"
        "echo json_encode(wp_insert_post(['post_title' => 'Later', 'post_status' => 'publish',"
        " 'post_date' => $at, 'post_date_gmt' => $at]));"
    )
    assert installation.requests == [], "it is scheduled, not published"
    blog.run("wp_publish_post($v['p']); echo 1;", p=scheduled)
    assert len(installation.requests) == 1
    installation.requests.clear()
    blog.run("wp_delete_post($v['p'], true); echo 1;", p=scheduled)
    assert len(installation.requests) == 1, "without the trash"
    blog.run("wp_delete_post($v['p'], true); echo 1;", p=post)
    assert len(installation.requests) == 1, "it was in the trash"
    installation.requests.clear()
    blog.run(
        "wp_insert_post(['post_title' => 'P', 'post_type' => 'page', 'post_status' => 'publish']);"
        "echo 1;"
    )
    assert installation.requests == [], "a page is no post"


def test_a_switched_off_post_is_marked_in_the_feed(blog: WordPress) -> None:
    post = blog.publish("Private one")
    blog.publish("Public one")
    blog.run("echo json_encode(update_post_meta($v['p'], '_newsletter_door_skip', 1));", p=post)
    for kind in ("rss2", "atom"):
        with urlopen(f"{blog.url}/?feed={kind}", timeout=60) as response:
            parsed = parse_feed(response.read(), url=blog.feed)
        marked = {e.title for e in parsed.entries if "no-newsletter" in e.categories}
        assert marked == {"Private one"}


def test_form_by_shortcode_and_block(blog: WordPress, installation: FeedsServer) -> None:
    form = blog.run("echo json_encode(do_shortcode('[newsletter height=\"9\"]'));")
    assert f'src="{installation.url}/slow-letters/embed"' in str(form)
    assert 'height="100"' in str(form)
    block = blog.run("echo json_encode(do_blocks('<!-- wp:newsletter-door/form /-->'));")
    assert "<iframe" in str(block)
    assert "<script" not in str(block)


def test_hostile_settings_are_refused(blog: WordPress) -> None:
    typed = {"url": "javascript:alert(1)", "list": '"><script>'}
    clean = blog.run("echo json_encode(newsletter_door_clean($v['o']));", o=typed)
    assert clean == {"url": "", "list": ""}


def test_the_switch_needs_its_nonce(blog: WordPress) -> None:
    post = blog.publish("Guarded")
    code = (
        "wp_set_current_user(1); $_POST = ['newsletter_door_skip' => '1', "
        "'newsletter_door_nonce' =>"
        " $v['good'] ? wp_create_nonce('newsletter_door_' . $v['p']) : 'x'];"
        "wp_update_post(['ID' => $v['p']]);"
        "echo json_encode((bool) get_post_meta($v['p'], '_newsletter_door_skip', true));"
    )
    assert blog.run(code, p=post, good=False) is False
    assert blog.run(code, p=post, good=True) is True


def test_uninstalling_leaves_nothing(blog: WordPress) -> None:
    post = blog.publish("Marked")
    count = (
        "$like = '%newsletter%'; global $wpdb; $left = fn($table, $column) => (int) $wpdb->get_var("
        '$wpdb->prepare("SELECT COUNT(*) FROM $table WHERE $column LIKE %s", $like));'
        "wp_cache_flush(); deactivate_plugins('newsletter-door/newsletter-door.php');"
        "echo json_encode([$left($wpdb->options, 'option_name'),"
        " $left($wpdb->postmeta, 'meta_key'), $left($wpdb->usermeta, 'meta_key')]);"
    )
    left = blog.run(
        "update_post_meta($v['p'], '_newsletter_door_skip', 1); define('WP_UNINSTALL_PLUGIN', 'x');"
        "update_option('newsletter_door_token', 'nlt_x'); newsletter_door_entries();"
        "set_transient('newsletter_door_down', 1, 60);"
        "require_once ABSPATH . 'wp-admin/includes/plugin.php';"
        f"require WP_CONTENT_DIR . '/plugins/newsletter-door/uninstall.php'; {count}",
        p=post,
    )
    assert left == [0, 0, 0]
