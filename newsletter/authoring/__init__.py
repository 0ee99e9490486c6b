"""The author's letter file: front matter, Markdown, images, segment, moments.

Pure.
"""
