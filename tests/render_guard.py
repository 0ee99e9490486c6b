"""Watch that no template of a mail reads the database, in the whole suite.

Mails are rendered inside transactions too, where a look would roll back what was written so far;
what a template shows is gathered before. Pages are no mails: they are rendered after their service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from threading import local
from typing import Any

import jinja2
from flask.templating import Environment as PageEnvironment
from sqlalchemy import Connection, Engine, event

from newsletter.mail.templating import sandbox


class RenderGuard:
    """Notes the statements that are executed while Jinja renders what is no page."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._rendering = local()
        render = jinja2.Template.render
        fill = sandbox.Template.render

        def watched(template: jinja2.Template, *values: Any, **named: Any) -> str:
            is_page = isinstance(template.environment, PageEnvironment)
            with nullcontext() if is_page else self._watch(str(template.name)):
                return render(template, *values, **named)

        def watched_letter(template: sandbox.Template, known: Mapping[str, object]) -> str:
            with self._watch("a letter"):
                return fill(template, known)

        jinja2.Template.render = watched  # type: ignore[method-assign]
        sandbox.Template.render = watched_letter  # type: ignore[method-assign]
        event.listen(Engine, "before_cursor_execute", self._look)

    @contextmanager
    def _watch(self, name: str) -> Iterator[None]:
        outer = getattr(self._rendering, "name", None)
        self._rendering.name = name
        try:
            yield
        finally:
            self._rendering.name = outer

    def _look(self, _connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if name := getattr(self._rendering, "name", None):
            self.faults.append(f"{name} reads the database: {statement[:60]}")

    def take(self) -> list[str]:
        """Return what was found since the last call, and begin anew."""
        faults = self.faults
        self.faults = []
        return faults
