"""Import and export subscribers."""
