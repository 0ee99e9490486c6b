"""Read what mail providers report over HTTP: verify it by each one's scheme, and say what it means.

Pure.
"""
