"""Authors with a browser each: an owner of every list, one of a single list, an editor, a
viewer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from newsletter.access_vocabulary import AuthorRole
from newsletter.db.session import transaction
from newsletter.services.authors import authors, log_in
from newsletter.services.runtime import EXTENSION, Environment
from tests.people import add_list

URL = "https://news.example.com"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass
class BrowserOf:
    """A browser, with forms filled in as a page shows them."""

    client: FlaskClient
    url: str = URL

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, base_url=self.url, **options)

    def token(self, path: str = "/author/log-in") -> str:
        match = _TOKEN.search(self.get(path).text)
        assert match is not None, path
        return match[1]

    def post(
        self,
        path: str,
        data: dict[str, Any] | None = None,
        *,
        page: str = "/author/log-in",
        **options: Any,
    ) -> TestResponse:
        """Send the form of a page."""
        fields = {"csrf_token": self.token(page), **(data or {})}
        return self.client.post(path, base_url=self.url, data=fields, **options)

    @property
    def cookie(self) -> str | None:
        cookie = self.client.get_cookie("__Secure-author", "news.example.com", "/author")
        return cookie.value if cookie else None


Browse = Callable[..., BrowserOf]


@pytest.fixture
def lists(app: Flask) -> None:
    """Two lists: `blog` and `talks`."""
    with app.app_context(), transaction() as session:
        add_list(session)
        add_list(session, "talks")


@pytest.fixture
def browse(app: Flask, lists: None) -> Browse:
    """Make a browser; with a role, of an author who is logged in."""

    def open_browser(role: str = "", *slugs: str, address: str = "") -> BrowserOf:
        browser = BrowserOf(app.test_client())
        if role:
            env: Environment = app.extensions[EXTENSION]
            with app.app_context():
                address = address or f"{role}{len(slugs)}@example.com"
                authors.add_author(env, address, role=AuthorRole(role), slugs=slugs)
                path = log_in.make_link(env, address).removeprefix(URL)
            answer = browser.post(path, page=path)
            assert answer.status_code == 303, answer.text
        return browser

    return open_browser
