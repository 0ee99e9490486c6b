"""Import and export subscribers as files."""
