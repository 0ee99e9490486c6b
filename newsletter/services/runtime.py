"""The environment passed to services: settings, clock, and clients for the outside world.

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
    """Return the system's time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Environment:
    """The settings, clock and clients that every service gets as its argument.

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
        """The renderer of mail templates, created at first use."""
        return self.make_renderer()

    @property
    def now(self) -> datetime:
        """The current time, by the configured clock."""
        return self.clock()


def environment() -> Environment:
    """Return the environment of the current application, for web pages and commands."""
    return cast(Environment, current_app.extensions[EXTENSION])
