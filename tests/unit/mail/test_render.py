"""Templates of mails are found in the first folder that has them, at any moment."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from newsletter.errors import TemplateProblem
from newsletter.mail.render import WEB_URL, MailContent, Renderer, fill_web_url


def test_a_template_put_into_an_earlier_folder_counts_at_once(tmp_path: Path) -> None:
    for folder, word in (("shipped", "theirs"), ("own", "")):
        (tmp_path / folder / "goodbye").mkdir(parents=True)
        for name in ("subject.txt", "text.txt", "html.html") if word else ():
            (tmp_path / folder / "goodbye" / name).write_text(word)
    renderer = Renderer([tmp_path / "own", tmp_path / "shipped"])
    assert renderer.render("goodbye", {}).subject == "theirs"
    (tmp_path / "own" / "goodbye" / "subject.txt").write_text("mine")
    assert renderer.render("goodbye", {}).subject == "mine"
    assert renderer.render("goodbye", {}).text == "theirs\n"


def test_a_part_that_is_included_brings_no_line_break_of_its_own(tmp_path: Path) -> None:
    for folder in ("goodbye", "parts"):
        (tmp_path / folder).mkdir()
    for name in ("subject.txt", "html.html"):
        (tmp_path / "goodbye" / name).write_text("x")
    (tmp_path / "goodbye" / "text.txt").write_text("Dear {% include 'parts/name.txt' %}, hello\n")
    (tmp_path / "parts" / "name.txt").write_text("Ann\n")
    assert Renderer([tmp_path]).render("goodbye", {}).text == "Dear Ann, hello\n"


def write(folder: Path, **parts: str) -> Renderer:
    """Write the templates of a mail, "x" where no other is given, and beside them another's."""
    for mail in ("goodbye", "other"):
        (folder / mail).mkdir(exist_ok=True)
        for name in ("subject.txt", "text.txt", "html.html"):
            words = parts.get(name.partition(".")[0], "x") if mail == "goodbye" else "other"
            (folder / mail / name).write_text(words)
    return Renderer([folder])


def test_a_mail_is_in_the_language_of_its_list(tmp_path: Path) -> None:
    words = "{% trans %}Unsubscribe{% endtrans %}"
    plural = (
        "{% trans days=2 %}The link works for one day.{% pluralize %}"
        "The link works for {{ days }} days.{% endtrans %}"
    )
    renderer = write(tmp_path, subject=words, text=f"{plural} {{{{ direction }}}}")
    spoken = {
        language: renderer.render("goodbye", {"list": SimpleNamespace(language=language)})
        for language in ("de", "ar", "xx")
    }
    assert spoken["de"].subject != spoken["ar"].subject != spoken["xx"].subject == "Unsubscribe"
    assert [content.text.split()[-1] for content in spoken.values()] == ["ltr", "rtl", "ltr"]
    assert spoken["de"].text == "Der Link gilt 2 Tage. ltr\n"
    assert renderer.render("goodbye", {}).subject == "Unsubscribe", "the next is in no language"


def test_each_part_has_its_form(tmp_path: Path) -> None:
    renderer = write(
        tmp_path,
        subject=" A\n {{ name }} ",
        text="\na\n{% if name %}\n  {% if name %}\n{{ name }}\n  {% endif %}\n{% endif %}\nb\n\n",
        html="<style>p { color: red } @media print { p { color: blue } }</style>"
        "<title>{{ subject }}</title><p>{{ name }}</p>",
    )
    content = renderer.render("goodbye", {"name": "<b> & c"})
    assert (content.subject, content.text) == ("A <b> & c", "a\n<b> & c\nb\n")
    assert '<p style="color: red;">&lt;b&gt; &amp; c</p>' in content.html
    assert "<title>A &lt;b&gt; &amp; c</title>" in content.html
    assert "@media print" in content.html
    assert "p { color: red }" not in content.html
    assert len(renderer.render("goodbye", {"name": "n" * 400}).subject) == 300


def test_a_sentence_over_several_lines_is_translated_as_one(tmp_path: Path) -> None:
    sentence = (
        "{% trans count=n %}\n one\n mail {% pluralize %}\n {{ count }}\n mails{% endtrans %}"
    )
    renderer = write(tmp_path, text=sentence)
    assert [renderer.render("goodbye", {"n": n}).text for n in (1, 2)] == [
        "one mail\n",
        "2 mails\n",
    ]


@pytest.mark.parametrize(
    ("template", "line", "why"),
    [
        ("a\n\n{{ 1 // 0 }}\nb\n{{ 2 }}", 3, "division"),
        ("a\n{{ unknown }}", 2, "unknown"),
        ("a\n\n\n{% if %}", 4, "Expected an expression"),
        ("{% include 'parts/none.txt' %}", 0, "there is no such template"),
    ],
)
def test_a_fault_of_a_template_names_its_line(
    tmp_path: Path, template: str, line: int, why: str
) -> None:
    renderer = write(tmp_path, text=template)
    with pytest.raises(TemplateProblem) as problem:
        renderer.render("goodbye", {})
    assert problem.value.line == line
    assert why in str(problem.value)
    assert ("parts/none.txt" if not line else "goodbye/text.txt") in str(problem.value)
    assert renderer.render("other", {}).subject == "other"


def test_a_fault_of_a_part_names_the_part_and_one_of_a_file_no_line(tmp_path: Path) -> None:
    renderer = write(tmp_path, text="{% include 'other/text.txt' %}")
    (tmp_path / "other" / "text.txt").write_text("\n{% if %}")
    with pytest.raises(TemplateProblem, match=r"other/text\.txt, line 2: Expected"):
        renderer.render("goodbye", {})
    (tmp_path / "goodbye" / "text.txt").write_bytes(b"\xff")
    with pytest.raises(TemplateProblem, match=r"goodbye/text\.txt: .*decode"):
        renderer.render("goodbye", {})


def test_no_style_is_fetched(tmp_path: Path) -> None:
    link = '<link rel="stylesheet" href="http://127.0.0.1:9/x.css">'
    renderer = write(tmp_path, html=f"<head>{link}</head><p>x</p>")
    content = renderer.render("goodbye", {})
    assert content.html == "<html><head></head><body><p>x</p></body></html>"


def test_what_was_rendered_is_current_until_one_of_its_templates_changes(tmp_path: Path) -> None:
    renderer = write(tmp_path)
    content, is_current = renderer.render_watched("goodbye", {})
    assert content.subject == "x"
    renderer.render("other", {})
    (tmp_path / "other" / "text.txt").unlink()
    assert is_current()
    (tmp_path / "goodbye" / "html.html").unlink()
    assert not is_current()


def test_the_address_of_its_page_is_put_into_both_bodies() -> None:
    content = MailContent("a", f"b {WEB_URL}", f"<a href='{WEB_URL}'>")
    assert fill_web_url(content, "https://x/1") == MailContent(
        "a", "b https://x/1", "<a href='https://x/1'>"
    )
