"""Explain the limits of each figure."""

from __future__ import annotations

from newsletter.i18n import Text

CAVEATS: dict[str, Text] = {
    "subscribers": Text(
        "Each day's number is counted back from today's. "
        "Who was imported as gone already did not leave here."
    ),
    "sign_ups": Text(
        "Whoever confirms in this time may have asked before it. "
        "A page is what the browser says it came from; some say nothing."
    ),
    "reasons": Text("Only those who chose a reason after leaving are counted."),
    "accepted": Text(
        "Accepted means that a mail server took it; nobody knows whether it was read."
    ),
    "deferred": Text(
        "Who was deferred counts once more as accepted or refused in the end. "
        "A process that is killed forgets up to a minute of deferrals in the plot."
    ),
    "bounced": Text("Servers that return nothing, or return it without a trace, are not counted."),
    "complained": Text("Most providers, Gmail among them, report no single complaint."),
    "unsubscribed": Text(
        "Left by a link of a mail within seven days, counted for the last campaign before; "
        "which mail the link stood in is not known. Who came back counts too."
    ),
    "slower": Text("Changed to a slower cadence within seven days, counted in the same way."),
    "replied": Text("Only replies that come to the mailbox of returned mail are seen."),
    "views": Text(
        "Views of the page in the archive, not people: robots are left out by name alone, "
        "and what a cache answers is not seen."
    ),
    "files": Text("Fetched files, not people: whoever fetches one twice counts twice."),
    "feed_readers": Text("The numbers that fetchers of the archive's feed give of themselves."),
    "languages": Text("Counted once an hour. Without a language of their own: the list's."),
}
"""The limits of each figure, by its name in `--json`."""
NEVER = Text("Openings and clicks are not counted: nothing watches a subscriber.")
