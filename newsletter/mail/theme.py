"""Compute readable colours of buttons and links from a list's colour, for light and dark mode.

Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ACCENT = "#2f6f62"
PAPER = "#ffffff"
"""The background of a mail in light mode."""
NIGHT = "#202725"
"""The background of a mail in dark mode."""
CONTRAST = 4.5
"""The contrast ratio that text needs against its background (WCAG 2.2, 1.4.3)."""

FONTS = {
    "system": (
        "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
    ),
    "serif": "Georgia, Cambria, 'Times New Roman', Times, serif",
    "humanist": "'Gill Sans', 'Trebuchet MS', Verdana, Calibri, sans-serif",
    "book": "'Iowan Old Style', 'Palatino Linotype', Palatino, 'Book Antiqua', Georgia, serif",
    "mono": "ui-monospace, Menlo, Consolas, 'Liberation Mono', monospace",
}
"""Fonts that are installed on most machines: fetching one would tell a third party who opens a
mail."""

RADIUS_AT_MOST = 24
"""Pixels of a corner's radius; a larger one makes a button of one line look broken."""
_COLOR = re.compile(r"#[0-9a-f]{6}", re.I)


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours, font and corner radius (in pixels) that mail templates use."""

    accent: str
    on_accent: str
    link: str
    link_dark: str
    font: str
    radius: int

    @property
    def small_radius(self) -> int:
        """Return the corner radius of elements inside a card."""
        return max(0, self.radius - 4)


def make_theme(color: str = "", font: str = "", radius: int = 10) -> Theme:
    """Return the theme of a list, with defaults for missing or invalid values."""
    accent = color.lower() if _COLOR.fullmatch(color) else ACCENT
    return Theme(
        accent=accent,
        on_accent=PAPER if compute_contrast(accent, PAPER) >= CONTRAST else "#111111",
        link=make_legible(accent, PAPER),
        link_dark=make_legible(accent, NIGHT),
        font=FONTS.get(font, FONTS["system"]),
        radius=min(max(radius, 0), RADIUS_AT_MOST),
    )


def compute_contrast(color: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG)."""
    light, dark = sorted((_compute_luminance(color), _compute_luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def make_legible(color: str, background: str) -> str:
    """Return `color`, darkened or lightened no more than needed to be read on `background`."""
    target = 0 if _compute_luminance(background) > 0.18 else 255
    for step in range(21):
        mixed = "#" + "".join(
            f"{round(part + (target - part) * step / 20):02x}" for part in _split_color(color)
        )
        if compute_contrast(mixed, background) >= CONTRAST:
            return mixed
    return mixed


def _split_color(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _compute_luminance(color: str) -> float:
    linear = [
        (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
        for part in (octet / 255 for octet in _split_color(color))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
