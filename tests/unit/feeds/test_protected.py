"""Posts behind a password, wherever their feed shows it, are told from those that are not."""

from __future__ import annotations

import pytest

from newsletter.feeds import protected
from newsletter.feeds.protected import WORDS, is_protected

pytestmark = pytest.mark.any_database

FORMS = (
    '<form class="post-password-form" method="post"><input name="pwd"></form>',
    '<form action="https://blog.example/wp-login.php?action=postpass"><input name="pwd"></form>',
    '<form action="/open"><input type="password" name="post_password"></form>',
    "<form action=/open><input NAME=post_password></form>",
)
TEXT = "<p>" + "A walk in the woods. " * WORDS + "</p>"


@pytest.mark.parametrize("form", FORMS)
def test_b11_a_password_form_is_seen_in_content_and_summary(form: str) -> None:
    assert is_protected("Anything", TEXT + form, "")
    assert is_protected("Anything", "", TEXT + form)
    assert is_protected("Anything", TEXT, form)


@pytest.mark.parametrize("beginning", protected._TITLES)
def test_b11_a_title_says_it_where_there_is_no_text(beginning: str) -> None:
    title = f"{beginning.capitalize()} My diary"
    assert is_protected(title, "", "")
    assert is_protected(title, "", "<p>There is no excerpt because this is protected.</p>")
    assert not is_protected(title, TEXT, ""), "a title of that kind, and the text is there"
    assert not is_protected(title, '<img src="a.png">', "")
    assert not is_protected(f"On {beginning} things", "", "")


def test_a_post_about_passwords_is_not_protected() -> None:
    assert not is_protected("Protect your password", "<p>Use a password form.</p>", "")
    assert not is_protected("Post password", '<input name="password">', "")
