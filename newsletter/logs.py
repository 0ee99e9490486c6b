"""What is logged: one line an event where that is possible, and never an address or a link of a
reader.
"""

from __future__ import annotations

import logging
import re
import sys

from newsletter.addresses import mask
from newsletter.link_purposes import PATHS

_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_LINK = re.compile(rf"/({'|'.join(PATHS)}|hooks/bounces/[\w-]+)/[\w.%-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def discreet(text: str) -> str:
    """`text` with addresses and signed links made unrecognisable, and control characters made
    visible.
    """
    text = _LINK.sub(r"/\1/…", _ADDRESS.sub(lambda match: mask(match[0]), text))
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


class DiscreetFormatter(logging.Formatter):
    """Formats as usual, tracebacks included, and then removes what is nobody's business (S13, T15)."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        """One line, whatever line breaks a message brings along."""
        return super().formatMessage(record).replace("\n", " ")

    def format(self, record: logging.LogRecord) -> str:
        """The whole record."""
        return discreet(super().format(record))


class Discreetly(logging.Filter):
    """The same for what others format themselves, like gunicorn its access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Everything passes, made discreet."""
        record.msg, record.args = discreet(record.getMessage()), ()
        return True


def to_stderr() -> None:
    """Log to standard error, where whatever supervises the process collects it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(DiscreetFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for chatty in ("apscheduler", "alembic", "waitress.queue"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    logging.getLogger("gunicorn.access").addFilter(Discreetly())
