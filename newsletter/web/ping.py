"""Receive pings from blogs: XML-RPC as WordPress sends it, or a form."""

from __future__ import annotations

from xmlrpc.client import Fault, dumps

from defusedxml import ElementTree
from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest

from newsletter.services.polling import ping
from newsletter.services.runtime import environment

blueprint = Blueprint("ping", __name__)

METHODS = ("weblogUpdates.ping", "weblogUpdates.extendedPing")
PARAMETERS_AT_MOST = 6
"""The most parameters of a ping; an extended one has five."""
ADDRESS_AT_MOST = 2000
"""The most characters of a URL in a ping, as of a feed's URL."""

_PARSE_ERROR = -32700
_NO_SUCH_METHOD = -32601
"""XML-RPC fault codes (xmlrpc-epi, "Specification for Fault Code Interoperability")."""


@blueprint.post("/ping")
def receive() -> Response:
    """Receive a ping, and poll the feeds of its URL.

    Says the same for addresses that are known and unknown.
    """
    if "xml" in request.mimetype:
        return _receive_xml(request.get_data(cache=False))
    address = request.form.get("url", "").strip()
    if not address:
        raise BadRequest("POST the blog's address as `url`")
    _take([address])
    return Response("Thanks for the ping.\n", mimetype="text/plain")


def _receive_xml(body: bytes) -> Response:
    try:
        call = ElementTree.fromstring(body, forbid_dtd=True)
    except (ElementTree.ParseError, ValueError, LookupError):  # ValueError: what defusedxml forbids
        return _answer(Fault(_PARSE_ERROR, "not an XML-RPC call"))
    if (call.findtext("methodName") or "").strip() not in METHODS:
        return _answer(Fault(_NO_SUCH_METHOD, f"only {' and '.join(METHODS)} are known"))
    values = call.findall("params/param/value")[:PARAMETERS_AT_MOST]
    _take(
        [(value.findtext("string") or value.text or "").strip() for value in values[1:]]
    )  # the first is the blog's name
    return _answer(({"flerror": False, "message": "Thanks for the ping."},))


def _take(addresses: list[str]) -> None:
    usable = [address for address in addresses if 0 < len(address) <= ADDRESS_AT_MOST]
    ping.receive_ping(environment(), usable, request.remote_addr or "")


def _answer(result: Fault | tuple[object, ...]) -> Response:
    xml = dumps(result, methodresponse=True)  # type: ignore[arg-type]
    return Response(xml, mimetype="text/xml")
