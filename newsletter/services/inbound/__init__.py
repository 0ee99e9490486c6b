"""Everything that comes back: bounces, complaints, unsubscribes by mail, replies, and what follows
from them.
"""
