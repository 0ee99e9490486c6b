"""The public pages: they parse a request, call one service, and answer."""

from flask import Blueprint

pages = Blueprint("pages", __name__)

from newsletter.web import answers, archive, bodies, links, public, resources, signup, stay  # noqa: E402, F401 (they add their routes to `pages`)
