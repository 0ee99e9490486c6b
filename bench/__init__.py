"""Measure speed and memory beside other programs.

`make bench` prints the tables that docs/performance.md keeps.
"""
