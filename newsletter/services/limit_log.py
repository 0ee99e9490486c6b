"""Log reached ceilings once a minute, and store them for `doctor` and `status`.

Behind it may be a flood, or a ceiling that is too low for a day of fame: the author may want to
know.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from newsletter.db.session import reading
from newsletter.logs import name_event
from newsletter.models import Counter
from newsletter.services.runtime import Environment
from newsletter.services.tally import Throttled

log = logging.getLogger("newsletter.web")

SIGN_UP = frozenset({"signup.subscribe", "signup.subscribe_in_frame"})
_lines = Throttled(60.0)


def note_limit(env: Environment, endpoint: str) -> None:
    """Count a refused request, and log its ceiling."""
    kind = "limited" if endpoint in SIGN_UP else "limited-elsewhere"
    env.tally.count("signups", kind)
    if _lines.is_due():
        log.warning(
            "a ceiling of requests is reached at %s; [signup] in the settings sets it",
            endpoint,
            extra=name_event("limit"),
        )


def find_reached_ceilings(env: Environment) -> list[str]:
    """List the ceilings over all visitors that were reached within a day."""
    settings = env.settings.signup
    most = {
        "list": ("signup.per_list", settings.per_list),
        "overall": ("signup.overall", settings.overall),
    }
    reached = set()
    for name, count in _read_highest_counts(env.now - timedelta(days=1)):
        setting, ceiling = most[name.split("/")[1]]
        if count >= ceiling:
            reached.add(f"{setting} = {ceiling}")
    return sorted(reached)


def _read_highest_counts(since: datetime) -> Sequence[tuple[str, int]]:
    """Read the highest count of each counter over all visitors."""
    query = (
        select(Counter.name, func.max(Counter.count))
        .where(
            Counter.starts_at >= int(since.timestamp()),
            Counter.name.startswith("signup/list/") | (Counter.name == "signup/overall"),
        )
        .group_by(Counter.name)
    )
    with reading() as session:
        return [(name, count) for name, count in session.execute(query)]
