"""Test that sentences which are stored, or raised, in English are said in other languages."""

from __future__ import annotations

import re

import pytest

from newsletter.errors import InvalidInput
from newsletter.i18n import LANGUAGES, Text, list_texts, say
from newsletter.mail.templating.placeholders import Marks
from newsletter.stored_texts import LENGTH_AT_MOST, Stored, _read_catalogue, say_stored
from newsletter.vocabulary import CampaignStatus

PLACE = re.compile(r"%\((\w+)\)([sd])")


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("held by hand", "von Hand zurückgehalten"),
        ("answers 404 Not Found", "antwortet 404 Not Found"),
        (
            "blog.example: redirects more than 5 times",
            "blog.example: leitet mehr als 5 Mal weiter",
        ),
        ("line 3: tree.jpg has no description", "Zeile 3: tree.jpg hat keine Beschreibung"),
        (
            'segment: cannot be read; write one like cadence == "weekly" and "berlin" in tags',
            "segment: lässt sich nicht lesen; "
            'Schreiben Sie eine wie cadence == "weekly" and "berlin" in tags',
        ),
        (
            "there are too many files already (import or discard one first)",
            "Es gibt schon zu viele Dateien (Importieren oder verwerfen Sie zuerst eine)",
        ),
        ("550 5.7.1 go away, please", "550 5.7.1 go away, please"),
        ("", ""),
    ],
)
def test_a_stored_sentence_is_traced_back_to_its_text(english: str, german: str) -> None:
    assert say_stored(english, "de-AT") == german
    assert say_stored(english, "en") == english
    assert say_stored(english, "pt") == english


def test_a_name_in_a_text_stays_and_a_stored_reason_is_said() -> None:
    title = Text("%(name)s is empty", name="held by hand")
    assert say_stored(title, "de") == "held by hand ist leer"
    held = Text("%(name)s is empty", name=Stored("held by hand"))
    assert say_stored(held, "de") == "von Hand zurückgehalten ist leer"
    status = Text("campaign %(id)s is %(status)s", id=3, status=CampaignStatus.PAUSED)
    assert say_stored(status, "de") == "Kampagne 3 hat den Stand: angehalten"


def test_a_long_or_hostile_sentence_costs_little_and_stays() -> None:
    for hostile in ("; " * 500, "line 1: " * 200, "(" * 900, "%(line)s " * 200):
        assert say_stored(hostile[:LENGTH_AT_MOST], "de").count("(") == hostile.count("(")
    long = "held by hand" + " " * LENGTH_AT_MOST
    assert say_stored(long, "de") == long


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_text_with_words_of_its_own_is_traced_back(language: str) -> None:
    """A text that begins like another one must not be taken for it."""
    _, patterns = _read_catalogue(language)
    known = {pattern.msgid for pattern in patterns}
    for msgid in list_texts(language):
        places = PLACE.findall(msgid)
        if msgid not in known:
            continue
        values = {
            name: str(10 + number) if kind == "s" else 10 + number
            for number, (name, kind) in enumerate(dict(places).items())
        }
        text = Text(msgid, **values)  # type: ignore[arg-type]
        assert say_stored(str(text), language) == say(text, language), msgid


@pytest.mark.parametrize(
    ("letter", "german"),
    [
        ("{{ subscriber.nam }}", "subscriber.nam ist unbekannt; meinten Sie subscriber.name?"),
        ("{{ subscriber.name|shout }}", "der Filter shout ist nichts für Briefe; meinten Sie "),
        ("{{ 2 ** 3 }}", "** ist nichts für Briefe"),
        ("{{ }}", "Hier fehlt ein Ausdruck; da steht: „end of print statement“"),
        ("{{ subscriber.name ) }}", "„)“ ist hier nicht erwartet"),
        ("{{ subscriber name }}", "erwartet: „end of print statement“, da steht: „name“"),
        ("{% shout %}", "Der Befehl „shout“ ist unbekannt."),
        ("{% if subscriber.name %}a", "Der Text endet zu früh. Es fehlt eines von: 'elif' or "),
        ("{{ subscriber.name ? }}", "unerwartetes Zeichen '?' an Stelle "),
    ],
)
def test_a_mistake_in_the_jinja_of_a_letter_is_said_in_german(letter: str, german: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Marks().take(f"Hello\n\n{letter}", where="letter")
    [problem] = refused.value.fields.values()
    assert say_stored(problem, "de").startswith(f"Zeile 3: {german}")
