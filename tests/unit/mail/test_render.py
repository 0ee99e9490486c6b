"""Templates of mails are found in the first folder that has them, at any moment."""

from __future__ import annotations

from pathlib import Path

from newsletter.mail.render import Renderer


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
