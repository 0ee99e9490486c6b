"""Letters and series: drafts, checks, rendering, sending."""
