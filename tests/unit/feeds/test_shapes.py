"""Feeds as blog programs write them, and as they go wrong: tests/feeds/, and what each says in
expected.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from newsletter.errors import NotAFeed
from newsletter.feeds.parse import parse_feed

FEEDS = Path(__file__).parents[2] / "feeds"
EXPECTED: dict[str, list[list[str]] | None] = json.loads((FEEDS / "expected.json").read_text())


@pytest.mark.parametrize("name", EXPECTED)
def test_each_feed_says_what_it_says(name: str) -> None:
    """Titles and links of its entries, in its order; null where it is none."""
    body = (FEEDS / name).read_bytes()
    url = "file:///feed.xml"
    if EXPECTED[name] is None:
        with pytest.raises(NotAFeed):
            parse_feed(body, url=url)
    else:
        assert [
            [entry.title, entry.link] for entry in parse_feed(body, url=url).entries
        ] == EXPECTED[name]


def test_every_feed_is_tried() -> None:
    assert {file.name for file in FEEDS.iterdir()} == {*EXPECTED, "expected.json"}
