"""Settings of a list that cannot be are refused, each with its reason."""

from __future__ import annotations

import pytest

from newsletter.errors import InvalidInput
from newsletter.services.lists.list_options import parse_settings


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("language", "xx", "there is no language xx"),
        ("language", "", "there is no language"),
        ("from", "Ana <ana@example.com>, Bob <bob@example.com>", "one sender only"),
        ("from", "ana@example.com, bob@example.com", "one sender only"),
        ("from", "ana@example.com; bob@example.com", "@"),
        ("hour", "24", "from 0 to 23"),
        ("cadence", "yearly", "is not a cadence"),
        ("timezone", "Mars", "is not a time zone"),
        ("logo", "javascript:alert(1)", "a full web address"),
        ("site_url", "javascript:alert(1)", "a full web address"),
        ("site_url", "data:text/html,x", "a full web address"),
        ("site_url", "blog.example", "a full web address"),
    ],
)
def test_a_setting_is_refused(name: str, value: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_settings({name: value, "title": "Fine"})
    assert set(refused.value.fields) == {name}
    assert problem in refused.value.fields[name]


@pytest.mark.parametrize(
    ("name", "value", "columns"),
    [
        ("language", "de", {"language": "de"}),
        ("language", "de-AT", {"language": "de"}),
        (
            "from",
            '"Coach, Ana" <ana@example.com>',
            {"from_name": "Coach, Ana", "from_email": "ana@example.com"},
        ),
        ("from", "ana@example.com", {"from_name": "", "from_email": "ana@example.com"}),
    ],
)
def test_a_setting_is_taken(name: str, value: str, columns: dict[str, object]) -> None:
    assert parse_settings({name: value, "reply_to": None}) == columns
