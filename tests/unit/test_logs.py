"""Logs are discreet."""

from __future__ import annotations

import io
import json
import logging

import pytest

from newsletter.link_purposes import PATHS
from newsletter.logs import (
    REQUEST_ID,
    DiscreetFormatter,
    Discreetly,
    JsonFormatter,
    TextFormatter,
    mask_text,
)


def test_t15_neither_addresses_nor_links_are_logged() -> None:
    result = mask_text(
        "Key (email)=(ana.b+c@example.com) at /unsubscribe/abc-DEF_1.xyz?x=1 and /confirm/tok.en"
    )
    assert result == "Key (email)=(a…@example.com) at /unsubscribe/…?x=1 and /confirm/…"


def test_t15_what_others_format_is_discreet_too() -> None:
    result = io.StringIO()
    access = logging.Logger("access")
    access.addHandler(logging.StreamHandler(result))
    access.addFilter(Discreetly())
    access.info(
        '%(h)s "GET %(U)s" "%(f)s"',
        {"h": "::1", "U": "/confirm/tok.en-1", "f": "/preferences/an.other"},
    )
    access.info("POST /hooks/bounces/some-provider/s3cret 200")
    assert result.getvalue() == (
        '::1 "GET /confirm/…" "/preferences/…"\nPOST /hooks/bounces/some-provider/… 200\n'
    )


@pytest.mark.parametrize("kind", PATHS)
def test_t15_no_kind_of_link_is_forgotten(kind: str) -> None:
    assert mask_text(f"POST /{kind}/abc-DEF_1.xyz failed") == f"POST /{kind}/… failed"


def test_s13_one_line_an_event_and_no_control_characters() -> None:
    record = logging.LogRecord(
        "x", logging.ERROR, "", 1, "feed %s: %s", ("a\r\nFAKE line", "\x1b[31mred"), None
    )
    result = DiscreetFormatter("%(message)s").format(record)
    assert "\n" not in result
    assert "\x1b" not in result
    assert "FAKE" in result


def test_tracebacks_are_discreet_too() -> None:
    try:
        raise ValueError("no ana@example.com here")
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, "", 1, "failed", (), (ValueError, error, error.__traceback__)
        )
    result = DiscreetFormatter("%(message)s").format(record)
    assert "Traceback" in result
    assert "ana@" not in result


def test_json_lines_hold_the_event_and_the_request_and_no_address() -> None:
    record = logging.LogRecord(
        "newsletter.web",
        logging.WARNING,
        "",
        1,
        "a line of %s\nand more",
        ("ana@example.com",),
        None,
    )
    record.event = "limit"
    token = REQUEST_ID.set("0f0f")
    try:
        line = JsonFormatter().format(record)
        text = TextFormatter().format(record)
    finally:
        REQUEST_ID.reset(token)
    assert "\n" not in line
    values = json.loads(line)
    assert values.pop("time").endswith("+00:00")
    assert values == {
        "level": "warning",
        "logger": "newsletter.web",
        "event": "limit",
        "request": "0f0f",
        "message": "a line of a…@example.com\nand more",
    }
    assert text.endswith("WARNING a line of a…@example.com and more [request 0f0f]")
    assert "request" not in TextFormatter().format(record)
