"""Render the folders of templates/emails: subject, text and HTML of a mail, styles inlined.

Data is never rendered as a template. A mail is in the language of its `list`, which the caller
replaces by the subscriber's language for a mail to one subscriber. The author's own folder beside
the settings has precedence, so that a mail can be changed without changing the program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import css_inline
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from newsletter.digest_vocabulary import OutlookState
from newsletter.errors import TemplateProblem
from newsletter.html.text import shorten_text, to_plain_line
from newsletter.i18n import SOURCE, find_language, get_direction, translations
from newsletter.mail.slots import make_slot

HTML_BUDGET = 90_000
"""Bytes of HTML in a mail: Gmail clips a message at 102 KB, and with it the unsubscribe link."""


RENDERING_ERRORS = (
    TemplateError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""Errors that a template can raise while it is rendered.

Jinja's filters raise most of Python's errors, `truncate` an `AssertionError`.
"""


@dataclass(frozen=True, slots=True)
class MailContent:
    """The subject of a mail, and its body as text and as HTML. Each may contain slots."""

    subject: str
    text: str
    html: str


WEB_URL = make_slot("web_url")
"""Placeholder for the URL of a mail's archive page, which is not known at rendering."""


def fill_web_url(content: MailContent, web_url: str) -> MailContent:
    """Replace `WEB_URL` in a mail by the URL of its archive page."""
    return MailContent(
        content.subject,
        content.text.replace(WEB_URL, web_url),
        content.html.replace(WEB_URL, web_url),
    )


_speaking: ContextVar[str] = ContextVar("speaking", default=SOURCE)
"""The language of the mail that is being rendered: templates are compiled once for all
languages."""


class TemplateLoader(FileSystemLoader):
    """A template loader that notices a template added to an earlier folder."""

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """Return a template's source, its file, and a function that tells whether it is current."""
        source, file, is_current = super().get_source(environment, template)
        folders = [Path(folder) for folder in self.searchpath]
        earlier = [folder / template for folder in folders]
        earlier = earlier[: earlier.index(Path(file))]
        return source, file, lambda: is_current() and not any(map(Path.is_file, earlier))


_used: ContextVar[set[Template] | None] = ContextVar("used", default=None)
"""The templates used by the current rendering, or None if they are not recorded."""


class _WatchedEnvironment(ImmutableSandboxedEnvironment):
    """A Jinja environment that records which templates are used."""

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002  Jinja's own name
    ) -> Template:
        """Return a template, reloaded if its file has changed."""
        template = super().get_template(name, parent, globals)
        if (used := _used.get()) is not None:
            used.add(template)
        return template


class Renderer:
    """A renderer of mails with the templates in the first of `directories` that has them."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._jinja = _WatchedEnvironment(
            loader=TemplateLoader([str(directory) for directory in directories]),
            autoescape=lambda name: bool(name) and str(name).endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            extensions=["jinja2.ext.i18n"],
        )
        self._jinja.policies["ext.i18n.trimmed"] = True
        self._jinja.filters["shorten"] = shorten_text
        self._jinja.globals["OutlookState"] = OutlookState
        self._jinja.install_gettext_callables(  # type: ignore[attr-defined]
            _translate, _translate_plural, newstyle=True
        )
        self._inliner = css_inline.CSSInliner(
            load_remote_stylesheets=False, keep_style_tags=False, keep_at_rules=True
        )

    def render(self, mail: str, context: Mapping[str, object]) -> MailContent:
        """Render the mail called `mail` (a folder of templates) with `context`.

        Raises `TemplateProblem`, naming template and line.
        """
        language = str(getattr(context.get("list"), "language", ""))
        context = {"direction": get_direction(language), **context}
        token = _speaking.set(find_language(language) or SOURCE)
        try:
            subject = to_plain_line(_render(self._jinja, f"{mail}/subject.txt", context), limit=300)
            text = _render(self._jinja, f"{mail}/text.txt", context).strip() + "\n"
            html = _render(self._jinja, f"{mail}/html.html", {**context, "subject": subject})
        finally:
            _speaking.reset(token)
        return MailContent(subject, text, self._inliner.inline(html))

    def render_watched(
        self, mail: str, context: Mapping[str, object]
    ) -> tuple[MailContent, Callable[[], bool]]:
        """Render a mail; return it, and a function that tells whether its templates are unchanged.

        Raises `TemplateProblem`.
        """
        used: set[Template] = set()
        token = _used.set(used)
        try:
            content = self.render(mail, context)
        finally:
            _used.reset(token)
        return content, lambda: all(template.is_up_to_date for template in used)


def _translate(text: str) -> str:
    return translations(_speaking.get()).gettext(text)


def _translate_plural(singular: str, plural: str, count: int) -> str:
    return translations(_speaking.get()).ngettext(singular, plural, count)


def _render(
    jinja: ImmutableSandboxedEnvironment, template: str, context: Mapping[str, object]
) -> str:
    try:
        return jinja.get_template(template).render(context)
    except TemplateNotFound as error:
        raise TemplateProblem(str(error), 0, "there is no such template") from None
    except TemplateSyntaxError as error:
        raise TemplateProblem(error.name or template, error.lineno, str(error.message)) from None
    except RENDERING_ERRORS as error:
        raise TemplateProblem(template, _find_line(error), str(error)) from None


def _find_line(error: BaseException) -> int:
    """Return the line of a template where an error arose, from Jinja's traceback."""
    line = 0
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename.endswith((".html", ".txt")):
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
