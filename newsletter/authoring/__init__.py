"""Parse an author's letter: its settings, Markdown, pictures, recipients and sending time.

Pure.
"""
