"""Poll feeds, and store and manage their entries."""
