"""Count frequent events in memory, and write the counts to the database once a minute.

Views of the archive, files that were fetched, refusals for now: a killed process loses a minute of
them. The counts of several processes add up. Nothing of who was seen is kept.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime

from newsletter.db.session import transaction
from newsletter.errors import DatabaseError
from newsletter.services import figures
from newsletter.services.figures import Counted
from newsletter.statistics_vocabulary import Figure

AT_MOST = 2000
"""Different figures counted between two writes; further ones are not counted."""
Key = tuple[int, int, datetime, Figure, str]


class Sightings:
    """Thread-safe counts of this process since they were last taken."""

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()
        self._lock = threading.Lock()

    def count(self, row: Counted) -> None:
        """Add to a figure; the number of a state replaces the earlier one."""
        key = (row.list_id, row.campaign_id, figures.cut(row.at), row.figure, row.name)
        with self._lock:
            if key not in self._counts and not self._has_room(row.figure):
                return
            if row.figure.is_state:
                self._counts[key] = row.count
            else:
                self._counts[key] += row.count

    def _has_room(self, figure: Figure) -> bool:
        """Tell whether another figure can be counted; names from visitors have a small share."""
        if figure in figures.BY_VISITORS:
            known = sum(key[3] is figure for key in self._counts)
            return known < figures.NAMES_A_DAY
        return len(self._counts) < AT_MOST

    def take(self) -> list[Counted]:
        """Return the counts and reset them."""
        with self._lock:
            counts = dict(self._counts)
            self._counts.clear()
        return [
            Counted(list_id, figure, at, name, count, campaign_id)
            for (list_id, campaign_id, at, figure, name), count in counts.items()
        ]


def write_sightings(sightings: Sightings) -> None:
    """Write the counts of this process to the database; keep them if that fails."""
    rows = sightings.take()
    if not rows:
        return
    try:
        with transaction() as session:
            figures.note(session, figures.drop_removed(session, rows))
    except DatabaseError:
        for row in rows:
            sightings.count(row)
        raise
