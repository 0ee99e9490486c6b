"""Test what the WordPress plugin does without WordPress: typed tokens, links, and answers of the
API.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.programs import find_program

PLUGIN = Path(__file__).parents[2] / "integrations" / "wordpress"
pytestmark = pytest.mark.wordpress
TOKEN = "nlt_" + "a" * 43


def run(code: str, value: object) -> object:
    program = (
        f"require '{PLUGIN}/plain.php'; $v = json_decode(getenv('V'), true); echo "
        f"json_encode({code});"
    )
    done = subprocess.run(
        [
            find_program("php", "php-cli"),
            "-d",
            "display_errors=stderr",
            "-d",
            "error_reporting=-1",
            "-r",
            program,
        ],
        env={"V": json.dumps(value)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    return json.loads(done.stdout)


def test_values_of_settings_and_links() -> None:
    tokens = [TOKEN, f" {TOKEN}\n", TOKEN + "a", "nlt_<script>", "", None, ["x"], 7]
    cleaned = run("array_map('newsletter_door_clean_token', $v)", tokens)
    assert cleaned == [TOKEN, TOKEN, *[""] * 6]
    links = ["http://a.example/x/", "https://a.example/x#top", "HTTPS://a.example/x", None, [], "?"]
    keys = run("array_map('newsletter_door_link_key', $v)", links)
    assert keys == ["a.example/x", "a.example/x", "a.example/x", "", "", "?"]
    origins = [
        "https://a.example/x",
        "https://A.example",
        "http://a.example",
        "https://a.example:1",
    ]
    first, second, third, fourth = run("array_map('newsletter_door_origin', $v)", origins)  # type: ignore[misc]
    assert first == second
    assert len({first, third, fourth}) == 3


def test_answers_of_another_shape_are_no_entries() -> None:
    good = {"id": 1, "link": "https://a.example/x/", "fate": "held", "why": "w", "at_once": True}
    bad = [
        {**good, "id": "1"},
        {**good, "id": 0},
        {**good, "fate": "<script>"},
        {**good, "fate": ["held"]},
        {**good, "link": 7},
        "x",
        None,
        [],
    ]
    for answer in (None, "x", [], {"data": "x"}, {"data": bad}, {"data": {"a": bad[0]}}):
        assert run("newsletter_door_read_entries($v)", answer) == []
    many = [{**good, "id": n, "link": f"https://a.example/{n}"} for n in range(1, 400)]
    assert len(run("newsletter_door_read_entries($v)", {"data": many})) == 200  # type: ignore[arg-type]
    [entry] = run("newsletter_door_read_entries($v)", {"data": [good, *bad]}).values()  # type: ignore[attr-defined]
    assert entry == {"id": 1, "fate": "held", "why": "w", "at_once": True}
    hostile = {**good, "why": "<script>alert(1)</script>\u202ex" + "y" * 500, "at_once": "yes"}
    entry = run("newsletter_door_read_entry($v)", hostile)
    assert isinstance(entry, dict)
    assert "<" not in entry["why"]
    assert "\u202e" not in entry["why"]
    assert len(entry["why"].encode()) <= 200
    assert entry["at_once"] is False


def test_words_beside_the_form_are_in_the_language_of_the_page() -> None:
    locales = ["de_DE_formal", "ar", "en_GB", "eo", ""]
    words = run("array_map('newsletter_door_words', $v)", locales)
    assert isinstance(words, list)
    assert [first[:9] for first, _ in words] == ["Newslette", "الاشتراك ", *["Subscribe"] * 3]


def test_the_code_keeps_to_a_standard() -> None:
    """PSR-12. The sniffs of WordPress are no Debian package."""
    phpcs = find_program("phpcs", "php-codesniffer")
    files = [str(file) for file in sorted(PLUGIN.glob("*.php"))]
    done = subprocess.run(
        [phpcs, "-n", "--standard=PSR12", *files], capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout.decode()
