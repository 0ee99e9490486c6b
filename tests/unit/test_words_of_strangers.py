"""Every language of the program is known where strangers write: in feeds, mails and their files."""

from __future__ import annotations

import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from babel.dates import get_month_names

from newsletter.bounces.mime import parse_message
from newsletter.bounces.other_mail import asks_to_leave, is_unsubscribe
from newsletter.bounces.types import ReportEvidence
from newsletter.feeds.dates import read_date
from newsletter.i18n import LANGUAGES
from newsletter.import_formats import column_names
from newsletter.import_formats.column_names import normalize_name
from newsletter.import_formats.statuses import MEANING, normalize_word
from newsletter.import_formats.vocabulary import StatusWord
from tests.unit.bounces.strangers import AWAY

ROOT = Path(__file__).parents[2]
LEAVING = {
    "en": "Please unsubscribe me.",
    "de": "Bitte melden Sie mich vom Newsletter ab.",
    "fr": "Merci de me désabonner.",
    "es": "Quiero darme de baja.",
    "ro": "Vă rog să mă dezabonați.",
    "ar": "أريد إلغاء الاشتراك من فضلكم.",
}
"""Replies of people who want no more mail."""
WISHES = {
    "en": "Unsubscribe",
    "de": "Abmelden",
    "fr": "Se désabonner",
    "es": "Darse de baja",
    "ro": "Dezabonare",
    "ar": "إلغاء الاشتراك",
}
"""The subject of a mail that asks for nothing else."""
UNSUBSCRIBED = {
    "en": "unsubscribed",
    "de": "abgemeldet",
    "fr": "désabonné",
    "es": "dado de baja",
    "ro": "dezabonat",
    "ar": "ملغى الاشتراك",
}
"""A cell of the status of somebody who may not be mailed."""
TITLES = {
    "en": ("E-mail address", "First name"),
    "de": ("E-Mail-Adresse", "Vorname"),
    "fr": ("Adresse e-mail", "Prénom"),
    "es": ("Correo electrónico", "Nombre"),
    "ro": ("Adresă de e-mail", "Prenume"),
    "ar": ("البريد الإلكتروني", "الاسم الأول"),
}
"""Titles of columns in files of subscribers: of the address, of the first name."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_feed_may_name_the_months(language: str) -> None:
    names = get_month_names("wide", locale=language)
    dates = [read_date(f"24 {names[month]} 2026 09:30") for month in range(1, 13)]
    assert [date and (date.month, date.day) for date in dates] == [
        (month, 24) for month in range(1, 13)
    ]


def test_each_language_has_an_absence_note_that_changes_nobody() -> None:
    assert set(LANGUAGES) <= set(AWAY)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reply_may_ask_to_leave(language: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Re: Three new posts"
    mail.set_content(LEAVING[language])
    assert asks_to_leave(parse_message(mail.as_bytes()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_subject_may_be_nothing_but_the_wish(language: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = WISHES[language]
    mail["From"] = "ana@example.com"
    mail.set_content("")
    assert is_unsubscribe(parse_message(mail.as_bytes()), ReportEvidence())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_may_say_who_is_not_mailed(language: str) -> None:
    assert MEANING.get(normalize_word(UNSUBSCRIBED[language])) is StatusWord.NO


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_may_have_these_titles(language: str) -> None:
    email, first_name = (normalize_name(title) for title in TITLES[language])
    assert email in column_names.EMAIL
    assert first_name in column_names.FIRST


def test_the_plugin_has_the_words_beside_the_form() -> None:
    source = (ROOT / "integrations" / "wordpress" / "plain.php").read_text()
    words = source.partition("function newsletter_door_words")[2].partition("];")[0]
    assert set(re.findall(r"'(\w\w)' => ", words)) == set(LANGUAGES)
