"""The smaller commands, each at least once from beginning to end."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run
from tests.feeds_server import FeedsServer, item, rss


def test_feeds_are_paused_resumed_and_removed(newsletter: Run, blog: FeedsServer) -> None:
    assert "is paused" in newsletter("feed", "pause", "1").out
    blog.page("/feed.xml", rss(item("New post"), item("Old"), title="Slow Letters", link=blog.url))
    newsletter("worker", "--once")
    assert "New post" not in newsletter("entry", "ls").out, "nobody asked a paused feed"
    assert "is polled again" in newsletter("feed", "resume", "1").out
    newsletter("worker", "--once")
    assert "New post" in newsletter("entry", "ls").out
    assert newsletter("feed", "remove", "1").code == 2, "it asks first"
    assert newsletter("feed", "remove", "1", "--yes").code == 0
    assert newsletter("entry", "ls").out == ""
    for verb in ("pause", "resume", "remove"):
        result = newsletter("feed", verb, "1", *(["--yes"] if verb == "remove" else []))
        assert (result.code, "no feed 1" in result.err) == (1, True)


def test_topics_are_made_ordered_and_removed(newsletter: Run) -> None:
    assert (
        "1 Sleep: sleep, rest"
        in newsletter("topic", "add", "Sleep", "--category", "sleep", "--category", "rest").out
    )
    assert "nothing belongs to it yet" in newsletter("topic", "add", "Work").out
    newsletter("topic", "order", "Work", "Sleep")
    assert [row["name"] for row in json.loads(newsletter("topic", "ls", "--json").out)] == [
        "Work",
        "Sleep",
    ]
    assert newsletter("topic", "order", "Nothing").code == 1
    assert newsletter("topic", "remove", "Work", "--yes").code == 0
    assert newsletter("topic", "remove", "Work", "--yes").code == 1
    assert [row["name"] for row in json.loads(newsletter("topic", "ls", "--json").out)] == ["Sleep"]


def test_the_next_digest_is_introduced_and_sectioned(newsletter: Run, blog: FeedsServer) -> None:
    assert "Back *again*" in newsletter("digest", "intro", "Back *again*").out
    assert "Back *again*" in newsletter("digest", "intro").out
    blog.page("/feed.xml", rss(item("New post"), item("Old"), title="Slow Letters", link=blog.url))
    newsletter("feed", "check")
    assert "Back again" in newsletter("digest", "preview").out
    assert newsletter("digest", "intro", "--clear").code == 0
    assert newsletter("digest", "intro").out == ""
    assert "Back again" not in newsletter("digest", "preview").out
    assert "Slow Letters" in newsletter("digest", "sections", "feed").out
    assert newsletter("digest", "sections", "feed", "No such feed").code == 1
    assert "none" in newsletter("digest", "sections", "none").out


def test_an_erased_address_is_suppressed_until_the_author_lifts_it(newsletter: Run) -> None:
    newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "by phone")
    assert newsletter("subscriber", "erase", "ana@example.com").code == 2, "it asks first"
    assert "is erased" in newsletter("subscriber", "erase", "ana@example.com", "--yes").out
    assert newsletter("subscriber", "show", "ana@example.com").code == 1
    assert "ana@" not in newsletter("suppression", "ls").out
    again = newsletter(
        "subscriber", "add", "ana@example.com", "--confirmed", "--because", "she wrote"
    )
    assert again.code == 1
    assert newsletter("suppression", "remove", "ana@example.com", "--yes").code == 0
    assert newsletter("suppression", "remove", "ana@example.com", "--yes").code == 1
    assert newsletter("suppression", "add", "bad@example.com").code == 0
    assert (
        json.loads(newsletter("suppression", "ls", "--json").out)[0]["email"] == "bad@example.com"
    )


def test_resources_are_kept_and_removed(newsletter: Run, tmp_path: Path) -> None:
    (tmp_path / "guide.pdf").write_bytes(b"%PDF-1.4")
    assert (
        '{{ resource("guide") }}'
        in newsletter("resource", "add", str(tmp_path / "guide.pdf"), "--title", "Guide").out
    )
    assert newsletter("resource", "add", str(tmp_path / "none.pdf")).code == 2
    assert "Guide" in newsletter("resource", "ls").out
    assert newsletter("resource", "remove", "guide").code == 2, "it asks first"
    assert newsletter("resource", "remove", "guide", "--yes").code == 0
    assert newsletter("resource", "remove", "guide", "--yes").code == 1
    assert newsletter("resource", "ls").out == ""
