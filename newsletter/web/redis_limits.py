"""Limit requests with counters in Redis, if configured, before the database is used.

Only requests with a visitor's text pass here, never a signed link. The ceilings are as high as the
database's two kinds together, which decide; these keep a flood from getting that far. Where Redis
does not answer, Flask-Limiter logs it once, counts in this process, and tries Redis again after 1,
2, 4 … seconds.
"""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, request

from newsletter.errors import SettingsError, TooMany
from newsletter.services import counters, request_limits
from newsletter.settings import Settings
from newsletter.web.errors import too_many

ENTRANCES = frozenset(
    {
        "signup.subscribe",
        "signup.subscribe_in_frame",
        "subscriber_links.link",
        "author_log_in.ask",
        "author_log_in.code",
    }
)
PATIENCE = 0.25
"""Seconds after which Redis counts as unavailable."""


def install(app: Flask, settings: Settings) -> None:
    """Register the limits with the application, if Redis is configured.

    Connects to nothing. Raises `SettingsError`.
    """
    if settings.web.redis is None:
        return
    try:
        from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise SettingsError(
            ['web.redis: needs libraries that are not installed; pip install "newsletter[redis]"']
        ) from None
    ceilings = settings.signup
    factor = 1 + ceilings.proven_factor
    options: dict[str, Any] = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    options["retry"] = Retry(NoBackoff(), 0)
    Limiter(
        key_func=_name_address,
        app=app,
        application_limits=[
            ApplicationLimit(
                limit_provider=f"{most * factor}/hour",
                key_function=place,
                exempt_when=_is_elsewhere,
            )
            for place, most in (
                (_name_address, ceilings.per_ip),
                (_name_network, ceilings.per_network),
            )
        ],
        storage_uri=settings.web.redis.get_secret_value(),
        storage_options=options,
        in_memory_fallback_enabled=True,
        swallow_errors=True,
        key_prefix="newsletter",
    )
    app.register_error_handler(RateLimitExceeded, _answer_limited)
    logging.getLogger("flask-limiter").addFilter(_is_worth_logging)


def _is_elsewhere() -> bool:
    return request.method != "POST" or request.endpoint not in ENTRANCES


def _name_address() -> str:
    return request_limits.name_networks(request.remote_addr or "")[0]


def _name_network() -> str:
    return f"net {request_limits.name_networks(request.remote_addr or '')[1]}"


def _answer_limited(error: object) -> Response:
    return too_many(TooMany("too many requests from one place", retry_after=counters.HOUR))


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Filter log records: drop tracebacks of waiting for Redis, and lines with addresses.

    The line that Redis does not answer is logged once by then.
    """
    return "Swallowing" not in record.msg and "exceeded at endpoint" not in record.msg
