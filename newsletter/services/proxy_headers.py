"""Detect reverse proxies that are missing from the settings.

Without `web.trusted_proxies` all visitors behind a proxy seem to come from its address, and share
one ceiling of sign-ups. The pages see such a proxy; `doctor`, in another process, asks here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address

from sqlalchemy import exists, select

from newsletter.db.session import reading, transaction
from newsletter.i18n import Text
from newsletter.logs import name_event
from newsletter.models import Counter
from newsletter.services import counters
from newsletter.services.checks import BAD, Check
from newsletter.services.runtime import Environment

log = logging.getLogger("newsletter.web")

NAME = "proxy/ignored"
REMEMBERED_FOR = timedelta(days=2)
"""Time for which `doctor` reports a detected proxy."""
HINT = Text(
    "set trusted_proxies = 1 under [web] (or NEWSLETTER_WEB__TRUSTED_PROXIES=1): "
    "the number of proxies between visitors and this program"
)
WHAT = Text("requests come through a proxy on this machine, and web.trusted_proxies is 0")
NO_HEADER = "proxy/headerless"
HEADERLESS = Text(
    "sign-ups come from this machine itself: the proxy in front does not say for whom"
)
HEADERLESS_HINT = Text(
    "let it set X-Forwarded-For (`newsletter proxy nginx` or `caddy` prints a site that does)"
)
WHY = Text("all visitors share one address, so that one of them uses up the ceiling of all")


def is_ignored_proxy(env: Environment, address: str, forwarded_for: str) -> bool:
    """Tell whether a request came through an untrusted proxy on this machine."""
    if env.settings.web.trusted_proxies or not forwarded_for:
        return False
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def is_headerless_proxy(env: Environment, address: str, forwarded_for: str) -> bool:
    """Tell whether a request under https comes from this machine: a proxy sends no headers."""
    if forwarded_for or not env.settings.base_url.startswith("https://"):
        return False
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def record_headerless_proxy(env: Environment) -> None:
    """Log a proxy that sends no forwarded headers, and record it for `doctor`."""
    log.warning("%s: %s; %s", HEADERLESS, WHY, HEADERLESS_HINT, extra=name_event("proxy"))
    with transaction() as session:
        counters.increment(session, NO_HEADER, now=int(env.now.timestamp()), seconds=counters.HOUR)


def record_ignored_proxy(env: Environment) -> None:
    """Log an untrusted proxy, and record it for `doctor`."""
    log.warning("%s: %s; %s", WHAT, WHY, HINT, extra=name_event("proxy"))
    with transaction() as session:
        counters.increment(session, NAME, now=int(env.now.timestamp()), seconds=counters.HOUR)


def check_proxy(env: Environment) -> Iterator[Check]:
    """Check for `doctor` that every detected proxy is trusted."""
    if has_ignored_proxy(env):
        yield Check("proxy", BAD, WHAT, HINT, WHY)
    if _was_recorded(env, NO_HEADER):
        yield Check("proxy_header", BAD, HEADERLESS, HEADERLESS_HINT, WHY)


def has_ignored_proxy(env: Environment) -> bool:
    """Tell whether a request came through an untrusted proxy recently."""
    if env.settings.web.trusted_proxies:
        return False
    return _was_recorded(env, NAME)


def _was_recorded(env: Environment, name: str) -> bool:
    since = int((env.now - REMEMBERED_FOR).timestamp())
    with reading() as session:
        return bool(
            session.scalar(select(exists().where(Counter.name == name, Counter.starts_at >= since)))
        )
