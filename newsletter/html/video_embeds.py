"""Replace a frame, a film or a sound by a card that links to the page where it plays. Pure.

No mail program runs a frame, and few play a video. Addresses given here are absolute, and http(s).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from urllib.parse import parse_qs, unquote, urlsplit


class MediaKind(StrEnum):
    """The kind of what an embedded frame or file shows."""

    VIDEO = "video"
    AUDIO = "audio"
    PAGE = "page"


SIGNS: Mapping[MediaKind, str] = {
    MediaKind.VIDEO: "▶",
    MediaKind.AUDIO: "♫",
    MediaKind.PAGE: "↗",
}
"""Signs in front of a card's name: every font has them, and they need no translation."""
PICTURE_WIDTH = 480
"""Pixels: the width of a card's picture, which is that of YouTube's still pictures."""
NAME_AT_MOST = 200
"""Characters of a frame's title; titles of videos have at most 100."""
_YOUTUBE = re.compile(
    r"(?:youtube(?:-nocookie)?\.com/"
    r"(?:embed/|v/|live/|watch\?(?:[\w=.%-]{1,80}&){0,5}v=|shorts/)|youtu\.be/)"
    r"(?!videoseries)([\w-]{11})(?![\w-])"
)


@dataclass(frozen=True, slots=True)
class Media:
    """Something that plays elsewhere: its address, its name, and a still picture or ""."""

    kind: MediaKind
    url: str
    name: str
    picture: str = ""


@dataclass(frozen=True, slots=True)
class _Player:
    """A provider of embedded players: the pattern of its frames, and the page people can open."""

    name: str
    kind: MediaKind
    pattern: re.Pattern[str]
    page: str


def _make_player(name: str, kind: MediaKind, pattern: str, page: str) -> _Player:
    return _Player(name, kind, re.compile(rf"https?://(?:www\.)?{pattern}", re.I), page)


_PLAYERS = (
    _make_player(
        "YouTube",
        MediaKind.VIDEO,
        r"youtube(?:-nocookie)?\.com/embed/videoseries\?(?:[\w=.%-]{1,80}&){0,5}list=([\w-]+)",
        "https://www.youtube.com/playlist?list={0}",
    ),
    _make_player(
        "Vimeo",
        MediaKind.VIDEO,
        r"player\.vimeo\.com/video/(\d+)\?(?:[\w=.%-]{1,80}&){0,5}h=(\w+)",
        "https://vimeo.com/{0}/{1}",
    ),
    _make_player(
        "Vimeo", MediaKind.VIDEO, r"player\.vimeo\.com/video/(\d+)", "https://vimeo.com/{0}"
    ),
    _make_player(
        "Dailymotion",
        MediaKind.VIDEO,
        r"dailymotion\.com/embed/video/(\w+)",
        "https://www.dailymotion.com/video/{0}",
    ),
    _make_player(
        "TED", MediaKind.VIDEO, r"embed\.ted\.com/talks/([\w/-]+)", "https://www.ted.com/talks/{0}"
    ),
    _make_player(
        "TikTok",
        MediaKind.VIDEO,
        r"tiktok\.com/embed/(?:v2/)?(\d+)",
        "https://www.tiktok.com/embed/v2/{0}",
    ),
    _make_player(
        "Loom", MediaKind.VIDEO, r"loom\.com/embed/(\w+)", "https://www.loom.com/share/{0}"
    ),
    _make_player(
        "Spotify",
        MediaKind.AUDIO,
        r"open\.spotify\.com/embed(?:-podcast)?/([a-z]+/\w+)",
        "https://open.spotify.com/{0}",
    ),
    _make_player(
        "Apple Podcasts",
        MediaKind.AUDIO,
        r"embed\.podcasts\.apple\.com/([^\s\"<>]+)",
        "https://podcasts.apple.com/{0}",
    ),
    _make_player(
        "Apple Music",
        MediaKind.AUDIO,
        r"embed\.music\.apple\.com/([^\s\"<>]+)",
        "https://music.apple.com/{0}",
    ),
    _make_player(
        "Deezer",
        MediaKind.AUDIO,
        r"widget\.deezer\.com/widget/\w+/(\w+/\d+)",
        "https://www.deezer.com/{0}",
    ),
    _make_player("SoundCloud", MediaKind.AUDIO, r"w\.soundcloud\.com/player", ""),
    _make_player("Bandcamp", MediaKind.AUDIO, r"bandcamp\.com/EmbeddedPlayer", ""),
    _make_player(
        "PeerTube",
        MediaKind.VIDEO,
        r"([\w.-]+)/videos/embed/([\w-]+)",
        "https://{0}/videos/watch/{1}",
    ),
)
"""Providers by the addresses of their frames, as their documentation of embedding gives them."""


def find_video_id(url: str) -> str:
    """Return the id of the YouTube video that `url` shows, or ""."""
    match = _YOUTUBE.search(url)
    return match[1] if match else ""


def find_video_ids(html: str) -> frozenset[str]:
    """Return the ids of the YouTube videos that `html` embeds or links to."""
    return frozenset(_YOUTUBE.findall(html))


def get_picture_url(video: str) -> str:
    """Return the address of a YouTube video's still picture."""
    return f"https://i.ytimg.com/vi/{video}/hqdefault.jpg"


def describe_frame(url: str, title: str = "") -> Media:
    """Return what the frame at `url` shows, with the page that people can open."""
    if video := find_video_id(url):
        page = f"https://www.youtube.com/watch?v={video}"
        return Media(MediaKind.VIDEO, page, _name_frame(title, "YouTube"), get_picture_url(video))
    for player in _PLAYERS:
        if match := player.pattern.match(url):
            page = player.page.format(*match.groups()) if player.page else _get_player_page(url)
            return Media(player.kind, page, _name_frame(title, player.name))
    page = re.sub(r"/embed/?(?:#\?secret=\w+)?$", "/", url) if "#?secret=" in url else url
    return Media(
        MediaKind.PAGE,
        page,
        _name_frame(title, (urlsplit(url).hostname or "").removeprefix("www.")),
    )


def describe_file(kind: MediaKind, url: str, title: str = "", picture: str = "") -> Media:
    """Return the film or sound in the file at `url`, named by its title or else its file's name."""
    name = unquote(urlsplit(url).path.rpartition("/")[2]) or urlsplit(url).hostname or ""
    return Media(kind, url, title.strip() or name, picture)


def render_card(media: Media, *, width: int = PICTURE_WIDTH, picture: str | None = None) -> str:
    """Return a linked card as HTML: the picture, if any, and below it the sign and the name.

    No paragraph is around it. `picture` and its `width` replace the still picture where a copy of
    it is served from here.
    """
    source = media.picture if picture is None else picture
    image = f'<img src="{escape(source)}" alt="" width="{width}"><br>' if source else ""
    label = f"<strong>{SIGNS[media.kind]} {escape(media.name)}</strong>"
    return f'<a href="{escape(media.url)}">{image}{label}</a>'


def _name_frame(title: str, provider: str) -> str:
    """Return a frame's title with its provider, which says where the link leads."""
    title = title.strip()[:NAME_AT_MOST]
    if not title or provider.lower() in title.lower():
        return title or provider
    return f"{title} ({provider})"


def _get_player_page(url: str) -> str:
    """Return the page that a player's address names as its `url`, or the address itself."""
    page = parse_qs(urlsplit(url).query).get("url", [""])[0]
    parts = urlsplit(page)
    return (
        page
        if parts.scheme == "https" and parts.hostname in ("soundcloud.com", "www.soundcloud.com")
        else url
    )
