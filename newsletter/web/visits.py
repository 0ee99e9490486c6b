"""Count archive views and downloads in memory, without cookies, addresses or robots.

A thread writes the numbers down once a minute, and once more when the process ends, so that no
visitor waits for the database.
"""

from __future__ import annotations

import atexit
import re
import threading

from flask import Flask, Response, current_app, request

from newsletter.errors import DatabaseError
from newsletter.services.figures import Counted
from newsletter.services.runtime import Environment, environment
from newsletter.services.sightings import write_sightings
from newsletter.statistics_vocabulary import Figure

WRITE_EVERY = 60.0
ROBOT = re.compile(
    r"bot\b|bots\b|crawl|spider|slurp|archiver|preview|monitor|scan|fetch|validator|lighthouse|"
    r"headless|facebookexternalhit|whatsapp|curl/|wget/|python|go-http-client|java/|okhttp|axios|"
    r"node-fetch|feed|rss|aggregator",
    re.I,
)
"""User-Agent words of robots; an empty User-Agent counts as a robot as well."""
FETCHERS = re.compile(r"^([\w .-]{2,40}?)[/ (;].*?(\d{1,7}) (?:subscriber|read\w*r)s?\b", re.I)
"""Pattern of the number of subscribers that feed fetchers state in their User-Agent."""
AGENT_AT_MOST = 300
_WRITER = "newsletter-visits"


def count_view(response: Response, list_id: int, campaign_id: int) -> None:
    """Count a view of a campaign's page, for it and for its list.

    Not where a robot asked, or there was no page.
    """
    if request.method != "GET" or response.status_code != 200 or is_robot(_read_agent()):
        return
    for place in (0, campaign_id):
        _count(list_id, Figure.VIEWED, campaign_id=place)


def count_file(response: Response, list_id: int, name: str) -> None:
    """Count a download; of one in ranges, only the first."""
    begins = request.range is None or request.range.ranges[0][0] == 0
    if request.method == "GET" and response.status_code in (200, 206) and begins:
        _count(list_id, Figure.FETCHED, name)


def count_feed_readers(list_id: int) -> None:
    """Record the number of subscribers stated by a fetcher of the archive's feed."""
    if match := FETCHERS.search(_read_agent()):
        _count(list_id, Figure.FEED_READERS, match[1].strip(), int(match[2]))


def is_robot(agent: str) -> bool:
    """Tell whether a User-Agent is empty or names a robot."""
    return not agent or ROBOT.search(agent) is not None


def _read_agent() -> str:
    return request.headers.get("User-Agent", "")[:AGENT_AT_MOST]


def _count(
    list_id: int, figure: Figure, name: str = "", count: int = 1, *, campaign_id: int = 0
) -> None:
    env = environment()
    env.sightings.count(Counted(list_id, figure, env.now, name, count, campaign_id))
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if _WRITER not in app.extensions:  # in this process, after a server has forked it
        app.extensions[_WRITER] = True
        _start_writer(app, env)


def _start_writer(app: Flask, env: Environment) -> None:
    ended = threading.Event()

    def write() -> None:
        with app.app_context():
            try:
                write_sightings(env.sightings)
            except DatabaseError:
                return  # kept for the next time

    def run() -> None:
        while not ended.wait(WRITE_EVERY):
            write()

    def finish() -> None:
        ended.set()
        write()

    atexit.register(finish)
    threading.Thread(target=run, name="visits", daemon=True).start()
