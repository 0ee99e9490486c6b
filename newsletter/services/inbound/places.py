"""Decide which slow client of the listener must give way to a new one. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Client = TypeVar("Client", bound=Hashable)

SLOW_BELOW = 100 * 1024
"""Bytes a second below which a client counts as slow; it is on the same machine."""

SLOW_AFTER = 2.0
"""Seconds before the speed of a client is measured."""

LONG_AFTER = 60.0
"""Seconds after which any client must give way, however fast it is."""


@dataclass(slots=True)
class Place:
    """The place of a client that is sending a mail since `begun` (in seconds).

    Once the whole mail is there it is `complete`, and nobody takes its place.
    """

    begun: float
    size: int = 0
    complete: bool = False

    def measure_speed(self, now: float) -> float:
        """Return the bytes received per second."""
        return self.size / max(now - self.begun, 0.001)

    def may_be_taken(self, now: float) -> bool:
        """Tell whether the client must give way to a waiting one."""
        age = now - self.begun
        is_slow = age >= SLOW_AFTER and self.measure_speed(now) < SLOW_BELOW
        return not self.complete and (is_slow or age >= LONG_AFTER)


class Places(Generic[Client]):
    """The places for mails received at the same time, at most `at_most`."""

    def __init__(self, at_most: int) -> None:
        self.at_most = at_most
        self._taken: dict[Client, Place] = {}

    def take(self, client: Client, now: float) -> tuple[Place | None, Client | None]:
        """Give a client a place, and return the client that it was taken from.

        None stands for no place: all others are as good. Of those that are not, the slowest goes.
        """
        gone = None
        if len(self._taken) >= self.at_most:
            slow = [one for one, place in self._taken.items() if place.may_be_taken(now)]
            if not slow:
                return None, None
            gone = min(slow, key=lambda one: self._taken[one].measure_speed(now))
            del self._taken[gone]
        place = self._taken[client] = Place(now)
        return place, gone

    def has(self, client: Client) -> bool:
        """Tell whether a client has a place."""
        return client in self._taken

    def leave(self, client: Client) -> None:
        """Release a client's place, if it still has one."""
        self._taken.pop(client, None)
