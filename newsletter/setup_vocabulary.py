"""Enums of set-up: verdicts of checks, keys, snippets, logs; see vocabulary.py."""

from __future__ import annotations

from enum import StrEnum


class CheckVerdict(StrEnum):
    """The verdict of a check of `doctor` or of a letter's preflight."""

    BAD = "bad"
    """It must be fixed; a letter is not sent."""
    WARN = "warn"
    """It should be looked at."""
    UNKNOWN = "unknown"
    """It could not be examined."""
    GOOD = "good"


class KeyKind(StrEnum):
    """The algorithm of a DKIM key, as DNS names it (RFC 6376 section 3.6.1, RFC 8463 section 4)."""

    RSA = "rsa"
    ED25519 = "ed25519"


class EmbedKind(StrEnum):
    """The kind of snippet that an author pastes into a blog."""

    FORM = "form"
    """Plain HTML."""
    SCRIPT = "script"
    """HTML with a script that answers in place."""
    IFRAME = "iframe"
    LINK = "link"


class LogFormat(StrEnum):
    """The format of log lines."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The lowest level of messages that are logged, as written in the setting."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
