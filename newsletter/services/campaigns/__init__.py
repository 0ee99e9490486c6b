"""Campaigns after they exist: identify, report, pause, archive, explain."""
