"""Detect reverse proxies that are missing from `web.trusted_proxies`."""

from __future__ import annotations

from flask import Blueprint, current_app, request

from newsletter.services.limit_log import SIGN_UP
from newsletter.services.proxy_headers import (
    is_headerless_proxy,
    is_ignored_proxy,
    record_headerless_proxy,
    record_ignored_proxy,
)
from newsletter.services.runtime import environment

blueprint = Blueprint("proxies", __name__)

_NOTED = "newsletter-proxy-noted"
_HEADERLESS = "newsletter-proxy-headerless"
SIGN_UPS = 5
"""Sign-ups from the loopback under https after which a proxy without headers is assumed."""


@blueprint.before_app_request
def note_ignored_proxy() -> None:
    """Record the first request through an untrusted proxy, once a process."""
    if current_app.extensions.get(_NOTED):
        return
    forwarded_for = request.headers.get("X-Forwarded-For", "")
    _note_headerless_proxy(forwarded_for)
    if is_ignored_proxy(environment(), request.remote_addr or "", forwarded_for):
        current_app.extensions[_NOTED] = True
        record_ignored_proxy(environment())


def _note_headerless_proxy(forwarded_for: str) -> None:
    """Record, once a process, that several sign-ups seem to come from this machine itself.

    One or two are the author's own tests.
    """
    extensions = current_app.extensions
    if extensions.get(_HEADERLESS, 0) >= SIGN_UPS or request.endpoint not in SIGN_UP:
        return
    if request.method == "POST" and is_headerless_proxy(
        environment(), request.remote_addr or "", forwarded_for
    ):
        extensions[_HEADERLESS] = extensions.get(_HEADERLESS, 0) + 1
        if extensions[_HEADERLESS] == SIGN_UPS:
            record_headerless_proxy(environment())
