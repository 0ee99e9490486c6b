"""Check and run the author's Jinja in letters, and turn its values into slots."""
