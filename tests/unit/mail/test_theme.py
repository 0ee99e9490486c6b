"""Colours of mails: contrasts as WCAG 2.2 defines them."""

from __future__ import annotations

import pytest

from newsletter.mail.theme import (
    ACCENT,
    FONTS,
    NIGHT,
    RADIUS_AT_MOST,
    compute_contrast,
    make_legible,
    make_theme,
)


@pytest.mark.parametrize(
    ("color", "ratio"),
    [("#000000", 21.0), ("#ff0000", 4.0), ("#00ff00", 1.37), ("#0000ff", 8.59), ("#808080", 3.95)],
)
def test_the_contrast_to_white_is_that_of_wcag(color: str, ratio: float) -> None:
    assert compute_contrast(color, "#ffffff") == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("color", ["#ffff00", "#00ff00", "#ff0000", "#0000ff", "#777777"])
@pytest.mark.parametrize("background", ["#ffffff", "#000000", "#000080"])
def test_a_colour_is_made_legible_on_its_background(color: str, background: str) -> None:
    assert compute_contrast(make_legible(color, background), background) >= 4.5


def test_a_colour_that_is_legible_stays_and_another_changes_as_little_as_it_takes() -> None:
    assert make_legible("#767676", "#ffffff") == "#767676", "4.54 to 1"
    assert make_legible("#777777", "#ffffff") == "#717171", "4.48 to 1, so one step darker"
    assert make_legible("#000000", "#000000") == "#808080", "lighter on a dark background"
    assert make_legible("#ffff00", "#ffffff") == "#737300", "a part that is not there stays so"
    assert make_legible("#0000ff", NIGHT) == "#8080ff"


def test_wrong_values_of_a_list_get_defaults() -> None:
    for color in ("", "red", "#12345", "#1234567", "#12345g"):
        assert make_theme(color).accent == ACCENT
    assert make_theme("#ABCDEF").accent == "#abcdef"
    assert make_theme(font="none").font == FONTS["system"]
    assert make_theme(font="mono").font == FONTS["mono"]
    assert [make_theme(radius=radius).radius for radius in (-1, 0, 7, 24, 25)] == [0, 0, 7, 24, 24]
    assert make_theme().radius == 10
    assert [make_theme(radius=radius).small_radius for radius in (0, 4, 5, 24)] == [0, 0, 1, 20]
    assert RADIUS_AT_MOST == 24


def test_words_on_a_button_are_white_where_that_can_be_read() -> None:
    assert make_theme("#767676").on_accent == "#ffffff"
    assert make_theme("#777777").on_accent == "#111111"
