"""Add up what is noted for the statistics, as the worker does in its own time."""

from __future__ import annotations

from newsletter.services import figures


def fold_all() -> int:
    """Add up everything that is noted; return how many notes there were."""
    total = 0
    while folded := figures.fold():
        total += folded
    return total
