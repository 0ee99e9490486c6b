"""Every block of code in README and docs is run by a test, or it says here why not.

A block is known by its page and first line. A new one fails until it stands in `BLOCKS`.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from newsletter.authoring.letter_file import parse_letter
from newsletter.settings_loader import load_settings
from tests.cli.conftest import Run, install
from tests.conftest import SECRET
from tests.feeds_server import FeedsServer, item, rss
from tests.smtp.fault_server import FaultServer

ROOT = Path(__file__).parents[2]
RUN = "run: its commands, here"
READ = "read: what it is made for takes it, here"
EXAMPLES = "tests/cli/test_examples.py::test_every_example_goes_through_every_command"
TUTORIAL = "tests/test_tutorial.py::test_the_tutorial_followed_to_the_letter"
INSTALL = "tests/servers/test_install_page.py::test_the_page_is_followed_to_the_letter"
CI = "why not: .ci/run and people run it"

BLOCKS = {
    "README.md": {
        "make demo": CI,
        "python3 -m venv .venv": "tests/test_docs.py::test_a_wheel_carries_everything",
        "newsletter init https://your.blog \\": RUN,
        "newsletter serve --port 8025": TUTORIAL,
        "newsletter embed": RUN,
        "newsletter digest preview --html next.html": RUN,
        "---": READ,
        "newsletter campaign preview letter.md": RUN,
        "newsletter subscriber import people.csv --confirmed": RUN,
        "sudo newsletter service install --user newsletter": RUN,
    },
    "CONTRIBUTING.md": {"make test": CI},
    "docs/api.md": {'newsletter token add "my shop"': RUN},
    "docs/author.md": {"newsletter author add ana@blog.example": RUN},
    "docs/backup.md": {
        "newsletter backup newsletter-$(date +%F).backup": RUN,
        "newsletter restore newsletter-2026-11-24.backup": (
            "tests/cli/test_backup_commands.py::test_a_backup_moves_to_a_bare_machine_in_one_command"
        ),
        "newsletter db release": (
            "tests/cli/test_backup_commands.py::test_a_backup_moves_to_a_bare_machine_in_one_command"
        ),
        "newsletter database copy": (
            "tests/services/operations/test_backup.py"
            "::test_a_copy_is_equal_row_by_row_and_so_is_the_way_back"
        ),
    },
    "docs/design.md": {
        "blog, channel --poll--> entries": "why not: a drawing",
        "wsgi.py": "tests/test_floor_plan.py::test_every_room_is_on_a_floor",
    },
    "docs/doctor.md": {"newsletter doctor": "tests/services/operations/test_doctor.py"},
    "docs/feeds.md": {"newsletter feed edit 1 --only-category": RUN},
    "docs/install.md": {
        "sudo apt-get install --yes python3-venv caddy": INSTALL,
        "sha256sum --check": INSTALL,
        "git clone REPOSITORY checkout": INSTALL,
        ".venv/bin/newsletter init https://your.blog": INSTALL,
        ".venv/bin/newsletter embed": INSTALL,
        "sudo /srv/newsletter/.venv/bin/newsletter --config": INSTALL,
        "sudo -u newsletter /srv/newsletter/.venv/bin/newsletter \\": INSTALL,
        "sudo certbot certonly": INSTALL,
        "sudo -u newsletter -i": INSTALL,
        "*/5 * * * *": "tests/cli/test_smaller_commands.py",
    },
    "docs/letters.md": {
        "newsletter campaign new letter.md": RUN,
        "---": EXAMPLES,
        '{% if "berlin" in subscriber.tags %}': EXAMPLES,
        "[Was this helpful?]": EXAMPLES,
        "newsletter series add welcome/01-hello.md": RUN,
    },
    "docs/monitoring.md": {"[metrics]": READ, "scrape_configs:": READ},
    "docs/pages.md": {"newsletter resource add guide.pdf": RUN},
    "docs/people.md": {
        "newsletter subscriber import subscribers.csv --dry-run": RUN,
        "newsletter subscriber export subscribers.csv": RUN,
        "newsletter subscriber edit ana@example.org --language de": RUN,
    },
    "docs/scaling.md": {
        "sudo apt-get install --yes postgresql": (
            "tests/services/operations/test_backup.py"
            "::test_a_copy_is_equal_row_by_row_and_so_is_the_way_back"
        ),
        "exit": (
            "tests/services/operations/test_service_units.py"
            "::test_the_units_of_the_other_way_are_removed"
        ),
        "database_url = ": READ,
    },
    "docs/testing.md": {"make test": CI},
    "docs/tutorial.md": {
        "newsletter init https://your.blog --from": (
            "why not: the README's block again, which is run; with a server and a password"
        ),
        "*": TUTORIAL,
    },
    "docs/upgrade.md": {
        "sha256sum --check": (
            "tests/services/operations/test_backup.py"
            "::test_an_upgrade_backs_up_first_and_only_where_there_is_something_to_upgrade"
        )
    },
    "docs/webhooks.md": {"newsletter webhook add https://example.org/hook": RUN, '{"type":': READ},
}
"""For each page, how a block that begins like this is tried: here, by a test, or why not."""
LINES_NOT_RUN = {
    "newsletter doctor": "asks the DNS; tests/services/operations/test_doctor.py",
    "sudo newsletter service install": "tests/services/operations/test_service_units.py",
    "curl": "tests/web/test_api.py asks the same address with such a token",
    "newsletter campaign new letter.md": "tests/cli/test_letters.py; the letter is there already",
}
"""Lines of blocks that are run, which are not, each with the reason."""


def blocks(page: str) -> Iterator[str]:
    """Yield the text of every block of a page."""
    text = (ROOT / page).read_text()
    for _, body in re.findall(r"^( *)```[^\n]*\n(.*?)^\1```$", text, re.M | re.S):
        yield body


def find_handling(page: str, block: str) -> str:
    """Return how a block is tried, "" if nobody has said."""
    known = BLOCKS.get(page, {})
    ways = [way for start, way in known.items() if block.startswith(start)]
    return ways[0] if ways else known.get("*", "")


def pages() -> list[str]:
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    return sorted(str(file.relative_to(ROOT)) for file in files)


def test_every_block_is_tried_or_says_why_not() -> None:
    unknown = [
        f"{page}: {block.splitlines()[0] if block else 'an empty block'}"
        for page in pages()
        for block in blocks(page)
        if not find_handling(page, block)
    ]
    assert not unknown, f"say in BLOCKS how these are tried: {unknown}"
    for page, known in BLOCKS.items():
        texts = list(blocks(page))
        for start in known:
            assert start == "*" or any(text.startswith(start) for text in texts), (page, start)


def test_the_tests_that_are_named_exist() -> None:
    named = {way for known in BLOCKS.values() for way in known.values() if "::" in way}
    for way in named | {way for known in BLOCKS.values() for way in known.values()}:
        if way.startswith("tests/"):
            file, _, name = way.partition("::")
            assert f"def {name}" in (ROOT / file).read_text(), way


@pytest.mark.parametrize(
    "page", ["README.md", "docs/monitoring.md", "docs/scaling.md", "docs/webhooks.md"]
)
def test_settings_letters_and_answers_can_be_read(page: str, tmp_path: Path) -> None:
    texts = [text for text in blocks(page) if find_handling(page, text) == READ]
    assert texts
    for text in texts:
        if text.startswith("---"):
            assert parse_letter(text).subject
        elif text.startswith("{"):
            assert json.loads(text)["type"]
        elif text.startswith("scrape_configs"):
            assert yaml.safe_load(text)["scrape_configs"]
        else:
            (tmp_path / "newsletter.toml").write_text(f'secret_key = "{SECRET}"\n{text}')
            assert tomllib.loads(text)
            load_settings(tmp_path / "newsletter.toml", {})


@pytest.fixture
def world(run: Run, blog: FeedsServer, mail: FaultServer, tmp_path: Path) -> Run:
    """Make an installation with what the blocks name: a list `blog`, Ana, files, two letters."""
    install(run, blog, mail, "--slug", "blog")
    letter = "---\nsubject: {}\n---\n\nTwenty words, so that nobody takes this for a picture.\n"
    (tmp_path / "welcome").mkdir()
    for name in ("letter", "welcome/01-hello", "welcome/02-boundaries"):
        (tmp_path / f"{name}.md").write_text(letter.format(name))
    for name in ("people", "subscribers"):
        (tmp_path / f"{name}.csv").write_text(f"email,name\n{name}@example.org,Bea\n")
    (tmp_path / "guide.pdf").write_bytes(b"%PDF-1.7 slowly")
    for words in (
        'subscriber add ana@example.org --confirmed --because "asked me"',
        "topic add Yoga --list blog",
        "field add city --list blog --label City",
        "list edit blog --grace 0",
    ):
        ended = run(*shlex.split(words))
        assert ended.code == 0, ended.out + ended.err
    blog.page("/feed.xml", rss(item("New"), item("Old"), title="Slow Letters", link=blog.url))
    assert run("feed", "check").code == 0
    return run


def lines_of(block: str) -> list[str]:
    """Return the commands of a block that are run."""
    lines = re.sub(r"\\\n\s*", " ", block).splitlines()
    return [line for line in lines if not any(line.startswith(start) for start in LINES_NOT_RUN)]


def run_line(run: Run, line: str, folder: Path, blog: FeedsServer) -> None:
    """Run one line as a shell would, with the blog, list and folder of this test."""
    today = f"{datetime.now().astimezone():%Y-%m-%d}"  # as `date` says it
    for old, new in (
        ("$(date +%F)", today),
        ("https://your.blog ", f"{blog.url} "),
        ("/srv/newsletter/backups/", f"{folder}/backups/"),
        ("newsletter-2026-11-24.backup", f"newsletter-{today}.backup"),
        ("2027-01-31", f"{datetime.now().astimezone() + timedelta(days=60):%Y-%m-%d}"),
        ("your-list", "blog"),
        ("campaign report 3 ", "campaign report 1 "),
    ):
        line = line.replace(old, new)
    words = shlex.split(line, comments=True)
    assert words[0] == "newsletter", line
    target = ""
    if ">" in words:
        target = words[-1]
        words = words[: words.index(">")]
    if words[1] == "init":
        words[1:1] = ["--config", str(folder / "second" / "newsletter.toml")]
        (folder / "second").mkdir()
    result = run(*words[1:])
    if "add --yes to do it" in result.err:  # there is no terminal to ask on
        result = run(*words[1:], "--yes")
    assert result.code == 0, (line, result.out + result.err)
    if target:
        (folder / target).write_text(result.out)


def test_the_commands_of_the_blocks_work(world: Run, blog: FeedsServer, tmp_path: Path) -> None:
    """One after the other in one installation; a letter goes once, so that each page has its
    own.
    """
    for number, page in enumerate(page for page in BLOCKS if RUN in BLOCKS[page].values()):
        text = (tmp_path / "letter.md").read_text()
        (tmp_path / "letter.md").write_text(text + f"\nParagraph {number}.\n")
        for block in blocks(page):
            if find_handling(page, block) == RUN:
                for line in lines_of(block):
                    run_line(world, line, tmp_path, blog)
