"""Poll feeds and keep their entries."""
