"""The environment that services are given: settings, clock, and the edges to the outside.

Made once, by app.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from flask import current_app

from newsletter.services.sightings import Sightings
from newsletter.services.tally import Tally

if TYPE_CHECKING:  # each costs start-up time that few commands need
    from newsletter.captcha import Puzzles
    from newsletter.dns.mx import JudgeDomains
    from newsletter.dns.resolver import Resolver
    from newsletter.feeds.fetch import Fetch
    from newsletter.feeds.post import PostMessage
    from newsletter.mail.render import Renderer
    from newsletter.mail.smtp.types import Transport
    from newsletter.settings import Settings
    from newsletter.tokens import Tokens
    from newsletter.urls import Links

Clock = Callable[[], datetime]
EXTENSION = "newsletter"


def utcnow() -> datetime:
    """Return the system's time, with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Environment:
    """The one thing handed to every service.

    `transport` makes a new one for each sender; `domains` says which domains take no mail.
    """

    settings: Settings
    tokens: Tokens
    puzzles: Puzzles
    links: Links
    make_renderer: Callable[[], Renderer]
    fetch: Fetch
    post: PostMessage
    ask_hub: PostMessage
    transport: Callable[[], Transport]
    domains: JudgeDomains
    clock: Clock
    resolver: Resolver
    read_certificate: Callable[[str], datetime | None] = field(default=lambda url: None)
    tally: Tally = field(default_factory=Tally)
    sightings: Sightings = field(default_factory=Sightings)
    lasting_keys: list[str] = field(default_factory=list)
    """The keys of lasting hashes, once they have been read (services/suppressions.py): they never
    change.
    """

    @property
    def renderer(self) -> Renderer:
        """The mail templates, read when they are first used."""
        return self.make_renderer()

    @property
    def now(self) -> datetime:
        """The moment, by the clock the program was given."""
        return self.clock()


def environment() -> Environment:
    """Return the environment of the current application, for doors."""
    return cast(Environment, current_app.extensions[EXTENSION])
