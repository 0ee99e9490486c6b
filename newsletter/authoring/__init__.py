"""Read an author's letter file: header lines, Markdown, pictures, recipients, sending time.

Pure.
"""
