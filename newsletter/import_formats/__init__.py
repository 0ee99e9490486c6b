"""Read subscriber files that other programs export, and read and write our own.

Knows no database.
"""
