"""Every text for people is there in every language; pages and mails choose the right one and stand
the right way.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient

from newsletter.db.session import transaction
from newsletter.i18n import (
    FOLDER,
    LANGUAGES,
    SOURCE,
    Text,
    find_language,
    format_day,
    get_direction,
    say,
    translations,
)
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.tokens import Tokens
from tests.conftest import SECRET
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader

ROOT = Path(__file__).parent.parent
TRANSLATED = [code for code in LANGUAGES if code != SOURCE]
_PLACE = re.compile(r"%\(\w+\)[sd]|</?a\b[^>]*>")


@cache
def texts() -> frozenset[tuple[str, ...]]:
    """Return every text in code and templates: (message,) or (singular, plural)."""
    collected: set[tuple[str, ...]] = set()
    options = {"silent": "false", "trimmed": "true"}
    mail = options | {"trim_blocks": "true", "lstrip_blocks": "true"}
    plurals = {"ngettext": (1, 2), "PluralText": (1, 2)}
    keywords = {"gettext": None, "Text": None, "_": None, **plurals}
    places: list[tuple[str, str, dict[str, Any]]] = [
        ("newsletter", "python", {}),
        ("templates/pages", "jinja2", options),
        ("templates/emails", "jinja2", mail),
    ]
    for folder, method, options in places:
        pattern = "**.py" if method == "python" else "**"
        mapping = [(pattern, method)]
        for _, _, message, _, _ in extract_from_dir(
            str(ROOT / folder), mapping, {pattern: options}, keywords=keywords
        ):
            collected.add(message if isinstance(message, tuple) else (message,))
    return frozenset(collected)


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_text_is_missing_fuzzy_or_left_over(language: str) -> None:
    """`make texts` collects them; docs/translating.md says how to go on."""
    with (FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as source:
        catalogue = read_po(source, locale=language)
    messages = {}
    for message in catalogue:
        if message.id:
            messages[message.id if isinstance(message.id, tuple) else (message.id,)] = message
            assert not message.fuzzy, f"{language}: {message.id} is fuzzy"
            forms = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(forms), f"{language}: {message.id} has no translation"
            assert len(forms) == (catalogue.num_plurals if isinstance(message.id, tuple) else 1)
    assert texts() - set(messages) == set(), f"{language}: run `make texts`, then translate"
    assert set(messages) - texts() == set(), (
        f"{language}: nobody says this any more; run `make texts`"
    )


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_what_is_filled_in_and_every_link(language: str) -> None:
    with (FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as source:
        catalogue = read_po(source, locale=language)
    for message in catalogue:
        if not message.id:
            continue
        if isinstance(message.id, tuple):
            allowed = set(_PLACE.findall(message.id[1]))
            for form in message.string:
                assert set(_PLACE.findall(form)) <= allowed, (language, form)
        else:
            assert sorted(_PLACE.findall(message.string)) == sorted(_PLACE.findall(message.id)), (
                language,
                message.id,
            )
        for form in message.string if isinstance(message.string, tuple) else (message.string,):
            english = message.id[0] if isinstance(message.id, tuple) else message.id
            assert '"' in english or '"' not in _PLACE.sub("", form), (
                f"{language}: a plain quotation mark would end an attribute: {form}"
            )
            breaks = "« | [:;?!](?![=\\[]|all)| »" if language == "fr" else "« | »"
            assert not re.search(breaks, form), f"{language}: a line may end at a mark: {form}"


_CODE = re.compile(
    r"\{%-?\s*trans\b.*?\{%-?\s*endtrans\s*-?%\}|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<style>.*?</style>"
    r"|<!--.*?-->",
    re.S,
)
_SPOKEN = re.compile(r'\b(?:alt|title|placeholder|aria-label|aria-roledescription)="([^"]*)"')
# The layout's word for what a mail is, and an endonym of HTML's, are the same everywhere.
_SAME_EVERYWHERE = {"Newsletter", "email"}


@pytest.mark.parametrize(
    "template",
    sorted((ROOT / "templates").rglob("*.*")),
    ids=lambda path: str(path.relative_to(ROOT / "templates")),
)
def test_no_template_says_anything_unmarked(template: Path) -> None:
    """Text that a person reads stands in {% trans %}, or is a value."""
    if template.suffix == ".xml":
        return
    left = _CODE.sub(" ", template.read_text())
    matches = _SPOKEN.findall(left)
    if template.suffix == ".html":
        left = re.sub(r"<[^>]*>", " ", left)
    words = re.findall(r"[^\W\d_]{2,}", " ".join([re.sub(r"&\w+;", " ", left), *matches]))
    assert [word for word in words if word not in _SAME_EVERYWHERE] == []


def test_a_text_is_english_until_a_door_says_otherwise() -> None:
    text = Text(
        "Yes, send me %(list)s by e-mail. I can unsubscribe at any time with one click.",
        list="Ana's Letters",
    )
    assert text.startswith("Yes, send me Ana's Letters")
    assert say(text, "de").startswith("Ja, schicken Sie mir „Ana's Letters“")
    assert say("as it is", "de") == "as it is"
    assert say(text, "pt") == str(text)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("de-AT", "de"), ("AR_eg", "ar"), ("pt", ""), ("", ""), (None, ""), ("x" * 9999, ""), (7, "")],
)
def test_which_language_a_tag_means(tag: object, expected: str) -> None:
    assert find_language(tag) == expected


DATES = {
    "en": "24 November 2026",
    "de": "24. November 2026",
    "fr": "24 novembre 2026",
    "es": "24 de noviembre de 2026",
    "ro": "24 noiembrie 2026",
    "ar": "24 نوفمبر 2026",
}


def test_each_language_has_its_dates_and_direction() -> None:
    moment = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    assert {language: format_day(moment, language) for language in LANGUAGES} == DATES
    assert format_day(moment, "en-US") == "November 24, 2026"
    assert format_day(moment, "no such tag") == "24 November 2026"
    assert [get_direction(tag) for tag in ("ar", "he", "de", "", "??")] == [
        "rtl",
        "rtl",
        "ltr",
        "ltr",
        "ltr",
    ]


def test_plurals_of_romanian_and_arabic() -> None:
    def days(language: str, count: int) -> str:
        result = translations(language).ngettext(
            "The link works for one day.", "The link works for %(days)s days.", count
        )
        return result % {"days": count} if "%" in result else result

    assert days("ro", 7).endswith("7 zile.")
    assert days("ro", 30).endswith("30 de zile.")
    assert days("ar", 2) == "يعمل الرابط يومين."
    assert days("ar", 7) == "يعمل الرابط 7 أيام."
    assert days("ar", 30) == "يعمل الرابط 30 يومًا."


# ── which language, and where it stands
# ────────────────────────────────────────────────────────────


HEADINGS = {
    "en": "Check your inbox",
    "de": "Bitte sehen Sie in Ihr Postfach",
    "fr": "Consultez votre boîte de réception",
    "es": "Revise su bandeja de entrada",
    "ro": "Verificați-vă căsuța de e-mail",
    "ar": "تفقدوا بريدكم",
}


@pytest.fixture
def french_list(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        add_list(session, language="fr")


@pytest.mark.any_database
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_browser_is_answered_in_its_language(
    client: FlaskClient, french_list: None, language: str
) -> None:
    answer = client.get(
        "/blog/check-your-inbox",
        headers={"Accept-Language": f"pt-BR, {language}-XX;q=0.8, en;q=0.1"},
    )
    page = answer.get_data(as_text=True)
    assert HEADINGS[language] in page
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]


@pytest.mark.any_database
def test_the_form_comes_before_the_browser_and_the_browser_before_the_list(
    client: FlaskClient, french_list: None
) -> None:
    german = {"Accept-Language": "de"}
    assert "Ihre E-Mail-Adresse" in client.get("/blog/", headers=german).get_data(as_text=True)
    assert "Su dirección" in client.get("/blog/?language=es", headers=german).get_data(as_text=True)
    assert "Votre adresse" in client.get("/blog/", headers={"Accept-Language": "pt"}).get_data(
        as_text=True
    )
    assert "Votre adresse" in client.get("/blog/").get_data(as_text=True)
    answer = client.post("/blog/subscribe", data={"email": "x", "language": "ro"}, headers=german)
    assert "Adresa dumneavoastră" in answer.get_data(as_text=True)
    assert "O adresă de e-mail conține un @." in answer.get_data(as_text=True)
    answer = client.post("/blog/subscribe", json={"email": "x"}, headers=german)
    assert answer.get_json() == {"errors": {"email": "In einer E-Mail-Adresse steht ein @."}}


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("form", "browser", "language"),
    [
        ("es", "de", "es"),
        ("de", "de", "de"),
        ("ro", "", "ro"),
        ("fr", "", "fr"),
        ("", "de", "de"),
        ("xx", "", "fr"),
    ],
)
def test_the_page_after_the_form_keeps_its_language(
    client: FlaskClient, french_list: None, form: str, browser: str, language: str
) -> None:
    visitor = {"Accept-Language": browser}
    sent = client.post(
        "/blog/subscribe", data={"email": "ana@example.org", "language": form}, headers=visitor
    )
    assert sent.location == "/blog/check-your-inbox" + (
        "?language=" + form if form in ("es", "ro") else ""
    )
    assert HEADINGS[language] in client.get(sent.location, headers=visitor).get_data(as_text=True)


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ar;q=0.2, de;q=0.9", "de"),
        ("de;q=0, es", "es"),
        ("de;q=0", "fr"),
        ("*", "fr"),
        ("en-GB,*;q=0.5", "en"),
        ("DE-at", "de"),
        ("de_AT", "de"),
        ("", "fr"),
        (",,;;q=,", "fr"),
        ("de;q=abc", "fr"),
        ("xx;q=1, ro;q=0.001", "ro"),
        ("zh-Hant-TW, ja", "fr"),
        ("\xff\xfe", "fr"),
        (", ".join(["xx"] * 500 + ["de"]), "fr"),
        ("de" * 4000, "fr"),
        ("../de", "fr"),
        ("de\t;q=1", "de"),
        ("i-default, fr-CH-1996", "fr"),
    ],
)
def test_whatever_a_browser_says_of_its_languages(
    client: FlaskClient, french_list: None, header: str, language: str
) -> None:
    answer = client.get("/blog/", headers={"Accept-Language": header})
    assert (answer.status_code, answer.headers["Content-Language"]) == (200, language)


def test_the_mails_speak_the_readers_language(
    app: Flask, client: FlaskClient, sink: Sink, french_list: None
) -> None:
    client.post("/blog/subscribe", data={"email": "amal@example.com", "language": "ar"})
    client.post(
        "/blog/subscribe", data={"email": "gerd@example.com"}, headers={"Accept-Language": "de-AT"}
    )
    client.post("/blog/subscribe", data={"email": "luc@example.com"})
    with app.app_context():
        sending.send_due(app.extensions[EXTENSION])
    messages = {str(message["To"]): message for message in sink.messages}
    assert str(messages["amal@example.com"]["Subject"]) == "يرجى التأكيد: Slow Letters"
    assert 'dir="rtl"' in body(messages["amal@example.com"], "html")
    assert str(messages["gerd@example.com"]["Subject"]) == "Bitte bestätigen: Slow Letters"
    assert str(messages["luc@example.com"]["Subject"]) == "Veuillez confirmer : Slow Letters"
    url = body(messages["amal@example.com"]).split("https://news.example.com")[1].split()[0]
    page = client.get(url, headers={"Accept-Language": "de"}).get_data(as_text=True)
    assert '<html lang="ar" dir="rtl">' in page, "her own word stands above her browser's"


def test_a_reader_chooses_her_language(app: Flask, client: FlaskClient, clock: Clock) -> None:
    with app.app_context(), transaction() as session:
        handle = add_reader(session, add_list(session), "ana@example.com").handle
    url = f"/preferences/{Tokens([SECRET]).sign('account', handle, clock.now)}"
    assert "Gespeichert." in client.post(url, data={"language": "de"}).get_data(as_text=True)
    assert "Ihre Einstellungen" in client.get(url, headers={"Accept-Language": "fr"}).get_data(
        as_text=True
    )
    client.post(url, data={"language": "<script>"})
    assert "Vos préférences" in client.get(url, headers={"Accept-Language": "fr"}).get_data(
        as_text=True
    )


@pytest.mark.any_database
def test_what_was_agreed_to_is_kept_in_the_language_it_was_read_in(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context(), transaction() as session:
        add_list(session)
    page = client.get("/blog/", headers={"Accept-Language": "de"}).get_data(as_text=True)
    assert "Ja, schicken Sie mir „Slow Letters“" in page
    client.post("/blog/subscribe", data={"email": "ana@example.com", "language": "de"})
    with app.app_context(), transaction() as session:
        from newsletter.models import ConsentEvent

        assert next(event.wording.text for event in session.query(ConsentEvent)).startswith(
            "Ja, schicken Sie mir"
        )


def test_make_texts_knows_each_language() -> None:
    listed = re.search(r"for language in ([a-z ]+);", (ROOT / "Makefile").read_text())
    assert listed is not None
    assert {*listed[1].split(), SOURCE} == set(LANGUAGES)
