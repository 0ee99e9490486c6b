"""Subscriber files: those of other programs read, our own written.

Knows no database.
"""
