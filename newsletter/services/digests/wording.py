"""Format numbers, times and enumerations for the explanations of digests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from newsletter.i18n import Text


def count_entries(count: int) -> str:
    """Return "1 entry" or "3 entries"."""
    return "1 entry" if count == 1 else f"{count:,} entries"


def count_subscribers(count: int, kind: str = "") -> str:
    """Return "1 subscriber" or "3 subscribers", with a `kind` such as "instant" between."""
    noun = "subscriber" if count == 1 else "subscribers"
    return " ".join(filter(None, (f"{count:,}", kind, noun)))


def join_words(words: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def format_moment(moment: datetime, zone: tzinfo) -> str:
    """Format a moment of the near past or future, like "Mon 07 Dec, 08:00"."""
    return f"{moment.astimezone(zone):%a %d %b, %H:%M}"


def say_new(entries: int, subscribers: int, total: int, *, cut: bool) -> Text:
    """Describe how many entries are new for how many subscribers of a cadence, or more (`cut`)."""
    count: str = f"{subscribers:,}"
    if cut:
        count = Text("at least %(count)s", count=count)
    if total == 1:
        return Text("%(new)d new for %(count)s of 1 subscriber", new=entries, count=count)
    return Text(
        "%(new)d new for %(count)s of %(total)s subscribers",
        new=entries,
        count=count,
        total=f"{total:,}",
    )


def say_nothing_new(total: int) -> Text:
    """Describe that there is nothing new for a cadence's subscribers."""
    if total == 1:
        return Text("nothing goes out: nothing new for 1 subscriber")
    return Text("nothing goes out: nothing new for %(total)s subscribers", total=f"{total:,}")


def say_corrections(clock: str, verdict: Text) -> Text:
    """Describe the wait for corrections, until a time of day ("" for unknown), and what follows."""
    if not clock:
        return Text("waits for corrections: %(verdict)s", verdict=verdict)
    return Text("waits for corrections until %(clock)s: %(verdict)s", clock=clock, verdict=verdict)
