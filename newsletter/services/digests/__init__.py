"""Digests: when they are due, who receives what, how they look."""
