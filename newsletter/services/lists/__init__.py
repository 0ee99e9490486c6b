"""Mailing lists, their topics and digest options."""
