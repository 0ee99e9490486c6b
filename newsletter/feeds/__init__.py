"""Discover, fetch and parse feeds, without a database."""
