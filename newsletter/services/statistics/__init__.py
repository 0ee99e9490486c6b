"""Statistics without watching anybody: totals by day, and what they say."""
