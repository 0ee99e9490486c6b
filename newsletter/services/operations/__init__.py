"""Operate an installation: set up, check, back up, restore, clean up."""
