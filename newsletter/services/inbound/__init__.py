"""Process mail that comes back: bounces, complaints, unsubscribes by mail, and replies."""
