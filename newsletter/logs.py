"""Log to standard error, as text or JSON, without the addresses and links of subscribers."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from newsletter.addresses import mask_addresses
from newsletter.link_purposes import PATHS

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the current web request, "" outside of one."""
_LINK = re.compile(rf"/({'|'.join(PATHS)}|hooks/bounces/[\w-]+)/[\w.%-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def mask_text(text: str) -> str:
    """Mask addresses and signed links in `text`, and make control characters visible."""
    text = _LINK.sub(r"/\1/…", mask_addresses(text))
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


class DiscreetFormatter(logging.Formatter):
    """A formatter that masks addresses and links in records and tracebacks (S13, T15)."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        """Format a record as one line, whatever line breaks its message has."""
        return super().formatMessage(record).replace("\n", " ")

    def format(self, record: logging.LogRecord) -> str:
        """Format a record with its traceback, and mask it."""
        return mask_text(super().format(record))


class TextFormatter(DiscreetFormatter):
    """A formatter of plain lines, with the request that a line belongs to."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        """Format a record as one line."""
        line = super().formatMessage(record)
        request = REQUEST_ID.get()
        return f"{line} [request {request}]" if request else line


class JsonFormatter(DiscreetFormatter):
    """A formatter of one JSON object a line, for machines.

    `event` names what happened (docs/monitoring.md), `request` the request that it happened in.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format a record with its traceback, and mask it."""
        values = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": getattr(record, "event", None),
            "request": REQUEST_ID.get() or None,
            "message": mask_text(record.getMessage()),
        }
        if record.exc_info:
            values["traceback"] = mask_text(self.formatException(record.exc_info))
        set_values = {name: value for name, value in values.items() if value is not None}
        return json.dumps(set_values, ensure_ascii=False)


class Discreetly(logging.Filter):
    """A filter that masks records which a library formats itself, such as gunicorn's access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a record and let it pass."""
        record.msg = mask_text(record.getMessage())
        record.args = ()
        return True


def name_event(event: str) -> dict[str, str]:
    """Return the `extra` argument of a logging call that names the event."""
    return {"event": event}


def log_to_stderr(*, level: int = logging.INFO, as_json: bool = False) -> None:
    """Configure logging to standard error.

    `level` is that of our own lines. Libraries only warn: they would write what must not stand
    there, such as the address of a webhook with its key.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler])
    logging.getLogger("newsletter").setLevel(level)
    for chatty in ("apscheduler", "alembic", "waitress.queue"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    logging.getLogger("gunicorn.access").addFilter(Discreetly())
