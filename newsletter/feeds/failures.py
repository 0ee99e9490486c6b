"""Describe errors of fetching a URL in words that somebody who runs a blog understands.

Pure.

Messages of libraries ("IncompleteRead(80 bytes read, 70 more expected)") do not help them.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, IncompleteRead
from typing import Any

import urllib3
from urllib3.exceptions import DecodeError, InvalidChunkLength, NameResolutionError, SSLError

from newsletter.errors import FeedForbidden, FeedUnavailable
from newsletter.feeds.ssrf import PrivateAddress
from newsletter.i18n import Text


def describe_robot_check(
    vendor: str, url: str, status: int, retry_after: int | None
) -> FeedUnavailable:
    """Return the error of a feed behind a robot check, with a hint how to fix it."""
    return FeedUnavailable(
        url,
        Text(
            "a robot check stands before the feed (%(vendor)s, %(status)s)",
            vendor=vendor,
            status=describe_status(status),
        ),
        status=status,
        retry_after=retry_after,
        hint=Text(
            "feeds are read by programs, which cannot pass it: let whoever runs the site or its "
            "firewall exempt the feed's address from the check"
        ),
    )


def describe_status(status: int) -> str:
    """Return a status code with its standard name, not the server's own words."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def translate_error(url: str, error: Exception, *, late: bool) -> FeedUnavailable | FeedForbidden:
    """Translate an error of a library; `late` means that the deadline caused it."""
    causes = list(_walk_causes(error))
    if any(isinstance(cause, PrivateAddress) for cause in causes):
        return FeedForbidden(url, Text("leads into a private network"))
    if late:
        return FeedUnavailable(url, Text("took too long to answer"))
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return FeedUnavailable(url, Text("there is no such host"))
    if untrusted := next(
        (cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None
    ):
        return FeedUnavailable(
            url,
            Text(
                "its certificate cannot be trusted: %(why)s",
                why=_describe_distrust(untrusted),
            ),
        )
    if any(isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError) for cause in causes):
        return FeedUnavailable(url, Text("took too long to answer"))
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return FeedUnavailable(url, Text("refuses the connection"))
    reason = next(
        (text for kinds, text in _FAILURES if any(isinstance(cause, kinds) for cause in causes)), ""
    )
    return FeedUnavailable(url, reason or Text("the connection failed"))


def _walk_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, however deeply libraries have wrapped them."""
    waiting: list[Any] = [error]
    visited: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in visited:
            visited.add(id(cause))
            yield cause
            waiting += [
                cause.__cause__,
                cause.__context__,
                getattr(cause, "reason", None),
                *cause.args,
            ]


_FAILURES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((IncompleteRead, InvalidChunkLength), Text("the answer ended before it was complete")),
    ((DecodeError,), Text("the compressed answer is damaged")),
    (
        (SSLError, ssl.SSLError),
        Text(
            "no secure connection could be made: its server or a proxy before it speaks no TLS "
            "there"
        ),
    ),
    (
        (BadStatusLine, HTTPException, ConnectionError),
        Text("the server ended the connection or did not answer in HTTP"),
    ),
)
"""Descriptions of errors by the library's exception; the first that matches is used."""


def _describe_distrust(error: ssl.SSLCertVerificationError) -> str:
    """Describe why a certificate was rejected, by OpenSSL's error number (x509_vfy.h)."""
    return {
        10: Text("it has expired"),
        9: Text("it is not valid yet"),
        18: Text("it is self-signed"),
        19: Text("it is self-signed"),
        20: Text("its issuer is unknown, or the server does not send the certificates between"),
        21: Text("its issuer is unknown, or the server does not send the certificates between"),
        62: Text("it was made for another host"),
        64: Text("it was made for another host"),
    }.get(error.verify_code, Text("it could not be verified"))
