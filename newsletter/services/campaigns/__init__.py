"""Campaigns: identify, report, pause, archive and explain them."""
