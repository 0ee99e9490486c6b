"""What a mail shows in the place of a frame, a film or a sound: one card, which links to where it
plays. Pure.

No mail program runs a frame, and few play a video. Addresses given here are absolute, and http(s).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

Kind = Literal["video", "audio", "page"]
SIGNS: Mapping[Kind, str] = {"video": "▶", "audio": "♫", "page": "↗"}
"""Signs in front of a card's name, which mail programs have in every font and no language has to be
known for.
"""
PICTURE_WIDTH = 480
"""Width in pixels of a card's picture: that of YouTube's still pictures."""
NAME_AT_MOST = 200
_YOUTUBE = re.compile(
    r"(?:youtube(?:-nocookie)?\.com/(?:embed/|v/|live/|watch\?(?:[\w=.%-]{1,80}&){0,5}v=|shorts/)|youtu\.be/)"
    r"(?!videoseries)([\w-]{11})(?![\w-])"
)


@dataclass(frozen=True, slots=True)
class Media:
    """Something that plays elsewhere: its address, its name, and a still picture of it, if there is
    one.
    """

    kind: Kind
    url: str
    name: str
    picture: str = ""


@dataclass(frozen=True, slots=True)
class _Player:
    """A provider whose frames have an address of their own: what matches in it, and the page people
    can open.
    """

    name: str
    kind: Kind
    pattern: re.Pattern[str]
    page: str


def _player(name: str, kind: Kind, pattern: str, page: str) -> _Player:
    return _Player(name, kind, re.compile(rf"https?://(?:www\.)?{pattern}", re.I), page)


_PLAYERS = (
    _player(
        "YouTube",
        "video",
        r"youtube(?:-nocookie)?\.com/embed/videoseries\?(?:[\w=.%-]{1,80}&){0,5}list=([\w-]+)",
        "https://www.youtube.com/playlist?list={0}",
    ),
    _player(
        "Vimeo",
        "video",
        r"player\.vimeo\.com/video/(\d+)\?(?:[\w=.%-]{1,80}&){0,5}h=(\w+)",
        "https://vimeo.com/{0}/{1}",
    ),
    _player("Vimeo", "video", r"player\.vimeo\.com/video/(\d+)", "https://vimeo.com/{0}"),
    _player(
        "Dailymotion",
        "video",
        r"dailymotion\.com/embed/video/(\w+)",
        "https://www.dailymotion.com/video/{0}",
    ),
    _player("TED", "video", r"embed\.ted\.com/talks/([\w/-]+)", "https://www.ted.com/talks/{0}"),
    _player(
        "TikTok", "video", r"tiktok\.com/embed/(?:v2/)?(\d+)", "https://www.tiktok.com/embed/v2/{0}"
    ),
    _player("Loom", "video", r"loom\.com/embed/(\w+)", "https://www.loom.com/share/{0}"),
    _player(
        "Spotify",
        "audio",
        r"open\.spotify\.com/embed(?:-podcast)?/([a-z]+/\w+)",
        "https://open.spotify.com/{0}",
    ),
    _player(
        "Apple Podcasts",
        "audio",
        r"embed\.podcasts\.apple\.com/([^\s\"<>]+)",
        "https://podcasts.apple.com/{0}",
    ),
    _player(
        "Apple Music",
        "audio",
        r"embed\.music\.apple\.com/([^\s\"<>]+)",
        "https://music.apple.com/{0}",
    ),
    _player(
        "Deezer", "audio", r"widget\.deezer\.com/widget/\w+/(\w+/\d+)", "https://www.deezer.com/{0}"
    ),
    _player("SoundCloud", "audio", r"w\.soundcloud\.com/player", ""),
    _player("Bandcamp", "audio", r"bandcamp\.com/EmbeddedPlayer", ""),
    _player(
        "PeerTube", "video", r"([\w.-]+)/videos/embed/([\w-]+)", "https://{0}/videos/watch/{1}"
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
        return Media("video", page, _named(title, "YouTube"), get_picture_url(video))
    for player in _PLAYERS:
        if match := player.pattern.match(url):
            page = player.page.format(*match.groups()) if player.page else _asked_for(url)
            return Media(player.kind, page, _named(title, player.name))
    page = re.sub(r"/embed/?(?:#\?secret=\w+)?$", "/", url) if "#?secret=" in url else url
    return Media("page", page, _named(title, (urlsplit(url).hostname or "").removeprefix("www.")))


def describe_file(kind: Kind, url: str, title: str = "", picture: str = "") -> Media:
    """Return the film or sound in the file at `url`, named by its title or else its file's name."""
    name = unquote(urlsplit(url).path.rpartition("/")[2]) or urlsplit(url).hostname or ""
    return Media(kind, url, title.strip() or name, picture)


def render_card(media: Media, *, width: int = PICTURE_WIDTH, picture: str | None = None) -> str:
    """Return a card as HTML, without a paragraph around it: the picture, if any, and below it sign
    and name, linked.

    `picture` and its `width` replace the still picture where a copy of it is served from here.
    """
    source = media.picture if picture is None else picture
    image = f'<img src="{escape(source)}" alt="" width="{width}"><br>' if source else ""
    return f'<a href="{escape(media.url)}">{image}<strong>{SIGNS[media.kind]} {escape(media.name)}</strong></a>'


def _named(title: str, provider: str) -> str:
    """Return a frame's title with its provider, which says where the link leads."""
    title = title.strip()[:NAME_AT_MOST]
    if not title or provider.lower() in title.lower():
        return title or provider
    return f"{title} ({provider})"


def _asked_for(url: str) -> str:
    """Return the page that a player's address names as its `url`, or the address itself, which
    plays, too.
    """
    page = parse_qs(urlsplit(url).query).get("url", [""])[0]
    named = urlsplit(page)
    return (
        page
        if named.scheme == "https" and named.hostname in ("soundcloud.com", "www.soundcloud.com")
        else url
    )
