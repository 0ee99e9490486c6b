"""Decode the text of a mail after SMTP's DATA command, up to the final dot.

Pure.
"""

from __future__ import annotations

_END = b"\r\n.\r\n"


class MailData:
    """A decoder of a mail's text (RFC 5321 section 4.5.2) that keeps only the beginning.

    So a mail of any size takes little memory. `size` is its length in bytes so far.
    """

    def __init__(self, kept_at_most: int) -> None:
        self._kept_at_most = kept_at_most + len(_END)
        self._kept = bytearray(b"\r\n")  # the end of the command line: a dot may follow at once
        self._last = b"\r\n"
        self._before_last = 0

    @property
    def size(self) -> int:
        """The bytes of the mail received so far."""
        return self._before_last + len(self._last) - 2

    def feed(self, chunk: bytes) -> bytes | None:
        """Decode received bytes; return those after the final dot, None before it was received."""
        window = self._last + chunk
        end = window.find(_END)
        text = window if end < 0 else window[: end + 2]
        del self._kept[self._before_last :]
        self._kept += text[: self._kept_at_most - len(self._kept)]
        if end >= 0:
            self._last = text
            return window[end + len(_END) :]
        self._before_last += max(len(window) - len(_END) + 1, 0)
        self._last = window[-len(_END) + 1 :]
        return None

    def content(self) -> bytes:
        """Return the beginning of the mail, with SMTP's dot-stuffing removed."""
        return bytes(self._kept).replace(b"\r\n.", b"\r\n")[2:]
