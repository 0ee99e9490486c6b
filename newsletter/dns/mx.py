"""Which domains take no mail, by DNS: a null MX (RFC 7505), or neither MX nor address.

Asked before a confirmation is sent, never inside a web request. What DNS does not answer in time
may be mailed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait

from newsletter.dns.resolver import CouldNotAsk, DnsResolver, Resolver

JudgeDomains = Callable[[Iterable[str]], dict[str, str]]
"""Names the domains among those given that take no mail, and why."""

ALL_WITHIN = 5.0
"""Seconds for all of a call."""
REMEMBERED_FOR = 3600.0
AT_MOST = 5000
SILENT_AFTER = 3
"""After so many questions in a row that found no DNS at all, none is asked for a while."""
REST = 300.0
"""Seconds for which no DNS is asked then, and for which one domain is left alone that does not
answer.
"""
THREADS = 64
"""Questions at a time: each may wait for a domain that does not answer, and the others must not
wait for it.
"""
KNOWN_TO_ALL = "com"
"""Where not even this exists, DNS knows a closed network and not the world: then no name is
missing.
"""
RESERVED = ("test", "example", "invalid", "localhost", "example.com", "example.net", "example.org")
"""Names of RFC 2606 and 6761: no DNS knows them, and whoever uses them knows what he does."""

NULL = "its domain takes no mail (null MX)"
NOWHERE = "its domain has no mail server"


def accept_all(domains: Iterable[str]) -> dict[str, str]:
    """Find nothing wrong with any domain: where DNS is not to be asked."""
    return {}


class DomainChecker:
    """Asks DNS for several domains at once, and remembers the answers for an hour.

    `resolver` makes what is asked, anew for each domain: it remembers too, and longer than an hour,
    and gives up for all after some silence.
    """

    def __init__(self, resolver: Callable[[], Resolver] = DnsResolver) -> None:
        self._resolver = resolver
        self._known: dict[str, tuple[str, float]] = {}
        self._silent = 0
        self._rest_until = 0.0
        self._lock = threading.Lock()

    def __call__(self, domains: Iterable[str]) -> dict[str, str]:
        now = time.monotonic()
        wanted = {domain for domain in domains if not is_reserved(domain)}
        unknown = [
            domain for domain in sorted(wanted) if self._known.get(domain, ("", 0.0))[1] < now
        ]
        if unknown and now >= self._rest_until:
            self._ask(unknown)
        return {
            domain: self._known[domain][0]
            for domain in wanted
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
            why, silent, good_for = _look_up(domain, self._resolver()), False, REMEMBERED_FOR
        except CouldNotAsk:  # anybody can sign up with a domain whose own name servers are silent
            why, silent, good_for = "", not self._is_there_dns(), REST
        now = time.monotonic()
        with self._lock:
            self._silent = self._silent + 1 if silent else 0
            if self._silent >= SILENT_AFTER:
                self._rest_until = now + REST
            if len(self._known) >= AT_MOST:
                self._known.clear()
            self._known[domain] = why, now + good_for

    def _is_there_dns(self) -> bool:
        """Tell whether DNS answers for a name that everybody knows, asked anew: a resolver gives up
        after some silence.
        """
        try:
            self._resolver()(KNOWN_TO_ALL, "NS")
        except CouldNotAsk:
            return False
        return True


def _look_up(domain: str, ask: Resolver) -> str:
    """Why a domain takes no mail; empty where it does.

    Raises `CouldNotAsk` where nobody knows.
    """
    if found := ask(domain, "MX"):
        return NULL if all(is_null_mx(entry) for entry in found) else ""
    if ask(domain, "A") or ask(domain, "AAAA"):  # RFC 5321 §5.1: without an MX, the address itself
        return ""
    return NOWHERE if ask(KNOWN_TO_ALL, "NS") else ""


def is_null_mx(entry: str) -> bool:
    """Tell whether an MX record, as a `Resolver` gives it, says that no mail is taken (RFC 7505)."""
    return entry.partition(" ")[2].strip(".") == ""


def is_reserved(domain: str) -> bool:
    """Tell whether a domain is a name for examples."""
    return any(domain == name or domain.endswith(f".{name}") for name in RESERVED)
