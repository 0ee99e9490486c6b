"""Send POST requests to URLs that others chose, with the guard against private networks.

Redirects are not followed, because receivers do not need them and they name a second URL. Only a
little of the response is read, and for a short time.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from newsletter.errors import FeedForbidden
from newsletter.feeds.deadline import Deadline
from newsletter.feeds.failures import translate_error
from newsletter.feeds.ssrf import Connect, Resolve, build_guarded_pools, require_usual
from newsletter.feeds.tls import build_tls_context

ANSWER_AT_MOST = 4096
"""Bytes of a response that are read, and not used."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The result of a POST request: its status, or 0 with the reason in words."""

    status: int
    why: str = ""
    retry_after: int | None = None


class PostMessage(Protocol):
    """A function that posts bytes to a URL and never raises."""

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted: ...


class Poster:
    """A `PostMessage` implemented with urllib3. Times in seconds. Thread-safe.

    `for_strangers`: the URLs are not chosen by an author, so only usual ones are requested.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        allow_private: bool = False,
        for_strangers: bool = False,
        deadline: float = 15.0,
        connect_timeout: float = 5.0,
        ca_certs: str | None = None,
        resolve: Resolve = socket.getaddrinfo,
        connect: Connect = socket.create_connection,
    ) -> None:
        self._user_agent = user_agent
        self._allow_private = allow_private
        self._for_strangers = for_strangers
        self._deadline = deadline
        self._connect_timeout = connect_timeout
        self._ca_certs = ca_certs
        self._resolve = resolve
        self._connect = connect

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        """Post `body` to `url`, and return the status of the response."""
        try:
            if self._for_strangers:
                require_usual(url, any_port=self._allow_private)
        except FeedForbidden as error:
            return Posted(0, error.reason)
        with Deadline(self._deadline) as deadline:
            pools = build_guarded_pools(
                build_tls_context(self._ca_certs),
                deadline,
                self._connect_timeout,
                resolve=self._resolve,
                connect=self._connect,
                allow_private=self._allow_private,
            )
            try:
                response = pools.request(
                    "POST",
                    url,
                    body=body,
                    headers={"User-Agent": self._user_agent, **headers},
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=Timeout(connect=self._connect_timeout, read=self._deadline),
                )
                response.read(ANSWER_AT_MOST, decode_content=False)
                after = (response.headers.get("Retry-After") or "").strip()
                seconds = int(after[:6]) if after.isascii() and after.isdecimal() else None
                return Posted(response.status, retry_after=seconds)
            except (HTTPError, OSError, ValueError) as error:
                # The address may hold a secret, so that only the reason is kept.
                return Posted(0, translate_error("", error, late=deadline.is_over).reason)
            finally:
                pools.clear()
