"""The first page, and the page of each list."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.services.signup import forms
from newsletter.web.page_cache import render_public_page
from newsletter.web.signup import list_page

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def home() -> Response:
    """Show the first page with all mailing lists."""
    return render_public_page("home.html", slots={}, lists=forms.list_forms())


@blueprint.get("/<slug>/")
def mailing_list(slug: str) -> Response:
    """Show one list with its form and its latest campaigns."""
    return list_page(slug)
