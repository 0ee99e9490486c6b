"""Decide who belongs to a segment, and what a letter may say of them."""
