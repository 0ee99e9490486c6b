"""HTML that others wrote: make it safe for mail, shorten it, turn it into text.

Pure.
"""
