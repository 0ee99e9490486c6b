"""The time that a test waits for what must come."""

PATIENCE = 300.0
"""Seconds. A machine that runs other tests meanwhile is slow, and what does not come is a fault
whenever it is noticed. A wait that says something about the program has a figure of its own."""
