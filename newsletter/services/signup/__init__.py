"""Sign-up with double opt-in: forms, rate limits, confirmation."""
