"""Process returned mail: bounces, complaints, unsubscribes by mail, and replies."""
