"""Receive providers' webhooks about bounces and complaints."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from newsletter import errors
from newsletter.bounces.providers.types import NotReadable, NotVerified
from newsletter.logs import name_event
from newsletter.services.inbound import hooks
from newsletter.services.runtime import environment

log = logging.getLogger("newsletter.web")
blueprint = Blueprint("hooks", __name__)


@blueprint.post("/hooks/bounces/<provider>/<secret>")
def receive(provider: str, secret: str) -> Response:
    """Verify and apply a provider's report.

    Says the same for events about subscribers and about strangers.
    """
    body = request.get_data(cache=False)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        hooks.receive(environment(), provider, secret, body, headers)
    except errors.NotFound:
        raise NotFound from None
    except NotVerified:
        raise Forbidden from None
    except NotReadable:
        raise BadRequest from None
    log.info("a report of %s was taken", provider, extra=name_event("hook"))
    return Response("ok\n", mimetype="text/plain")
