"""An installation on SQLite whose application a test can close and open again."""

from __future__ import annotations

from flask import Flask
from flask.ctx import AppContext
from sqlalchemy import select

from newsletter.app import create_app
from newsletter.db.session import reading
from newsletter.models import Subscriber, Subscription
from newsletter.services.operations import database
from newsletter.services.operations.restore import Restored, restore
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.settings import Settings
from tests.fakes import Clock, FakeDns, FakeFetch, Sink


class House:
    """An installation on SQLite whose application can be closed and opened again."""

    def __init__(self, settings: Settings, sink: Sink, clock: Clock) -> None:
        self.settings = settings
        self.sink = sink
        self.clock = clock
        self.file = database.get_sqlite_file(settings.database_url)
        self.copy = self.file.with_name("backup.db")
        self._context: AppContext | None = None
        self.open()

    def open(self, **values: object) -> Environment:
        self.close()
        settings = self.settings.model_copy(update=values)
        app = create_app(
            settings,
            transport=lambda: self.sink,
            fetch=FakeFetch(),
            clock=self.clock,
            resolver=FakeDns(),
        )
        self._context = app.app_context()
        self._context.push()
        self.app: Flask = app
        self.env: Environment = app.extensions[EXTENSION]
        return self.env

    def close(self) -> None:
        if self._context is not None:
            database.close()
            self._context.pop()
            self._context = None

    def backup(self) -> None:
        database.backup(self.settings.database_url, self.copy)

    def restore(self) -> Restored:
        self.close()
        restored = restore(self.settings, self.copy)
        self.open()
        return restored

    def status(self, email: str) -> str:
        query = select(Subscription.status).join(Subscriber).where(Subscriber.email_key == email)
        with reading() as session:
            return session.scalar(query) or "unknown"
