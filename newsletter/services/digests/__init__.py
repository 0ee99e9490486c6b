"""Digests: schedule, select, compose, render, review and explain them."""
