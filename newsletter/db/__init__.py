"""The database engine, its column types, and the one way to write.

Knows no table.
"""
