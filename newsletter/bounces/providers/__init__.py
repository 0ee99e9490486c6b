"""Verify and parse the reports of mail providers over HTTP.

Pure.
"""
