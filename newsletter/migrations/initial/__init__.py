"""The tables of `migrations/versions/0001_initial.py`, a module for each theme."""
