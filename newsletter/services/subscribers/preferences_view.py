"""The content of the page of preferences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.services.subscribers.own_answers import OwnAnswer
from newsletter.vocabulary import Cadence, SubscriptionStatus


@dataclass(frozen=True, slots=True)
class TopicChoice:
    """A topic of a list, and whether the subscriber has chosen it."""

    name: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A list on the page: one that is subscribed to, was, or could be (`status` is None).

    `paused_until` is a date or None; `topics` are empty if the list has none.
    """

    slug: str
    title: str
    language: str
    status: SubscriptionStatus | None
    cadence: Cadence
    cadences: tuple[Cadence, ...]
    paused_until: datetime | None
    topics: tuple[TopicChoice, ...]
    answers: tuple[OwnAnswer, ...]


@dataclass(frozen=True, slots=True)
class Preferences:
    """Data types of the page of preferences.

    The address is masked: a forwarded mail must not give it away. `opens_account` tells that the
    link opens the account; otherwise there is one choice, and `name` and `new_masked` are empty.
    `new_masked` is an address that waits to be confirmed.
    """

    masked: str
    name: str
    language: str
    list_language: str
    choices: tuple[Choice, ...]
    opens_account: bool
    new_masked: str
