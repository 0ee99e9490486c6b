"""A small HTTP server for the demo's blog and mailbox, on an origin of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Answer = tuple[str, bytes]
Find = Callable[[str], Answer | None]

STYLE = (
    "body{font:17px/1.6 Georgia,serif;max-width:40rem;margin:2.5rem auto;padding:0 "
    "1.2rem;color:#26302e}"
    "h1{line-height:1.2}img{max-width:100%;height:auto;border-radius:6px}a{color:#2a665a}"
    "code{overflow-wrap:anywhere}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:14px}li{margin:.4rem 0}"
    "hr{border:0;border-top:1px solid #ddd;margin:2rem 0}body{background:#fffdf8}"
)


def render_page(title: str, body: str, *, head: str = "") -> Answer:
    """Return an HTML page around `body`."""
    html = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, '
        f'initial-scale=1">{head}<style>{STYLE}</style></head>'
        f"<body>{body}</body></html>"
    )
    return "text/html; charset=utf-8", html.encode()


def serve(find: Find, *, port: int = 0) -> ThreadingHTTPServer:
    """Serve on the loopback, in a thread, what `find` returns for a path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = find(urlsplit(self.path).path)
            kind, body = answer or render_page("Nothing here", "<h1>Nothing here</h1>")
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        # The names are the library's.
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Print nothing: the demo prints its steps."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
