"""The public pages: they parse a request, call one service, and answer."""

from flask import Blueprint

pages = Blueprint("pages", __name__)
