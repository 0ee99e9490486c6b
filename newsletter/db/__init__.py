"""The database layer: engine, transactions, column types, locks, notifications.

Knows no table.
"""
