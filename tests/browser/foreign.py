"""A blog on an origin of its own, with a strict Content-Security-Policy, and pages of ours beside
it: real servers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from flask import Flask
from waitress.server import create_server

STRICT = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; script-src "
    "{ours}; connect-src {ours}; "
    "frame-src {ours}; form-action {ours}"
)
"""What a careful blog allows: nothing inline, and of other sites just ours."""


@dataclass
class ForeignBlog:
    """Serves `pages` (a body by path), with `policy` where there is one."""

    pages: dict[str, str] = field(default_factory=dict)
    head: str = ""
    policy: str = ""
    lang: str = 'lang="en"'
    url: str = ""


@contextmanager
def foreign_blog() -> Iterator[ForeignBlog]:
    blog = ForeignBlog()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = blog.pages.get(self.path)
            self.send_response(200 if body is not None else 204)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if blog.policy:
                self.send_header("Content-Security-Policy", blog.policy)
            self.end_headers()
            html = (
                f"<!DOCTYPE html><html {blog.lang}><head><meta charset=utf-8><title>A blog</title>"
            )
            html += '<meta name=viewport content="width=device-width, initial-scale=1">'
            html += f"{blog.head}</head>"
            self.wfile.write(
                f"{html}<body><main><h1>A blog</h1>{body}</main></body></html>".encode()
            )

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # another origin than 127.0.0.1, and a secure context
    blog.url = f"http://localhost:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield blog
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """`app` on a port of its own."""
    server = create_server(  # `poll` bears that another thread closes what it waits for
        app, host="127.0.0.1", port=0, threads=4, ident=None, asyncore_use_poll=True
    )
    threading.Thread(target=server.run, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
