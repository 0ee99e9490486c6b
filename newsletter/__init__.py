"""A newsletter for a blog: sign-up, digests from its feeds, letters, one-click unsubscribe."""

__version__ = "0.1.0"
