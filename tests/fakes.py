"""One scriptable fake at each outside edge: the clock, the fetcher, the transport.

Nothing inside is ever faked.
"""

from __future__ import annotations

import email
import email.policy
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from newsletter.dns.resolver import CouldNotAsk, RecordKind
from newsletter.errors import FeedUnavailable
from newsletter.feeds.fetch import Fetched
from newsletter.mail.smtp.types import Outcome, Outgoing, Pull, Records, Reply

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, by: timedelta) -> None:
        self.now += by


class FakeFetch:
    """Answers by URL: bytes, a `Fetched`, an exception, or a function of (etag, last_modified)."""

    def __init__(self) -> None:
        self.pages: dict[str, object] = {}
        self.requests: list[tuple[str, str | None, str | None]] = []
        self._lock = threading.Lock()

    def __call__(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> Fetched:
        with self._lock:
            self.requests.append((url, etag, last_modified))
        page = self.pages.get(url, FeedUnavailable(url, "404 Not Found", status=404))
        if callable(page) and not isinstance(page, type):
            page = page(etag, last_modified)
        if isinstance(page, Exception):
            raise page
        if isinstance(page, Fetched):
            return page
        assert isinstance(page, bytes)
        return Fetched(
            url=url,
            status=200,
            body=page,
            content_type="application/xml",
            etag=None,
            last_modified=None,
            permanent_url=None,
            max_age=None,
            retry_after=None,
        )


@dataclass
class FakeDns:
    """A name server: answers by (name, kind), with nothing where nothing was said.

    `silent`: nobody answers.
    """

    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    questions: list[tuple[str, str]] = field(default_factory=list)
    silent: bool = False

    def __call__(self, name: str, kind: RecordKind) -> list[str]:
        self.questions.append((name, kind))
        if self.silent:
            raise CouldNotAsk("no name server answered")
        return self.records.get((name, kind), [])


ACCEPTED = Reply(250, "2.0.0", "Ok")


@dataclass
class Sink:
    """A transport that keeps what it is given.

    `script` may answer for an `Outgoing` with an `Outcome` of its own. `others`: whether there is
    another server beside the one that `rest` names.
    """

    accepted: list[Outgoing] = field(default_factory=list)
    script: Callable[[Outgoing], Outcome | Exception | None] = lambda outgoing: None
    group: int = 4
    rested: list[str] = field(default_factory=list)
    others: bool = False

    def deliver(
        self, pull: Pull, records: Records | None = None
    ) -> Generator[list[Outcome], None, None]:
        outcomes: list[Outcome] = []
        while (outgoing := pull()) is not None:
            if isinstance(outgoing, Outgoing):
                outcomes.append(self._take(outgoing))
            if outcomes and (len(outcomes) >= self.group or not isinstance(outgoing, Outgoing)):
                yield outcomes
                outcomes = []
        if outcomes:
            yield outcomes

    def rest(self, server: str, why: str) -> bool:
        self.rested.append(server)
        return self.others

    def _take(self, outgoing: Outgoing) -> Outcome:
        answer = self.script(outgoing)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        self.accepted.append(outgoing)
        return Outcome(outgoing.id, "accepted", "END", ACCEPTED, "sink")

    @property
    def messages(self) -> list[EmailMessage]:
        """Return what was accepted, parsed."""
        return [parsed(outgoing.data) for outgoing in self.accepted]

    def to(self, address: str) -> list[EmailMessage]:
        """Return what one recipient got."""
        return [
            parsed(outgoing.data) for outgoing in self.accepted if outgoing.recipient == address
        ]


def parsed(data: bytes) -> EmailMessage:
    """Return a message as a mail program reads it."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str = "plain") -> str:
    """Return the text of its plain or html part."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")
