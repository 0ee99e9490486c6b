"""Identify an author's browser by the program's only cookie, sent under /author/ alone.

Before the log-in it is a random value that stands nowhere; it binds a log-in link, and the forms,
to the browser that asked. After the log-in it is another value, which names a session.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app
from flask.sessions import SessionInterface, SessionMixin

from newsletter.services.authors import sessions
from newsletter.services.authors.sessions import OpenSession
from newsletter.services.runtime import Environment, environment

PREFIX = "/author/"
COOKIE_PATH = "/author"
MAX_COOKIE = 200


class BrowserSession(dict[str, Any], SessionMixin):
    """The browser of a request: its cookie and its session.

    As a mapping it holds the secret that forms are bound to (Flask-WTF).
    """

    def __init__(self, cookie: str) -> None:
        super().__init__()
        self.cookie = cookie
        self.opened: OpenSession | None = None
        self.send: str | None = None
        self.lasting = False

    @property
    def name(self) -> str:
        """The identifier of this browser, which survives rotations of the cookie."""
        if self.opened is not None:
            return f"session {self.opened.id}"
        return sessions.hash_cookie(self.cookie)

    def identify(self, env: Environment, *, is_form: bool) -> None:
        """Load the session of the cookie, or give a new browser a cookie.

        A form without a cookie gets none: a browser leaves ours out where the form stands on
        another site (SameSite), and a new one would log the author out.
        """
        self.opened = sessions.find_session(env, self.cookie) if self.cookie else None
        if self.opened is not None and self.opened.token is not None:
            self.replace(self.opened.token, lasting=True)
        elif not self.cookie:
            self.cookie = sessions.make_cookie()
            self.send = None if is_form else self.cookie
        key = str(current_app.secret_key).encode()
        message = f"newsletter.author-forms.{self.name}".encode()
        self["csrf_token"] = hmac.digest(key, message, "sha256").hex()

    def replace(self, cookie: str, *, lasting: bool) -> None:
        """Set another cookie with this response."""
        self.cookie = cookie
        self.send = cookie
        self.lasting = lasting


class AuthorSessions(SessionInterface):
    """Flask's session interface, which sets a cookie under /author/ only."""

    def open_session(self, app: Flask, request: Request) -> BrowserSession | None:
        """Read the cookie of a request; None on every public page."""
        if not request.path.startswith(PREFIX):
            return None
        cookie = request.cookies.get(name_cookie(environment()), "")
        return BrowserSession(cookie if len(cookie) <= MAX_COOKIE else "")

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Set the cookie if it has changed."""
        if not isinstance(session, BrowserSession) or session.send is None:
            return
        env = environment()
        response.set_cookie(
            name_cookie(env),
            session.send,
            max_age=sessions.LIFETIME if session.lasting else None,
            path=COOKIE_PATH,
            secure=is_secure(env),
            httponly=True,
            samesite="Lax",
        )


def is_secure(env: Environment) -> bool:
    """Tell whether pages are served over https."""
    return urlsplit(env.settings.base_url).scheme == "https"


def may_log_in(env: Environment) -> bool:
    """Tell whether log-ins are allowed: over https, or on the loopback."""
    return is_secure(env) or _is_loopback(urlsplit(env.settings.base_url).hostname or "")


def name_cookie(env: Environment) -> str:
    """Return the name of the cookie; browsers accept `__Secure-` over https only."""
    return "__Secure-author" if is_secure(env) else "author"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
