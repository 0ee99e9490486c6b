"""Sign up with double opt-in: forms, ceilings, confirmation."""
