"""Some 400 addresses at every entrance: form, JSON, command and import say yes and no to the same
ones (S07, S08).
"""

from __future__ import annotations

import csv
from urllib.parse import urlencode

import pytest
from flask import Flask

from newsletter.db.session import transaction
from newsletter.errors import InvalidInput
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.signup import forms
from newsletter.services.subscribers import admin as subscribers
from newsletter.services.transfer.import_subscribers import import_file
from tests import addresses
from tests.people import add_list
from tests.web.test_signup import raise_ceilings

pytestmark = pytest.mark.any_database

LABEL = "d" * 63
GOOD = [
    *(
        f"{local}@example.com"
        for local in (
            "a",
            "ana",
            "Ana.Coach",
            "ana+tag",
            "ana-coach",
            "ana_coach",
            "1234567890",
            "o'connor",
            "'ana",
            "a.b.c.d",
            "-ana",
            "ana-",
            "+ana",
            "=ana",
            "!#$%&'*+-/=?^_`{|}~",
            "a" * 64,
            "{ana}",
            "$ana",
            "x=y",
            "ana/sales",
            "_",
            "__ana__",
            "ana+a+b",
            "NULL",
            "0",
        )
    ),
    *(
        f"ana@{domain}"
        for domain in (
            "sub.example.com",
            "a.b.c.d.example.com",
            "example.museum",
            "EXAMPLE.COM",
            "exa-mple.com",
            "123.com",
            "1e100.net",
            "x.co",
            "bücher.example",
            "xn--bcher-kva.example",
            "bu\u0308cher.example",
            "BÜCHER.example",
            "例え.テスト",
            "пример.example",
            "blog.test",
            "example.co.uk",
            f"{LABEL}.com",
            f"{LABEL}.{LABEL}.com",
            "straße.example",
            "مثال.example",
            "a--b.com",
            "example。com",
        )
    ),
    '"hana..ko"@docomo.example',
    '"hana."@docomo.example',
    " ana@example.com",
    "ana@example.com ",
    "\tana@example.com\t",
]
BAD = [
    "",
    " ",
    "\t",
    "ana",
    "@",
    "@@",
    "@example.com",
    "ana@",
    "ana@@example.com",
    "a@b@c.org",
    "ana.example.com",
    "ana at example.com",
    *(
        f"{local}@example.com"
        for local in (
            ".ana",
            "ana.",
            "a..b",
            "a b",
            '"ana"',
            '"a b"',
            '"a@b"',
            '""',
            "a\\b",
            "a(b)",
            "(c)ana",
            "ana(c)",
            "a,b",
            "a;b",
            "a:b",
            "<ana",
            "a>b",
            "[a]",
            "a" * 65,
            "jörg",
            "用户",
            "😀",
            "ana\u200b",
            "\u200bana",
            "a\u00adb",
            "a\0b",
            "a\x7fb",
            "a\x1bb",
            "a\tb",
            "a\nb",
            "a\r\nb",
            "\ufeffana",
            "\xa0ana",
            "a\u202eb",
            "a\u2028b",
            "mailto:ana",
            "Ana <ana",
            "a%00\0",
            "ａｎａ",
        )
    ),
    *(
        f"ana@{domain}"
        for domain in (
            "example",
            "localhost",
            "test",
            "com",
            ".example.com",
            "example.com.",
            "example..com",
            "-example.com",
            "example-.com",
            "exa_mple.com",
            "exa mple.com",
            "example.com\0",
            "example\0.com",
            "[127.0.0.1]",
            "[IPv6:::1]",
            "127.0.0.1",
            "example.invalid",
            "router.local",
            "exam!ple.com",
            "example.com/",
            "example.com:25",
            "example.com?x",
            "example.com#x",
            "example,com",
            "example.com,",
            "example.com;",
            "d" * 64 + ".com",
            f"{LABEL}.{LABEL}.{LABEL}.{LABEL}.com",
            "xn--.com",
            "xn--a",
            "exämple",
            "\u200bexample.com",
            "example.com\u200b",
            "example.com\xa0",
            "example.com\ufeff",
            "(c)example.com",
            "example.com(c)",
            "<example.com>",
            "ex\u202eample.com",
            "example.com>",
            "😀.example\0",
            "example.c",
            "b.c",
            "*.example.com",
            "%65xample.com",
            "example.com\u2028",
            "example.com'",
            'example.com"',
            "....",
        )
    ),
    "Ana <ana@example.com>",
    "<ana@example.com>",
    "mailto:ana@example.com",
    '"Ana" <ana@example.com>',
    "'ana@example.com'",
    '"ana@example.com"',
    "ana@example.com bob@example.com",
    "ana@example.com,bob@example.com",
    "ana@example.com;bob@example.com",
    "ana@example.com\n",
    "ana@example.com\r\n",
    "\nana@example.com",
    "\r\nana@example.com",
    "ana@example.com\r\nBcc: bob@example.com",
    "ana@example.com%0aBcc:bob@example.com",
    "ana@\nexample.com",
    "\x0bana@example.com",
    "ana@example.com\x0c",
    "ana@example.com\x85",
    "a" * 10_000 + "@example.com",
    "a@" + "b." * 200 + "com",
    "=cmd|'/c calc'!A1@example.com ",
    "x" * 255,
    "{{ config }}@example.com",
    "noreply@example.com",
    "abuse+x@example.com",
]


def by_form(app: Flask, address: str) -> bool:
    data = urlencode({"email": address}, errors="surrogatepass")
    kind = "application/x-www-form-urlencoded"
    status = app.test_client().post("/blog/subscribe", data=data, content_type=kind).status_code
    assert status in (303, 422), status
    return status == 303


def by_json(app: Flask, address: str) -> bool:
    status = app.test_client().post("/blog/subscribe", json={"email": address}).status_code
    assert status in (202, 422), status
    return status == 202


def by_command(app: Flask, address: str) -> bool:
    """Return what the command hands on what it was given to."""
    with app.app_context():
        try:
            subscribers.add_subscriber(
                app.extensions[EXTENSION], subscribers.Addition(address, slug="blog")
            )
        except InvalidInput:
            return False
        return True


def by_import(app: Flask, address: str) -> bool:
    file = app.extensions[EXTENSION].settings.folder / "people.csv"
    with file.open("w", encoding="utf-8", errors="surrogatepass", newline="") as out:
        csv.writer(out).writerows([("email", "name"), (address, "Ana")])
    with app.app_context():
        done = import_file(
            app.extensions[EXTENSION], file, slug="blog", because="asked", dry_run=True
        )
    assert done.rows == 1
    return done.rejected == 0


def test_s07_s08_the_same_verdict_at_every_entrance(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        add_list(session)
    raise_ceilings(app)
    odd = {}
    for address in dict.fromkeys(GOOD + BAD + addresses.GOOD + addresses.BAD):
        verdicts = [
            by_form(app, address),
            by_json(app, address),
            by_command(app, address),
            by_import(app, address),
        ]
        if verdicts != [address in GOOD or address in addresses.GOOD] * 4:
            odd[address[:80]] = verdicts
    assert odd == {}


def test_the_author_adds_more_than_a_visitor_could(env: Environment) -> None:
    """The author fills in no form: neither ceilings nor required fields apply."""
    with transaction() as session:
        add_list(session)
    forms.add_field("blog", "town", "text", "Your town", required=True)
    for number in range(25):
        subscribers.add_subscriber(
            env, subscribers.Addition(f"reader{number}@example.com", slug="blog")
        )
