"""Prevent requests to URLs that strangers chose from reaching private networks.

For every connection, all addresses that the host resolves to are checked, and the connection is
made to a checked address.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError

from newsletter.errors import FeedForbidden
from newsletter.feeds.deadline import Deadline, run_in_thread
from newsletter.i18n import Text

# It warns of broken headers with the address, which may hold a key, and all that was received.
logging.getLogger("urllib3").setLevel(logging.ERROR)

_NOT_PUBLIC = [
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3ffe::/16",
        "3fff::/20",
    )
]
"""Networks in IANA's special-purpose registries (RFC 6890 and later) inside the public address
space. Python's `is_global` depends on its version and lets some of them pass."""
_GLOBAL_UNICAST = ip_network("2000::/3")
"""The only IPv6 space from which addresses are assigned on the public internet (RFC 4291 section
2.4).
"""

Resolve = Callable[..., list[tuple[Any, ...]]]
Connect = Callable[..., socket.socket]
"""A function that opens a connection (`socket.create_connection`); `Resolve` is one that queries
the DNS (`socket.getaddrinfo`)."""


def is_public(address: str) -> bool:
    """Tell whether an IP address can be reached from the public internet."""
    ip = ip_address(address.split("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if (
        not ip.is_global
        or ip.is_multicast
        or (isinstance(ip, IPv6Address) and ip not in _GLOBAL_UNICAST)
    ):
        return False
    return not any(ip.version == network.version and ip in network for network in _NOT_PUBLIC)


def require_usual(url: str, *, any_port: bool) -> None:
    """Refuse a stranger's URL with an unusual scheme, a password, or an unusual port.

    Raises `FeedForbidden`.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FeedForbidden(url[:200], Text("not a web address")) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FeedForbidden(url[:200], Text("only http:// and https:// addresses are read"))
    if parts.username is not None:
        raise FeedForbidden(parts.hostname, Text("addresses with a user or password are not read"))
    if port not in (None, 80, 443) and not any_port:
        raise FeedForbidden(url[:200], Text("only the web's usual ports are read"))


class PrivateAddress(OSError):
    """A host name that resolves to a private address."""


class _GuardedConnection:
    """Mixin for urllib3 connections that checks every IP address of a host.

    It resolves the host once and connects to the first of two addresses that answers.
    """

    host: str
    port: int
    _dns_host: str
    resolve: Resolve
    connect_to: Connect
    allow_private: bool
    connect_timeout: float
    deadline: Deadline

    def _new_conn(self) -> socket.socket:
        addresses = self._resolve_addresses()
        if not addresses or not (
            self.allow_private or all(is_public(address) for address in addresses)
        ):
            raise PrivateAddress
        for address in addresses[:2]:
            timeout = min(self.connect_timeout, self.deadline.get_seconds_left())
            try:
                connection = self.connect_to((address, self.port), timeout=timeout)
            except OSError as error:
                failure = error
                continue
            self.deadline.watch(connection)
            return connection
        raise failure

    def _resolve_addresses(self) -> list[str]:
        """Resolve the host in a thread that can be abandoned, as resolvers have no deadline."""
        host = self._dns_host.strip("[]")
        answer = run_in_thread(self.resolve, host, self.port, 0, socket.SOCK_STREAM)
        try:
            resolved = answer.result(timeout=self.deadline.get_seconds_left())
        except TimeoutError:
            raise
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from None  # type: ignore[arg-type]
        return list(dict.fromkeys(info[4][0] for info in resolved))


def build_guarded_pools(
    tls: ssl.SSLContext,
    deadline: Deadline,
    connect_timeout: float,
    *,
    resolve: Resolve,
    connect: Connect,
    allow_private: bool,
) -> urllib3.PoolManager:
    """Build a urllib3 manager with guarded connections, which `deadline` watches."""
    guard = {
        "resolve": staticmethod(resolve),
        "connect_to": staticmethod(connect),
        "allow_private": allow_private,
        "connect_timeout": connect_timeout,
        "deadline": deadline,
    }
    plain = type("GuardedHTTP", (_GuardedConnection, HTTPConnection), guard)
    secure = type("GuardedHTTPS", (_GuardedConnection, HTTPSConnection), guard)
    manager = urllib3.PoolManager(num_pools=2, ssl_context=tls)
    manager.pool_classes_by_scheme = {
        "http": type("HTTP", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("HTTPS", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
    return manager
