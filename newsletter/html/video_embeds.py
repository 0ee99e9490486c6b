"""Replace a frame, a video or an audio file by a card that links to its page. Pure.

No mail program displays frames, and few play video. All addresses that are passed in are absolute
http(s) ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import unquote, urlsplit

from newsletter.html.links import make_absolute
from newsletter.html.players import MediaKind, find_frame_page

SIGNS: Mapping[MediaKind, str] = {
    MediaKind.VIDEO: "▶",
    MediaKind.AUDIO: "♫",
    MediaKind.PAGE: "↗",
}
"""Symbols in front of a card's name, which every font has and which need no translation."""
PICTURE_WIDTH = 480
"""Pixels: the width of a card's picture, that of YouTube's preview images."""
NAME_AT_MOST = 200
"""Maximum number of characters of a frame's title; titles of YouTube videos have at most 100."""
_FILE = re.compile(r"([^/]{1,200}\.(?:pdf|docx?|xlsx?|pptx?|od[tsp]|epub))$", re.I)
_SAYS_PLAYER = re.compile(
    r"(?:[\w.]{1,20} )?(?:(?:video|audio|embed(?:ded)?|podcast|media|content) ){0,2}"
    r"(?:player|iframe|embed|content)",
    re.I,
)
"""Pattern of meaningless titles that programs write, such as "YouTube video player"."""
_YOUTUBE = re.compile(
    r"(?:youtube(?:-nocookie)?\.com/"
    r"(?:embed/|v/|live/|watch\?(?:[\w=.%-]{1,80}&){0,5}v=|shorts/)|youtu\.be/)"
    r"(?!videoseries)([\w-]{11})(?![\w-])"
)


@dataclass(frozen=True, slots=True)
class Media:
    """Media that plays on another page: its URL, its name, and a preview image or ""."""

    kind: MediaKind
    url: str
    name: str
    picture: str = ""


def find_video_id(url: str) -> str:
    """Return the id of the YouTube video that `url` shows, or ""."""
    match = _YOUTUBE.search(url)
    return match[1] if match else ""


def find_video_ids(html: str) -> frozenset[str]:
    """Return the ids of the YouTube videos that `html` embeds or links to."""
    return frozenset(_YOUTUBE.findall(html))


def get_picture_url(video: str) -> str:
    """Return the URL of a YouTube video's preview image."""
    return f"https://i.ytimg.com/vi/{video}/hqdefault.jpg"


def describe_frame(url: str, title: str = "", *, page: str = "") -> Media:
    """Return the media of the frame at `url`, with the page that people can open.

    `page` is the target of a link inside the frame, if there is one.
    """
    if video := find_video_id(url):
        watch = f"https://www.youtube.com/watch?v={video}"
        return Media(MediaKind.VIDEO, watch, _name_frame(title, "YouTube"), get_picture_url(video))
    frame = find_frame_page(url)
    if video := find_video_id(frame.page):
        return describe_frame(f"https://www.youtube.com/watch?v={video}", title)
    if not _is_of_site(page, url):
        page = make_absolute(frame.page, base_url="") or url
    file = _FILE.search(urlsplit(page).path)
    name = title or frame.title or (unquote(file[1]) if file else "")
    return Media(frame.kind, page, _name_frame(name, frame.site))


def _is_of_site(page: str, url: str) -> bool:
    """Tell whether `page` belongs to the site of the frame at `url`."""
    site = (urlsplit(url).hostname or "").removeprefix("www.")
    host = urlsplit(page).hostname or ""
    return bool(site) and (host == site or host.endswith(f".{site}"))


def describe_file(kind: MediaKind, url: str, title: str = "", picture: str = "") -> Media:
    """Return the video or audio file at `url` as media, named by its title or its file name."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    name = name if "." in name else (urlsplit(url).hostname or "").removeprefix("www.")
    return Media(kind, url, title.strip() or name, picture)


def describe_form(page: str, name: str) -> Media:
    """Return a form as media: a link to the page that shows it, with the form's name."""
    host = (urlsplit(page).hostname or "").removeprefix("www.")
    return Media(MediaKind.PAGE, page, _name_frame(name, host))


def render_card(media: Media, *, width: int = PICTURE_WIDTH, picture: str | None = None) -> str:
    """Return a linked card as HTML: the preview image, if any, and below it symbol and name.

    The card is not wrapped in a paragraph. `picture` and its `width` replace the preview image if a
    copy of it is served by this program.
    """
    source = media.picture if picture is None else picture
    image = f'<img src="{escape(source)}" alt="" width="{width}"><br>' if source else ""
    label = f"<strong>{SIGNS[media.kind]} {escape(media.name)}</strong>"
    return f'<a href="{escape(media.url)}">{image}{label}</a>'


def _name_frame(title: str, provider: str) -> str:
    """Return a frame's title with the name of its site, which tells where the link leads."""
    title = title.strip()[:NAME_AT_MOST]
    if _SAYS_PLAYER.fullmatch(title):
        return provider
    if not title or provider.lower() in title.lower():
        return title or provider
    return f"{title} ({provider})"
