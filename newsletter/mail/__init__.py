"""Render, compile, sign and send messages, without a database."""
