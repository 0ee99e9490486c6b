"""For gunicorn and its like: `gunicorn wsgi:app`."""

from newsletter import logs
from newsletter.app import create_app

logs.to_stderr()
app = create_app()
