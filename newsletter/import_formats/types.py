"""Types of parsed rows of subscriber files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from newsletter.import_formats.vocabulary import StatusWord


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A piece of evidence of consent, as a file exported by this program holds it.

    `wording` is the text that was agreed to.
    """

    kind: str
    at: datetime
    source: str = ""
    form: str = ""
    page: str = ""
    ip: str = ""
    user_agent: str = ""
    message_id: str = ""
    note: str = ""
    wording: str = ""


@dataclass(frozen=True, slots=True)
class SubscriberRow:
    """A parsed row of a subscriber file.

    `consented_at` is when the subscriber signed up or confirmed, if the row tells; `left_at` is
    when they unsubscribed. `source` and `note` are evidence to keep with their consent; `status` is
    the status text that was not understood. `extra` is the number of cells after the last column.
    `ours`: the row is from a file that this program exported; then `since` is when the address
    became known, and `events` is its whole record of consent.
    """

    line: int
    email: str
    word: StatusWord = StatusWord.SILENT
    name: str = ""
    created_at: datetime | None = None
    consented_at: datetime | None = None
    left_at: datetime | None = None
    ip: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    source: str = "import"
    status: str = ""
    list: str = ""
    cadence: str = ""
    language: str = ""
    paused_until: datetime | None = None
    since: datetime | None = None
    suppressed: str = ""
    suppressed_at: datetime | None = None
    suppressed_note: str = ""
    suppressed_hash: str = ""
    hash_keys: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    answers: dict[str, Any] = field(default_factory=dict)
    events: tuple[ConsentRecord, ...] = ()
    ours: bool = False
    extra: int = 0
