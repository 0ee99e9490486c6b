"""Run an installation: set up, check, back up, clean up."""
