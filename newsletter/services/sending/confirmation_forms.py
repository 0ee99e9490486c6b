"""Cache compiled confirmation mails, since strangers cause any number of them.

The form of a list is that of its values, of a language and of a frequency; it is compiled anew when
one of its templates has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from weakref import WeakKeyDictionary

from newsletter.mail.message import CompiledMessage
from newsletter.mail.render import MailContent, Renderer
from newsletter.mail.slots import fill, make_slot
from newsletter.services.mail_context import (
    ANY_SUBSCRIBER,
    OWN_LINKS,
    ListContext,
    SubscriberContext,
    compile_single,
)
from newsletter.vocabulary import MailKind

FORMS_AT_MOST = 200
"""Cached confirmations: every cadence in every language, of some lists."""
LINKS = ("confirm_url", "never_url")
"""The links of a request in its confirmation, beside those of the subscription."""

_Key = tuple[ListContext, str]


@dataclass(frozen=True, slots=True)
class _Form:
    """A cached confirmation; `message` is None if templates do more with links than show them."""

    message: CompiledMessage | None
    is_current: Callable[[], bool]


_forms: WeakKeyDictionary[Renderer, dict[_Key, _Form]] = WeakKeyDictionary()


def compile_confirmation(
    renderer: Renderer, mailing_list: ListContext, variables: Mapping[str, object]
) -> tuple[CompiledMessage, dict[str, str]]:
    """Return a compiled confirmation, and the values of its slots from `variables`.

    Raises `TemplateProblem`.
    """
    links = {name: str(variables[name]) for name in LINKS}
    forms = _forms.setdefault(renderer, {})
    key = (mailing_list, str(variables["cadence_text"]))
    form = forms.get(key)
    if form is None or not form.is_current():
        if len(forms) >= FORMS_AT_MOST:
            forms.clear()
        form = forms[key] = _make_form(renderer, mailing_list, variables)
    if form.message is not None:
        return form.message, links
    return compile_single(mailing_list, renderer.render(MailKind.CONFIRM, variables)), links


def _make_form(
    renderer: Renderer, mailing_list: ListContext, variables: Mapping[str, object]
) -> _Form:
    """Compile a confirmation with slots, and verify that filling them equals rendering.

    A template of the author's may shorten or count a link, which nobody can do with a slot.
    """
    slotted = {
        **variables,
        **{name: make_slot(name) for name in LINKS},
        "subscriber": replace(ANY_SUBSCRIBER, name=""),
    }
    content, is_current = renderer.render_watched(MailKind.CONFIRM, slotted)
    rendered = renderer.render(MailKind.CONFIRM, variables)
    is_same = _fill_content(content, _list_values(variables)) == rendered
    return _Form(compile_single(mailing_list, content) if is_same else None, is_current)


def _list_values(variables: Mapping[str, object]) -> dict[str, str]:
    subscriber = variables["subscriber"]
    assert isinstance(subscriber, SubscriberContext)
    links = {name: str(getattr(subscriber, name)) for name in OWN_LINKS}
    return {**links, **{name: str(variables[name]) for name in LINKS}}


def _fill_content(content: MailContent, values: dict[str, str]) -> MailContent:
    escaped = {name: escape(value) for name, value in values.items()}
    return MailContent(
        fill(content.subject, values), fill(content.text, values), fill(content.html, escaped)
    )
