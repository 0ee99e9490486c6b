"""Cut clean HTML to a length and close its tags. Pure.

The HTML has been through `sanitize.clean_html`.
"""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"br", "hr", "img"}


class _Cutter(HTMLParser):
    """A copier of HTML that stops after `limit` bytes, and then only closes open tags."""

    def __init__(self, limit: int) -> None:
        super().__init__(convert_charrefs=False)
        self.left = limit
        self.out: list[str] = []
        self.open: list[str] = []

    @property
    def done(self) -> bool:
        return self.left <= 0

    def _write(self, piece: str) -> None:
        self.out.append(piece)
        self.left -= len(piece.encode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.done:
            return
        if tag not in _VOID:
            self.open.append(tag)
        self._write(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if not self.done and tag in self.open:
            while self.open and (last := self.open.pop()) != tag:
                self._write(f"</{last}>")
            self._write(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.done:
            return
        if len(data.encode()) <= self.left:
            self._write(data)
            return
        start = data.encode()[: self.left].decode("utf-8", "ignore")
        self.out.append(start.rpartition(" ")[0].rstrip(" ,;:–-") + " …")
        self.left = 0

    def handle_entityref(self, name: str) -> None:
        if not self.done:
            self._write(f"&{name};")

    def handle_charref(self, name: str) -> None:
        if not self.done:
            self._write(f"&#{name};")


def cut_html(html: str, limit: int) -> str:
    """Return `html` cut to `limit` bytes, between two words, with an ellipsis at the end."""
    if len(html.encode()) <= limit:
        return html
    cutter = _Cutter(limit)
    cutter.feed(html)
    cutter.close()
    return "".join(cutter.out) + "".join(f"</{tag}>" for tag in reversed(cutter.open))
