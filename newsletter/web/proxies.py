"""Watch for a reverse proxy that the settings do not know (`web.trusted_proxies`)."""

from __future__ import annotations

from flask import Blueprint, current_app, request

from newsletter.services.proxy_headers import is_ignored_proxy, record_ignored_proxy
from newsletter.services.runtime import environment

blueprint = Blueprint("proxies", __name__)

_NOTED = "newsletter-proxy-noted"


@blueprint.before_app_request
def note_ignored_proxy() -> None:
    """Record the first request through an unknown proxy, once a process."""
    if current_app.extensions.get(_NOTED):
        return
    forwarded_for = request.headers.get("X-Forwarded-For", "")
    if is_ignored_proxy(environment(), request.remote_addr or "", forwarded_for):
        current_app.extensions[_NOTED] = True
        record_ignored_proxy(environment())
