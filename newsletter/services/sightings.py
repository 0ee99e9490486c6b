"""Count in memory what is seen too often to write it down each time; written once a minute.

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
"""Figures that are told apart between two times of writing; others are not counted."""
Key = tuple[int, int, datetime, Figure, str]


class Sightings:
    """Numbers of this process since they were last taken. Any thread may count."""

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()
        self._lock = threading.Lock()

    def count(self, row: Counted) -> None:
        """Count so many more of a figure; of a state, the number takes the place of the last."""
        key = (row.list_id, row.campaign_id, figures.cut(row.at), row.figure, row.name)
        with self._lock:
            if key not in self._counts and not self._has_room(row.figure):
                return
            if row.figure.is_state:
                self._counts[key] = row.count
            else:
                self._counts[key] += row.count

    def _has_room(self, figure: Figure) -> bool:
        """Tell whether one more can be told apart; names that visitors give take little of it."""
        if figure in figures.BY_VISITORS:
            known = sum(key[3] is figure for key in self._counts)
            return known < figures.NAMES_A_DAY
        return len(self._counts) < AT_MOST

    def take(self) -> list[Counted]:
        """Return the numbers and begin anew."""
        with self._lock:
            counts = dict(self._counts)
            self._counts.clear()
        return [
            Counted(list_id, figure, at, name, count, campaign_id)
            for (list_id, campaign_id, at, figure, name), count in counts.items()
        ]


def write_sightings(sightings: Sightings) -> None:
    """Record what this process has seen; keep it where that fails."""
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
