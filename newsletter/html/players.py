"""Recognise embedded frames of other sites: the kind of media, and a page people can open. Pure.

Addresses are as the sites document them for embedding; all are http(s).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit


class MediaKind(StrEnum):
    """The kind of media that an embedded frame or file shows."""

    VIDEO = "video"
    AUDIO = "audio"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class FramePage:
    """The content of an embedded frame: its kind, its site's name, and a page that people can open.

    `title` is the title that the address contains, or "".
    """

    kind: MediaKind
    site: str
    page: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class _Player:
    """A site with embedded players: the URL pattern of its frames, and the page people can open."""

    name: str
    kind: MediaKind
    pattern: re.Pattern[str]
    page: str


def _make_player(name: str, kind: MediaKind, pattern: str, page: str) -> _Player:
    return _Player(name, kind, re.compile(rf"https?://(?:www\.)?{pattern}", re.I), page)


_VIDEO = (
    (
        "YouTube",
        r"youtube(?:-nocookie)?\.com/embed/videoseries\?(?:[\w=.%-]{1,80}&){0,5}list=([\w-]+)",
        "https://www.youtube.com/playlist?list={0}",
    ),
    (
        "Vimeo",
        r"player\.vimeo\.com/video/(\d+)\?(?:[\w=.%-]{1,80}&){0,5}h=(\w+)",
        "https://vimeo.com/{0}/{1}",
    ),
    ("Vimeo", r"player\.vimeo\.com/video/(\d+)", "https://vimeo.com/{0}"),
    (
        "Dailymotion",
        r"(?:geo\.)?dailymotion\.com/(?:embed/video/|player(?:/\w+)?\.html\?video=)(\w+)",
        "https://www.dailymotion.com/video/{0}",
    ),
    ("TED", r"embed\.ted\.com/talks/([\w/-]+)", "https://www.ted.com/talks/{0}"),
    ("TikTok", r"tiktok\.com/embed/(?:v2/)?(\d+)", "https://www.tiktok.com/embed/v2/{0}"),
    ("TikTok", r"tiktok\.com/(@[\w.]+/video/\d+)", "https://www.tiktok.com/{0}"),
    (
        "VideoPress",
        r"(?:videopress\.com|video\.wordpress\.com)/embed/(\w+)",
        "https://videopress.com/v/{0}",
    ),
    ("Loom", r"loom\.com/embed/(\w+)", "https://www.loom.com/share/{0}"),
    (
        "Twitch",
        r"player\.twitch\.tv/\?(?:[\w=.%-]{1,80}&){0,5}video=v?(\d+)",
        "https://www.twitch.tv/videos/{0}",
    ),
    (
        "Twitch",
        r"player\.twitch\.tv/\?(?:[\w=.%-]{1,80}&){0,5}channel=(\w+)",
        "https://www.twitch.tv/{0}",
    ),
    (
        "Wistia",
        r"fast\.wistia\.(?:net|com)/embed/iframe/(\w+)",
        "https://fast.wistia.net/embed/iframe/{0}",
    ),
    ("Streamable", r"streamable\.com/e/(\w+)", "https://streamable.com/{0}"),
    ("Blogger", r"blogger\.com/(video\.g\?token=[\w-]+)", "https://www.blogger.com/{0}"),
    (
        "PeerTube",
        r"([\w.-]+)/videos/embed/([\w-]+)",
        "https://{0}/videos/watch/{1}",
    ),
)
_AUDIO = (
    (
        "Spotify",
        r"open\.spotify\.com/embed(?:-podcast)?/([a-z]+/\w+)",
        "https://open.spotify.com/{0}",
    ),
    (
        "Spotify",
        r"((?:podcasters\.spotify\.com/pod/show|anchor\.fm)/[\w-]+)/embed(/episodes/[\w-]+|)",
        "https://{0}{1}",
    ),
    (
        "Apple Podcasts",
        r"embed\.podcasts\.apple\.com/([^\s\"<>]+)",
        "https://podcasts.apple.com/{0}",
    ),
    ("Apple Music", r"embed\.music\.apple\.com/([^\s\"<>]+)", "https://music.apple.com/{0}"),
    ("Deezer", r"widget\.deezer\.com/widget/\w+/(\w+/\d+)", "https://www.deezer.com/{0}"),
    ("Buzzsprout", r"buzzsprout\.com/(\d+/[\w-]+)", "https://www.buzzsprout.com/{0}"),
    ("Transistor", r"share\.transistor\.fm/e/([\w-]+)", "https://share.transistor.fm/s/{0}"),
    (
        "Spreaker",
        r"widget\.spreaker\.com/player\?(?:[\w=.%-]{1,80}&){0,5}episode_id=(\d+)",
        "https://www.spreaker.com/episode/{0}",
    ),
    ("Acast", r"embed\.acast\.com/([\w$-]+/[\w-]+)", "https://play.acast.com/s/{0}"),
    ("Podigee", r"([\w-]+\.podigee\.io/[\w-]+)/embed", "https://{0}"),
    ("Castos", r"([\w-]+\.castos\.com/player/\d+)", "https://{0}"),
    ("Audioboom", r"embeds\.audioboom\.com/posts/(\d+)", "https://audioboom.com/posts/{0}"),
    ("Omny", r"omny\.fm/shows/([\w-]+/[\w-]+)/embed", "https://omny.fm/shows/{0}"),
    ("Blubrry", r"player\.blubrry\.com/", ""),
    ("Fireside", r"player\.fireside\.fm/", ""),
    ("Podbean", r"podbean\.com/(?:player-v2|media/player)", ""),
    ("Libsyn", r"(?:html5-player|play)\.libsyn\.com/", ""),
    ("Simplecast", r"player\.simplecast\.com/", ""),
    ("Captivate", r"player\.captivate\.fm/", ""),
    ("Megaphone", r"(?:player|playlist)\.megaphone\.fm[/?]", ""),
    ("RSS.com", r"player\.rss\.com/", ""),
    ("SoundCloud", r"w\.soundcloud\.com/player", ""),
    ("Bandcamp", r"(?:[\w-]+\.)?bandcamp\.com/(?:EmbeddedPlayer|album/|track/)", ""),
)
_PAGES = (
    (
        "Bluesky",
        r"embed\.bsky\.app/embed/(did:[\w:.%-]{1,100})/app\.bsky\.feed\.post/(\w+)",
        "https://bsky.app/profile/{0}/post/{1}",
    ),
    ("Internet Archive", r"archive\.org/embed/([\w.-]+)", "https://archive.org/details/{0}"),
    ("Giphy", r"giphy\.com/embed/(\w+)", "https://giphy.com/gifs/{0}"),
    ("Tally", r"tally\.so/(?:embed|r)/(\w+)", "https://tally.so/r/{0}"),
    ("JotForm", r"form\.jotform\.com/(?:jsform/)?(\d+)", "https://form.jotform.com/{0}"),
)
_PLAYERS = tuple(
    _make_player(name, kind, pattern, page)
    for kind, players in (
        (MediaKind.VIDEO, _VIDEO),
        (MediaKind.AUDIO, _AUDIO),
        (MediaKind.PAGE, _PAGES),
    )
    for name, pattern, page in players
)
_SITES = {
    "airtable.com": "Airtable",
    "calendly.com": "Calendly",
    "docs.google.com": "Google Docs",
    "slideshare.net": "SlideShare",
    "speakerdeck.com": "Speaker Deck",
    "datawrapper.dwcdn.net": "Datawrapper",
    "public.flourish.studio": "Flourish",
    "e.infogram.com": "Infogram",
    "facebook.com": "Facebook",
    "form.typeform.com": "Typeform",
    "infogram.com": "Infogram",
    "instagram.com": "Instagram",
    "pinterest.com": "Pinterest",
    "reddit.com": "Reddit",
    "embed.reddit.com": "Reddit",
    "platform.twitter.com": "X",
    "twitter.com": "X",
    "x.com": "X",
    "bsky.app": "Bluesky",
    "threads.net": "Threads",
    "threads.com": "Threads",
    "tiktok.com": "TikTok",
}
"""Names of sites whose host name does not tell them."""
_PLACE = re.compile(r"!2s([^!&]{2,200})!5e")
_POINT = re.compile(r"!2d(-?\d{1,3}\.?\d{0,10})!3d(-?\d{1,3}\.?\d{0,10})")
_STATUS = re.compile(r"(https?://[\w.-]+/@[\w.@-]+/\d+)/embed$")


def find_frame_page(url: str) -> FramePage:
    """Return the content of the frame at `url`; for an unknown site, its host and the frame."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    for read in _READERS:
        if frame := read(url, host):
            return frame
    for player in _PLAYERS:
        if match := player.pattern.match(url):
            page = player.page.format(*match.groups()) if player.page else url
            return FramePage(player.kind, player.name, page)
    if match := _STATUS.match(url):
        return FramePage(MediaKind.PAGE, host, match[1])
    page = re.sub(r"/embed/?(?:#\?secret=\w+)?$", "/", url) if "#?secret=" in url else url
    return FramePage(MediaKind.PAGE, _SITES.get(host, host), page)


