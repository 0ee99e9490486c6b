"""Filled databases of released versions, one file each, and the program that makes them.

`python -m tests.released.fill` writes the one of this version. It is done once, when the version is
released, and the file is never written again: tests/test_upgrades.py upgrades each to the present.
"""
