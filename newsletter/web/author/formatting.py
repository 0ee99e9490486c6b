"""Template filters of the author's pages: times, numbers, translated statuses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_datetime_format
from babel.numbers import format_decimal
from flask import Flask, request
from flask_babel import gettext
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

from newsletter.access_vocabulary import ActOutcome, AuthorRole, ImportState
from newsletter.i18n import SOURCE, Text, get_direction, say
from newsletter.import_formats.platforms import CSV, Platform
from newsletter.vocabulary import CampaignStatus, EntryStatus, SubscriptionStatus
from newsletter.web.locale import current_language, format_size, translate_here, translate_texts

PAGES = (
    ("author_today.index", Text("Today"), AuthorRole.VIEWER),
    ("author_campaigns.index", Text("Campaigns"), AuthorRole.VIEWER),
    ("author_letters.index", Text("Write"), AuthorRole.VIEWER),
    ("author_subscribers.index", Text("Subscribers"), AuthorRole.EDITOR),
    ("author_sources.index", Text("Sources"), AuthorRole.VIEWER),
    ("author_statistics.index", Text("Statistics"), AuthorRole.VIEWER),
    ("author_settings.index", Text("Settings"), AuthorRole.EDITOR),
)
"""The navigation: endpoint, label and required role."""
SETTINGS_PAGES: tuple[tuple[str, str, AuthorRole], ...] = (
    ("author_settings.index", Text("Lists"), AuthorRole.EDITOR),
    ("author_files.index", Text("Files"), AuthorRole.EDITOR),
    ("author_health.index", Text("Health"), AuthorRole.OWNER),
)
"""The tabs of the settings pages; all but the first are for authors of all lists."""

ROLE_WORDS: dict[str, str] = {
    AuthorRole.VIEWER: Text("viewer"),
    AuthorRole.EDITOR: Text("editor"),
    AuthorRole.OWNER: Text("owner"),
}
OUTCOME_WORDS: dict[str, str] = {
    ActOutcome.BEGUN: Text("begun"),
    ActOutcome.DONE: Text("done"),
    ActOutcome.REFUSED: Text("refused"),
}
STATUS_WORDS: dict[str, str] = {
    CampaignStatus.DRAFT: Text("draft"),
    CampaignStatus.SCHEDULED: Text("scheduled"),
    CampaignStatus.SENDING: Text("being sent"),
    CampaignStatus.PAUSED: Text("paused"),
    CampaignStatus.SENT: Text("sent"),
    CampaignStatus.CANCELLED: Text("cancelled"),
}
SUBSCRIPTION_WORDS: dict[str, str] = {
    SubscriptionStatus.PENDING: Text("not confirmed"),
    SubscriptionStatus.ACTIVE: Text("active"),
    SubscriptionStatus.UNSUBSCRIBED: Text("unsubscribed"),
}
NAMED_IN_SENTENCES = (Text("sending"), Text("uploaded"), Text("checked"), Text("approved"))
"""Members of closed sets that occur only inside sentences, for the translation catalogues."""
IMPORT_WORDS: dict[str, str] = {
    ImportState.UPLOADED: Text("is being read"),
    ImportState.CHECKED: Text("waits for you"),
    ImportState.APPROVED: Text("is being imported"),
    ImportState.DONE: Text("imported"),
    ImportState.REFUSED: Text("refused"),
    ImportState.DISCARDED: Text("discarded"),
}
SECTIONS = {
    "author_imports": "author_subscribers",
    "author_feeds": "author_sources",
    "author_letter_send": "author_letters",
    "author_letter_pictures": "author_letters",
    "author_newcomers": "author_campaigns",
    "author_forms": "author_settings",
    "author_files": "author_settings",
    "author_health": "author_settings",
}
"""Endpoints without their own navigation entry, mapped to the one they belong to."""
ENTRY_WORDS: dict[str, str] = {
    EntryStatus.NEW: Text("new"),
    EntryStatus.HELD: Text("held"),
    EntryStatus.READY: Text("ready"),
    EntryStatus.SKIPPED: Text("skipped"),
    EntryStatus.SENT: Text("sent"),
}


def install(app: Flask) -> None:
    """Register the filters with an application."""
    app.jinja_env.filters["moment"] = format_moment
    app.jinja_env.filters["said"] = write_said
    app.jinja_env.filters["number"] = format_number
    app.jinja_env.globals["token"] = make_token_field
    app.jinja_env.globals["pairs"] = lambda words: [(word, word) for word in words]
    app.jinja_env.globals["named"] = _name_platforms
    app.jinja_env.filters["filesize"] = format_size
    app.context_processor(_list_words)


def make_token_field() -> Markup:
    """Return the hidden CSRF field of a form."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _name_platforms(platforms: Sequence[Platform]) -> list[tuple[str, str]]:
    """List the supported programs of import files, for a selection."""
    other = gettext("another program, or by hand")
    return [(one.name, other if one.name == CSV else one.title) for one in platforms]


def _list_words() -> dict[str, object]:
    labels = translate_texts({endpoint: label for endpoint, label, _ in PAGES})
    return {
        "author_pages": [(endpoint, labels[endpoint], role) for endpoint, _, role in PAGES],
        "role_words": translate_texts(ROLE_WORDS),
        "outcome_words": translate_texts(OUTCOME_WORDS),
        "status_words": translate_texts(STATUS_WORDS),
        "subscription_words": translate_texts(SUBSCRIPTION_WORDS),
        "entry_words": translate_texts(ENTRY_WORDS),
        "import_words": translate_texts(IMPORT_WORDS),
        "settings_pages": [
            (endpoint, say(label, current_language()), role)
            for endpoint, label, role in SETTINGS_PAGES
        ],
        "section": SECTIONS.get(request.blueprint or "", request.blueprint) if request else "",
    }


def format_moment(moment: datetime | None, zone: str = "UTC") -> str:
    """Format a time in a time zone and the language of this response; "" for None."""
    if moment is None:
        return ""
    try:
        local = moment.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        local = moment.astimezone(UTC)
    locale = _find_locale()
    pattern = str(get_datetime_format("medium", locale=locale)).replace("'", "")
    day = format_date(local, "medium", locale)
    return pattern.replace("{1}", day).replace("{0}", format_time(local, "short", locale=locale))


def format_number(number: int) -> str:
    """Format a number in the language of this response."""
    return format_decimal(number, locale=_find_locale())


def write_said(text: str) -> Markup:
    """Translate a service's sentence for this response; mark it as English if it stays English.

    What was made from no text of ours, such as a server's reply, is English.
    """
    words = translate_here(text)
    if words == str(text) and current_language() != SOURCE:
        return Markup('<span lang="en" dir="ltr">{}</span>').format(words)
    if get_direction(current_language()) == "rtl":  # it may begin with a name in Latin letters
        return Markup('<bdi dir="rtl">{}</bdi>').format(words)
    return Markup("<bdi>{}</bdi>").format(words)


def _find_locale() -> str:
    language = current_language()
    return "en_001" if language == SOURCE else language
