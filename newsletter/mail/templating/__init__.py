"""Check and run the author's Jinja in letters, and turn its expressions into slots."""