def _read_map(url: str, host: str) -> FramePage | None:
    """Read a Google Maps frame; it opens only embedded, so the page is a search for the place."""
    parts = urlsplit(url)
    is_map = host == "maps.google.com" or ("google." in host and parts.path.startswith("/maps"))
    if not is_map:
        return None
    query = parse_qs(parts.query)
    named = _PLACE.search(parts.query)
    point = _POINT.search(parts.query)
    place = unquote(named[1].replace("+", " ")) if named else query.get("q", [""])[0]
    if re.fullmatch(r"/maps/d/(?:u/\d/)?embed", parts.path):  # a map that somebody drew
        return FramePage(MediaKind.PAGE, "Google Maps", url.replace("/embed", "/viewer", 1))
    target = place or (f"{point[2]},{point[1]}" if point else "")
    page = "https://www.google.com/maps/search/?api=1&query=" + quote(target, safe=",")
    return FramePage(MediaKind.PAGE, "Google Maps", page if target else url, place)


def _read_open_map(url: str, host: str) -> FramePage | None:
    if host != "openstreetmap.org":
        return None
    query = parse_qs(urlsplit(url).query)
    middle = _find_middle(query.get("marker", [""])[0] or query.get("bbox", [""])[0])
    page = f"https://www.openstreetmap.org/?mlat={middle[0]}&mlon={middle[1]}" if middle else url
    return FramePage(MediaKind.PAGE, "OpenStreetMap", page)


