"""Fetch feeds and pages from untrusted URLs.

Requests are conditional, bounded in size and time, and never reach a private network (ssrf.py).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, Protocol
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from newsletter.errors import FeedGone, FeedUnavailable
from newsletter.feeds.deadline import Deadline
from newsletter.feeds.failures import describe_robot_check, describe_status, translate_error
from newsletter.feeds.robot_check import detect_robot_check
from newsletter.feeds.ssrf import Connect, Resolve, build_guarded_pools, require_usual
from newsletter.feeds.tls import build_tls_context
from newsletter.i18n import Text

HOPS_AT_MOST = 5
CHUNK = 65_536
RETRY_AT_MOST = 86_400
LINKS_AT_MOST = 8000
"""Characters of the Link header that are read."""
ERROR_PAGE = 30_000
"""Bytes of an error page that are searched for its cause; robot checks name themselves early."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response to a request for a feed or page.

    `status` is 200 or 304 (then `body` is empty); `url` is the final URL; `permanent_url` is the
    new URL, if every redirect was permanent; `max_age` and `retry_after` are in seconds.
    """

    url: str
    status: int
    body: bytes
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None
    permanent_url: str | None = None
    max_age: int | None = None
    retry_after: int | None = None
    links: str = ""
    """The response's Link header (RFC 8288)."""


