"""Verify and parse webhook reports of mail providers.

Pure.
"""
