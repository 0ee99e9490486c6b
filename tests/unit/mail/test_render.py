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
