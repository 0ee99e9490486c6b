"""Find domains that accept no mail: a null MX (RFC 7505), or neither MX nor address.

This is checked before a confirmation is sent, never inside a web request. A domain for which DNS
does not answer in time may be mailed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait

from newsletter.dns.resolver import CouldNotAsk, DnsResolver, RecordKind, Resolver

JudgeDomains = Callable[[Iterable[str]], dict[str, str]]
"""A function that maps each domain that accepts no mail to the reason."""

ALL_WITHIN = 5.0
"""Seconds for checking all domains of one call."""
REMEMBERED_FOR = 3600.0
"""Seconds for which an answer about a domain is cached."""
AT_MOST = 5000
"""Maximum number of cached domains, to bound memory."""
SILENT_AFTER = 3
"""Consecutive queries without an answer after which DNS is not queried for `REST` seconds."""
REST = 300.0
"""Seconds without queries after DNS, or the servers of one domain, did not answer."""
THREADS = 64
"""Concurrent queries, so that silent domains do not delay others."""
KNOWN_TO_ALL = "com"
"""A name in public DNS: where it cannot be resolved (a closed network), a missing name proves
nothing."""
RESERVED = ("test", "example", "invalid", "localhost", "example.com", "example.net", "example.org")
"""Domains reserved for tests and examples (RFC 2606, RFC 6761), which DNS does not know."""

NULL = "its domain accepts no mail (null MX)"
NOWHERE = "its domain has no mail server"


def accept_all(domains: Iterable[str]) -> dict[str, str]:
    """Accept every domain without querying DNS."""
    return {}


class DomainChecker:
    """A checker of several domains at once that remembers answers for an hour.

    `resolver` creates a resolver for each domain, because after some unanswered queries a resolver
    sends no more, whatever the domain.
    """

    def __init__(self, resolver: Callable[[], Resolver] = DnsResolver) -> None:
        self._resolver = resolver
        self._known: dict[str, tuple[str, float]] = {}
        self._silent = 0
        self._rest_until = 0.0
        self._lock = threading.Lock()

    def __call__(self, domains: Iterable[str]) -> dict[str, str]:
        now = time.monotonic()
        checked = {domain for domain in domains if not is_reserved(domain)}
        unknown = [
            domain for domain in sorted(checked) if self._known.get(domain, ("", 0.0))[1] < now
        ]
        if unknown and now >= self._rest_until:
            self._ask(unknown)
        return {
            domain: self._known[domain][0]
            for domain in checked
            if self._known.get(domain, ("", 0.0))[0]
        }

    def _ask(self, domains: list[str]) -> None:
        pool = ThreadPoolExecutor(min(THREADS, len(domains)), thread_name_prefix="dns")
        try:
            wait([pool.submit(self._learn, domain) for domain in domains], timeout=ALL_WITHIN)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _learn(self, domain: str) -> None:
        try:
            why = _look_up(domain, self._resolver())
            silent = False
            seconds = REMEMBERED_FOR
        except CouldNotAsk:  # anybody can sign up with a domain whose name servers are silent
            why = ""
            silent = not self._is_there_dns()
            seconds = REST
        now = time.monotonic()
        with self._lock:
            self._silent = self._silent + 1 if silent else 0
            if self._silent >= SILENT_AFTER:
                self._rest_until = now + REST
            if len(self._known) >= AT_MOST:
                self._known.clear()
            self._known[domain] = (why, now + seconds)

    def _is_there_dns(self) -> bool:
        """Tell whether DNS answers for a well-known name, asked with a new resolver."""
        try:
            self._resolver()(KNOWN_TO_ALL, RecordKind.NS)
        except CouldNotAsk:
            return False
        return True


def _look_up(domain: str, ask: Resolver) -> str:
    """Return the reason why a domain accepts no mail, or "" if it does.

    Raises `CouldNotAsk` if DNS does not answer.
    """
    if records := ask(domain, RecordKind.MX):
        return NULL if all(is_null_mx(entry) for entry in records) else ""
    # Without an MX, mail goes to the address of the domain itself (RFC 5321 section 5.1).
    if ask(domain, RecordKind.A) or ask(domain, RecordKind.AAAA):
        return ""
    return NOWHERE if ask(KNOWN_TO_ALL, RecordKind.NS) else ""


def is_null_mx(entry: str) -> bool:
    """Tell whether an MX record, as a `Resolver` returns it, is a null MX (RFC 7505)."""
    return entry.partition(" ")[2].strip(".") == ""


def is_reserved(domain: str) -> bool:
    """Tell whether a domain is reserved for tests and examples."""
    return any(domain == name or domain.endswith(f".{name}") for name in RESERVED)