class Fetch(Protocol):
    """A function that fetches a URL.

    Raises `FeedError`.
    """

    def __call__(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> Fetched: ...


class Fetcher:
    """A `Fetch` implemented with urllib3.

    Times in seconds, `max_bytes` counted after decompression. Thread-safe.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        allow_private: bool = False,
        max_bytes: int = 10_000_000,
        deadline: float = 20.0,
        connect_timeout: float = 5.0,
        read_timeout: float = 8.0,
        ca_certs: str | None = None,
        resolve: Resolve = socket.getaddrinfo,
        connect: Connect = socket.create_connection,
    ) -> None:
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "application/rss+xml, application/atom+xml, application/feed+json, "
            "application/xml;q=0.9, text/xml;q=0.9, text/html;q=0.8, */*;q=0.5",
            "Accept-Encoding": "gzip",
        }
        self._allow_private = allow_private
        self._max_bytes = max_bytes
        self._deadline = deadline
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._ca_certs = ca_certs
        self._resolve = resolve
        self._connect = connect

    def __call__(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> Fetched:
        """Fetch `url`; a status 304 is accepted only if the request was conditional."""
        headers = dict(self._headers)
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        if not (etag or last_modified):
            headers["Cache-Control"] = (
                "no-cache"  # whole, and not from a cache on the way (RFC 9111 section 5.2.1.4)
            )
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
                return self._follow(url, headers, pools, deadline)
            finally:
                pools.clear()

    def _follow(
        self, url: str, headers: dict[str, str], pools: urllib3.PoolManager, deadline: Deadline
    ) -> Fetched:
        current = url
        permanent = True
        for _ in range(HOPS_AT_MOST + 1):
            require_usual(current, any_port=self._allow_private)
            response = self._request(current, {**headers, **_get_cookies(current)}, pools, deadline)
            try:
                if response.status not in (301, 302, 303, 307, 308):
                    moved = current if permanent and current != url else None
                    return self._answer(current, response, headers, moved, deadline)
                target = response.headers.get("Location", "")
            finally:
                response.close()
            permanent = permanent and response.status in (301, 308)
            if not target:
                raise FeedUnavailable(current, Text("redirects to nowhere"), status=response.status)
            try:
                current = urljoin(current, target)
            except ValueError:
                raise FeedUnavailable(
                    current, Text("redirects to an invalid address"), status=response.status
                ) from None
        raise FeedUnavailable(url, Text("redirects more than %(most)s times", most=HOPS_AT_MOST))

    def _request(
        self, url: str, headers: Mapping[str, str], pools: urllib3.PoolManager, deadline: Deadline
    ) -> Any:
        try:
            left = deadline.get_seconds_left()
            timeout = Timeout(
                connect=min(self._connect_timeout, left), read=min(self._read_timeout, left)
            )
            return pools.request(
                "GET",
                url,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=timeout,
            )
        except (HTTPError, OSError, ValueError) as error:
            raise translate_error(url, error, late=deadline.is_over) from None

    def _answer(
        self,
        url: str,
        response: Any,
        request_headers: Mapping[str, str],
        moved: str | None,
        deadline: Deadline,
    ) -> Fetched:
        status = response.status
        headers = response.headers
        retry_after = _read_retry_after(headers.get("Retry-After"))
        if status == 304 and not (
            "If-None-Match" in request_headers or "If-Modified-Since" in request_headers
        ):
            raise FeedUnavailable(
                url, Text("says that nothing changed, though it was not asked"), status=304
            )
        if status == 410:
            raise FeedGone(url, Text("410 Gone: its publisher says it will not come back"))
        if status not in (200, 203, 304):
            self._refuse(url, response, retry_after)
        body = b"" if status == 304 else self._read_body(url, response, deadline)
        if vendor := detect_robot_check(status, headers, body[:ERROR_PAGE]):
            raise describe_robot_check(vendor, url, status, retry_after)
        return Fetched(
            url=url,
            status=304 if status == 304 else 200,
            body=body,
            content_type=_keep_printable(headers.get("Content-Type", ""))[:200],
            etag=_accept_validator(headers.get("ETag"), 500),
            last_modified=_accept_validator(headers.get("Last-Modified"), 100),
            permanent_url=moved,
            max_age=_read_max_age(headers.get("Cache-Control", "")),
            retry_after=retry_after,
            links=_keep_printable(headers.get("Link", ""))[:LINKS_AT_MOST],
        )

    def _refuse(self, url: str, response: Any, retry_after: int | None) -> NoReturn:
        """Raise `FeedUnavailable` for an error status, with the cause that the error page names."""
        status = response.status
        page = b""
        with suppress(HTTPError, OSError, ValueError):
            page = response.read(ERROR_PAGE, decode_content=True)
        if vendor := detect_robot_check(status, response.headers, page):
            raise describe_robot_check(vendor, url, status, retry_after)
        raise FeedUnavailable(
            url,
            Text("answers %(status)s", status=describe_status(status)),
            status=status,
            retry_after=retry_after,
        )

    def _read_body(self, url: str, response: Any, deadline: Deadline) -> bytes:
        """Return the whole decoded body of a response.

        Raises `FeedUnavailable` for an incomplete body, which would look as if entries had
        vanished; urllib3 raises if the length is not the announced one.
        """
        body = bytearray()
        try:
            while chunk := response.read1(CHUNK):
                body += chunk
                if len(body) > self._max_bytes:
                    raise FeedUnavailable(
                        url,
                        Text(
                            "is larger than %(max_bytes)s MB", max_bytes=self._max_bytes // 1000000
                        ),
                    )
                if deadline.is_over:
                    raise FeedUnavailable(url, Text("took too long to answer"))
        except (HTTPError, OSError, ValueError) as error:
            raise translate_error(url, error, late=deadline.is_over) from None
        if deadline.is_over:
            raise FeedUnavailable(url, Text("took too long to answer"))
        if "gzip" in response.headers.get("Content-Encoding", "") and not _is_gzip_complete(
            response
        ):
            raise FeedUnavailable(url, Text("the compressed answer ended before it was complete"))
        return bytes(body)


def _get_cookies(url: str) -> dict[str, str]:
    """Return the cookie that declines YouTube's request for consent.

    In Europe, YouTube answers unknown visitors with that request instead of a channel's page.
    """
    host = urlsplit(url).hostname or ""
    return {"Cookie": "SOCS=CAI"} if host == "youtube.com" or host.endswith(".youtube.com") else {}


def _is_gzip_complete(response: Any) -> bool:
    """Tell whether a gzip stream was read to its end; zlib accepts truncated ones."""
    decoder = getattr(response, "_decoder", None)
    inner = getattr(decoder, "_obj", None)
    return inner is None or bool(getattr(inner, "eof", True))


def _keep_printable(text: str) -> str:
    """Return `text` without characters that no header may contain (NUL, control characters)."""
    return "".join(letter for letter in text if letter.isprintable())


def _accept_validator(value: str | None, limit: int) -> str | None:
    return value if value and len(value) <= limit and value.isprintable() else None


def _read_max_age(cache_control: str) -> int | None:
    for part in cache_control.lower().split(","):
        name, _, value = part.strip().partition("=")
        if name == "max-age" and value.strip('"').isdecimal():
            return min(int(value.strip('"')[:9]), RETRY_AT_MOST)
    return None


def _read_retry_after(value: str | None) -> int | None:
    """Return the seconds in Retry-After (RFC 9110 section 10.2.3), a day at most, or None."""
    value = (value or "").strip()
    if value.isdecimal():
        return min(int(value[:9]), RETRY_AT_MOST)
    try:
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(int(seconds), RETRY_AT_MOST) if seconds > 0 else None
