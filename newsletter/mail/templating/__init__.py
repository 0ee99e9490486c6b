"""The author's Jinja in letters: what it may say, and how its values become slots."""