def _find_middle(numbers: str) -> tuple[str, str] | None:
    """Return latitude and longitude of a marker "lat,lon", or of the centre of a bounding box."""
    values = numbers.split(",")
    if not all(re.fullmatch(r"-?\d{1,3}(?:\.\d{1,15})?", value) for value in values):
        return None
    if len(values) == 2:
        return values[0], values[1]
    if len(values) == 4:
        west, south, east, north = map(float, values)
        return f"{(south + north) / 2:.5f}", f"{(west + east) / 2:.5f}"
    return None


def _read_google_form(url: str, host: str) -> FramePage | None:
    parts = urlsplit(url)
    if host != "docs.google.com" or not parts.path.startswith("/forms/"):
        return None
    page = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return FramePage(MediaKind.PAGE, "Google Forms", page)


def _read_named_page(url: str, host: str) -> FramePage | None:
    """Read a frame whose URL names its page: Facebook, SoundCloud, Mixcloud, Embedly."""
    query = parse_qs(urlsplit(url).query)
    if host == "facebook.com" and "/plugins/" in url:
        page = query.get("href", [""])[0]
        return FramePage(MediaKind.PAGE, "Facebook", page) if _is_web(page, host) else None
    if host == "w.soundcloud.com":
        page = query.get("url", [""])[0]
        if _is_web(page, "soundcloud.com"):
            return FramePage(MediaKind.AUDIO, "SoundCloud", page)
    if host == "mixcloud.com":
        feed = query.get("feed", [""])[0]
        if re.fullmatch(r"/[\w%./-]{1,300}", feed):
            return FramePage(MediaKind.AUDIO, "Mixcloud", f"https://www.mixcloud.com{feed}")
    if host == "cdn.embedly.com":
        page = query.get("url", [""])[0]
        inner = urlsplit(page).hostname or ""
        if page.startswith(("https://", "http://")) and inner and inner != host:
            return find_frame_page(page)
    return None


def _is_web(page: str, host: str) -> bool:
    """Tell whether `page` is an https page of `host`, which a frame's address may name."""
    parts = urlsplit(page)
    return parts.scheme == "https" and (parts.hostname or "").removeprefix("www.") == host


_READERS: tuple[Callable[[str, str], FramePage | None], ...] = (
    _read_map,
    _read_open_map,
    _read_google_form,
    _read_named_page,
)
