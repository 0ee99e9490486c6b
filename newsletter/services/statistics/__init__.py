"""Statistics without tracking: totals by day."""
