"""Logs are discreet."""

from __future__ import annotations

import logging

import pytest

from newsletter.links import SIGNED
from newsletter.logs import DiscreetFormatter, discreet


def test_t15_neither_addresses_nor_links_are_logged() -> None:
    said = discreet("Key (email)=(ana.b+c@example.com) at /unsubscribe/abc-DEF_1.xyz?x=1 and /confirm/tok.en")
    assert said == "Key (email)=(a…@example.com) at /unsubscribe/…?x=1 and /confirm/…"


@pytest.mark.parametrize("kind", SIGNED)
def test_t15_no_kind_of_link_is_forgotten(kind: str) -> None:
    assert discreet(f"POST /{kind}/abc-DEF_1.xyz failed") == f"POST /{kind}/… failed"


def test_s13_one_line_an_event_and_no_control_characters() -> None:
    record = logging.LogRecord("x", logging.ERROR, "", 1, "feed %s: %s", ("a\r\nFAKE line", "\x1b[31mred"), None)
    said = DiscreetFormatter("%(message)s").format(record)
    assert "\n" not in said
    assert "\x1b" not in said
    assert "FAKE" in said


def test_tracebacks_are_discreet_too() -> None:
    try:
        raise ValueError("no ana@example.com here")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 1, "failed", (), (ValueError, error, error.__traceback__))
    said = DiscreetFormatter("%(message)s").format(record)
    assert "Traceback" in said
    assert "ana@" not in said
