"""For gunicorn and its like: `gunicorn wsgi:app`."""

import logging

from newsletter import logs
from newsletter.app import create_app

app = create_app()
_log = app.extensions["newsletter"].settings.log
logs.log_to_stderr(
    level=logging.getLevelNamesMapping()[_log.level.upper()], as_json=_log.format == "json"
)
