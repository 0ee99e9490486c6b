"""Log to standard error, without the addresses and links of subscribers."""

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
    """Mask addresses and signed links in `text`, and make control characters visible."""
    text = _LINK.sub(r"/\1/…", _ADDRESS.sub(lambda match: mask(match[0]), text))
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


class DiscreetFormatter(logging.Formatter):
    """A formatter that masks addresses and links in records and tracebacks (S13, T15)."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        """Format a record as one line, whatever line breaks its message has."""
        return super().formatMessage(record).replace("\n", " ")

    def format(self, record: logging.LogRecord) -> str:
        """Format a record with its traceback, and mask it."""
        return discreet(super().format(record))


class Discreetly(logging.Filter):
    """A filter that masks records which a library formats itself, as gunicorn its access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a record and let it pass."""
        record.msg = discreet(record.getMessage())
        record.args = ()
        return True


def to_stderr(*, level: int = logging.INFO) -> None:
    """Log to standard error, where whatever supervises the process collects it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(DiscreetFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    for chatty in ("apscheduler", "alembic", "waitress.queue"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    logging.getLogger("gunicorn.access").addFilter(Discreetly())
