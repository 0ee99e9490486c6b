"""Every example of the documentation goes through every command that takes a letter or a digest's
words.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.feeds_server import FeedsServer, item, rss
from tests.smtp.fault_server import FaultServer
from tests.unit.authoring.test_images import picture

DOCS = Path(__file__).parents[2] / "docs"
PAGES_OF_LETTERS = ("digests", "letters", "pages", "people", "tutorial")
"""The pages whose examples are letters; the others show mail templates and other programs' files.
"""
DOORS = (
    ("campaign", "preview"),
    ("campaign", "preflight", "--offline"),
    ("campaign", "test", "--to", "me@example.org"),
    ("campaign", "new"),
    ("campaign", "send", "--detach", "--yes", "--offline", "--anyway"),
    ("campaign", "send", "--at", "tomorrow 9:00", "--yes", "--offline", "--anyway", "--again"),
    ("series", "add", "--after", "3d"),
)
FIELDS = {
    "free": '{{ resource("guide") }}',
    "link": '[The guide]({{ resource("guide") }})',
    "condition": '{% if subscriber.name %}\nSee {{ resource("guide") }}\n{% endif %}',
    "loop": '{% for n in range(2) %}\n{{ n }}: {{ resource("guide") }}\n{% endfor %}',
    "set": '{% set guide = resource("guide") %}The guide: {{ guide }}',
    "filter": '{{ resource("guide")|upper|lower }}',
}


def examples() -> list[str]:
    """Blocks of Markdown, and pieces of a letter written in a line; what only names a tag is
    none.
    """
    letters = []
    for page in PAGES_OF_LETTERS:
        text = (DOCS / f"{page}.md").read_text()
        letters += re.findall(r"^```markdown\n(.*?)^```$", text, re.M | re.S)
        spans = re.findall(r"`([^`\n]*)`", text)
        letters += [span for span in spans if re.search(r"\{\{.+\}\}|\]\(|\[\^1\]|~~", span)]
    return letters


def written(example: str) -> str:
    """Return an example as a whole letter."""
    head = (
        ""
        if example.startswith("---\n")
        else "---\nsubject: An example\n---\n\nHello, here it is.\n\n"
    )
    return (
        head
        + example
        + (
            "\n\nTwenty words more, so that nobody takes this for a picture without a word "
            "beside it.\n"
        )
    )


@pytest.fixture
def installation(newsletter: Run, tmp_path: Path) -> Run:
    (tmp_path / "guide.pdf").write_bytes(b"%PDF-1.7 slowly")
    (tmp_path / "tree.jpg").write_bytes(picture())
    assert newsletter("resource", "add", "guide.pdf").code == 0
    for name in ("Ana", ""):
        address = f"{name.lower() or 'x'}@example.com"
        added = ("subscriber", "add", address, "--name", name, "--confirmed", "--because", "x")
        assert newsletter(*added).code == 0
    assert newsletter("subscriber", "edit", "ana@example.com", "--tag", "berlin").code == 0
    return newsletter


def test_there_are_examples() -> None:
    assert len(examples()) >= 6
    assert any("resource(" in example for example in examples())


def test_every_example_goes_through_every_command(
    installation: Run, mail: FaultServer, tmp_path: Path
) -> None:
    for number, example in enumerate(examples()):
        (tmp_path / f"{number}.md").write_text(written(example))
        for command, verb, *options in DOORS:
            if command == "series" and ("segment:" in example or "](answer:" in example):
                continue  # a series goes to everybody, and asks no one-tap questions
            result = installation(command, verb, f"{number}.md", *options)
            assert result.code == 0, (example, command, verb, result.out + result.err)


@pytest.mark.parametrize("where", [*FIELDS, "subject", "preheader"])
def test_resource_works_wherever_it_stands(
    installation: Run, mail: FaultServer, tmp_path: Path, where: str
) -> None:
    body = FIELDS.get(where, "Hello.")
    head = f"{where}: 'See {FIELDS['free']}'\n" if where in ("subject", "preheader") else ""
    subject = "" if where == "subject" else "subject: A gift\n"
    text = (
        f"---\n{subject}{head}---\n\n{body}\n\nTwenty words more, so that nobody takes this "
        "for a picture alone.\n"
    )
    (tmp_path / "gift.md").write_text(text)
    for command, verb, *options in DOORS:
        result = installation(command, verb, "gift.md", *options)
        assert result.code == 0, (command, verb, result.out + result.err)
    assert installation("worker", "--once").code == 0
    letters = [data for _, to, data in mail.accepted if to == "ana@example.com"]
    assert len(letters) == 1
    assert re.search(rb"resources/[\w=\r\n-]+\.guide\.", letters[0].replace(b"=\r\n", b"")), (
        "a link of Ana's own"
    )


def test_a_letter_that_no_command_takes_is_refused_by_the_preflight(
    installation: Run, tmp_path: Path
) -> None:
    (tmp_path / "bad.md").write_text(
        "---\nsubject: x\n---\n{{ resource('no-' ~ 'such') }} for you\n"
    )
    assert installation("campaign", "preflight", "bad.md", "--offline").code == 1
    result = installation("campaign", "send", "bad.md", "--yes", "--offline", "--anyway")
    assert (result.code, "there is no resource" in result.err) == (1, True)


def test_the_examples_of_a_digests_words(
    installation: Run, blog: FeedsServer, mail: FaultServer
) -> None:
    words = re.findall(
        r'newsletter digest intro "([^"]+)"',
        "".join(page.read_text() for page in DOCS.glob("*.md")),
    )
    assert words
    blog.page("/feed.xml", rss(item("New"), item("Old"), title="Slow Letters", link=blog.url))
    assert installation("feed", "check").code == 0
    for text in words:
        assert installation("digest", "intro", text).code == 0
        assert installation("digest", "preview").code == 0
        dry = installation("digest", "send", "--dry-run")
        assert (dry.code, "1 entry to 2 subscribers" in dry.out) == (0, True), dry.out
    assert installation("digest", "send", "--yes", "--detach").code == 0
    assert not [to for _, to, _ in mail.accepted if to != "me@example.org"], (
        "a dry run mails nobody"
    )
