"""Subscribers and their subscriptions: what they and the author change."""
