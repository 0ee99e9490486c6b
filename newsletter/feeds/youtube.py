"""Find YouTube's feeds, and parse its pages of channels and videos.

Pure.

A channel's feed contains everything: long videos, Shorts, live streams, and premieres that are not
public yet. The feed does not distinguish them; the URL of a Short does, and the page of a video
does.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

KINDS = ("shorts", "live", "premieres")
FEED = "https://www.youtube.com/feeds/videos.xml"
_CHANNEL = re.compile(r"UC[\w-]{22}")
# Best first: what the page says of itself, then whatever channel it names.
_IN_PAGE = [
    re.compile(pattern)
    for pattern in (
        r'feeds/videos\.xml\?channel_id=(UC[\w-]{22})"',
        r'<link rel="canonical" href="https://www\.youtube\.com/channel/(UC[\w-]{22})"',
        r'itemprop="(?:channelId|identifier)" content="(UC[\w-]{22})"',
        r'"(?:externalId|externalChannelId)":"(UC[\w-]{22})"',
        r'"(?:channelId|browseId)":"(UC[\w-]{22})"',
        r"/channel/(UC[\w-]{22})",
    )
]


@dataclass(frozen=True, slots=True)
class VideoPage:
    """The properties of a video that its page states.

    `live` means that it is or was a live stream, `upcoming` that it is not public yet.
    """

    live: bool = False
    premiere: bool = False
    upcoming: bool = False


def is_youtube(url: str) -> bool:
    """Tell whether a URL belongs to YouTube."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return False
    return host in ("youtube.com", "youtu.be", "youtube-nocookie.com") or host.endswith(
        ".youtube.com"
    )


def find_feed_url(url: str) -> str:
    """Return the feed URL of a channel or playlist whose URL contains its id, or ""."""
    if not is_youtube(url):
        return ""
    parts = urlsplit(url)
    if match := re.match(r"/channel/(UC[\w-]{22})", parts.path):
        return f"{FEED}?channel_id={match[1]}"
    playlist = parse_qs(parts.query).get("list", [""])[0]
    return f"{FEED}?playlist_id={playlist}" if parts.path == "/playlist" and playlist else ""


def find_feed_in_page(page: str) -> str:
    """Return the feed URL of the channel that a YouTube page belongs to, or ""."""
    match = next((match for pattern in _IN_PAGE if (match := pattern.search(page))), None)
    return f"{FEED}?channel_id={match[1]}" if match else ""


def narrow_feed(feed_url: str, leaves_out: Collection[str]) -> str:
    """Return the feed URL to fetch: one with long videos only, if the others are left out.

    YouTube has such a playlist (UULF…) for each channel, without Shorts and live streams.
    """
    channel = parse_qs(urlsplit(feed_url).query).get("channel_id", [""])[0]
    if not (
        feed_url.startswith(FEED)
        and _CHANNEL.fullmatch(channel)
        and {"shorts", "live"} <= set(leaves_out)
    ):
        return feed_url
    return f"{FEED}?playlist_id=UULF{channel[2:]}"


def read_video_page(page: str) -> VideoPage:
    """Return the properties of a video stated on its page; none for any other page."""
    live = '"isLiveContent":true' in page
    upcoming = '"isUpcoming":true' in page
    return VideoPage(
        live=live,
        premiere=not live and (upcoming or '"liveBroadcastDetails"' in page),
        upcoming=upcoming,
    )


def find_left_out_kind(link: str, video: VideoPage, leaves_out: Collection[str]) -> str:
    """Return the kind of a video if it is one of `leaves_out`, else ""."""
    kinds = {"shorts": "/shorts/" in link, "live": video.live, "premieres": video.premiere}
    return next((kind for kind in KINDS if kind in leaves_out and kinds[kind]), "")
