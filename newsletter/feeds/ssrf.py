"""The wall between addresses that strangers chose and private networks: every address a name resolves to is checked,
and the checked one is connected to, for every connection that is opened."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError

# Python 3.11 calls these global; they lead into private networks all the same (NAT64, 6to4, Teredo, …).
_NOT_PUBLIC = [
    ip_network(network)
    for network in (
        "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "192.0.0.0/24", "::/96", "100::/64", "fec0::/10",
        "192.88.99.0/24", "0.0.0.0/8", "100.64.0.0/10",
    )
]  # fmt: skip

Resolve = Callable[..., list[tuple[Any, ...]]]
Connect = Callable[..., socket.socket]
"""What asks the DNS (`socket.getaddrinfo`), and what opens a connection (`socket.create_connection`)."""


def public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet could reach."""
    ip = ip_address(address.split("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if not ip.is_global or ip.is_multicast:
        return False
    return not any(ip.version == network.version and ip in network for network in _NOT_PUBLIC)


class Refused(OSError):
    """A name that leads where we do not go."""


class _Guard:
    """Mixed into urllib3's connections: resolves once, checks every address, connects to the first of them that
    answers, of two."""

    host: str
    port: int
    _dns_host: str
    resolve: Resolve
    connect_to: Connect
    allow_private: bool
    connect_timeout: float
    sockets: list[socket.socket]

    def _new_conn(self) -> socket.socket:
        try:
            found = self.resolve(self._dns_host.strip("[]"), self.port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from None  # type: ignore[arg-type]
        addresses = list(dict.fromkeys(info[4][0] for info in found))
        if not addresses or not (self.allow_private or all(public(address) for address in addresses)):
            raise Refused
        for address in addresses[:2]:
            try:
                connected = self.connect_to((address, self.port), timeout=self.connect_timeout)
            except OSError as error:
                failed = error
                continue
            self.sockets.append(connected)
            return connected
        raise failed


def guarded(
    tls: ssl.SSLContext,
    sockets: list[socket.socket],
    connect_timeout: float,
    *,
    resolve: Resolve,
    connect: Connect,
    allow_private: bool,
) -> urllib3.PoolManager:
    """A manager whose connections are guarded, and kept in `sockets` so that a deadline can close them."""
    guard = {
        "resolve": staticmethod(resolve),
        "connect_to": staticmethod(connect),
        "allow_private": allow_private,
        "connect_timeout": connect_timeout,
        "sockets": sockets,
    }
    plain = type("GuardedHTTP", (_Guard, HTTPConnection), guard)
    secure = type("GuardedHTTPS", (_Guard, HTTPSConnection), guard)
    manager = urllib3.PoolManager(num_pools=2, ssl_context=tls)
    manager.pool_classes_by_scheme = {
        "http": type("HTTP", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("HTTPS", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
    return manager


def hang_up(sockets: list[socket.socket]) -> None:
    """Ends whatever is going on over these sockets."""
    for connected in sockets:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            connected.close()
