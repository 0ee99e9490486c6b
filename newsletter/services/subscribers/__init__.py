"""Manage subscribers and their subscriptions, for them and for the author."""
