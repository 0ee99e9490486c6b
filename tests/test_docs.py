"""The documentation says what is true: commands, settings, the README's two commands, templates,
packaging.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask

from newsletter.cli.reference import render_reference
from newsletter.db.session import Base, db
from newsletter.i18n import LANGUAGES, get_babel_locale
from newsletter.settings import Settings, list_keys

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    str(file.relative_to(ROOT)) for file in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
)


def test_the_reference_of_commands_is_up_to_date() -> None:
    assert (ROOT / "docs/commands.md").read_text() == render_reference(), (
        "python -m newsletter.cli.reference > docs/commands.md"
    )


NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve"


def test_the_docs_count_and_name_the_languages() -> None:
    number = NUMBERS.split()[len(LANGUAGES)]
    page = (ROOT / "docs" / "translating.md").read_text()
    assert page.startswith(f"# {number.capitalize()} languages\n")
    assert f"[{number} languages]" in (ROOT / "README.md").read_text()
    first = page.split("\n\n")[1]
    names = {code: get_babel_locale(code).get_language_name("en") for code in LANGUAGES}
    assert [name for name in names.values() if name not in first] == []


def test_paths_named_in_the_docs_exist() -> None:
    pages = [ROOT / "CONTRIBUTING.md", ROOT / "docs/security.md", ROOT / "docs/design.md"]
    for page in pages:
        for path in re.findall(
            r"`((?:newsletter|tests|docs|templates)/[\w/.]+?)/?`", page.read_text()
        ):
            assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_every_setting_is_documented_and_no_other() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    assert set(re.findall(r"^- `([a-z_.]+)`", text, re.M)) == set(list_keys(Settings))


@pytest.mark.parametrize("page", PAGES)
def test_lines_of_the_docs_have_100_characters_at_most(page: str) -> None:
    """A longer URL is the only exception: it cannot be broken."""
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        assert len(line) <= 100 or re.search(r"https?://\S{60,}", line), f"{page}:{number}"


def test_the_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make demo" in text
    assert "make test" in text


@pytest.mark.parametrize("page", PAGES)
def test_links_and_commands_in_the_docs_exist(page: str) -> None:
    from newsletter.cli import COMMANDS

    file = ROOT / page
    text = file.read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", re.sub(r"`[^`]*`", "", text)):
        if "://" not in target:
            assert (file.parent / target).exists(), target
    for command in re.findall(r"(?:^|`)newsletter ([a-z]+)(?=[ `\n])", text, re.M):
        assert command in COMMANDS, command


def test_every_migration_and_every_model_agree(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        differences = [
            change
            for change in compare_metadata(context, Base.metadata)
            if change[0] != "remove_table"
        ]
    assert differences == []


def test_a_wheel_carries_everything(tmp_path: Path) -> None:
    """Built from a checkout, installed elsewhere, it plays the whole demo."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "newsletter/templates/emails/layout.html",
        "newsletter/templates/pages/base.html",
        "wsgi.py",
        "newsletter/web/static/style.css",
        "newsletter/migrations/env.py",
        "newsletter/migrations/script.py.mako",
        "newsletter/translations/ar/LC_MESSAGES/messages.po",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith(("tests/", "bench/"))]
    venv.create(tmp_path / "venv", with_pip=False)
    site = next((tmp_path / "venv/lib").glob("python*")) / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (site / "libraries.pth").write_text("\n".join(libraries))
    done = subprocess.run(
        [
            tmp_path / "venv/bin/python",
            "-c",
            "import newsletter, sys; assert newsletter.__file__.startswith(sys.prefix), "
            "newsletter.__file__\n"
            "from newsletter.cli import main; main(['demo', '--once'])",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every step held." in done.stdout


def test_every_page_is_described(app: Flask) -> None:
    """Each address a browser or a program can ask for stands in docs/pages.md or
    docs/bounces.md.
    """
    text = " ".join(f"{(ROOT / 'docs' / name).read_text()}" for name in ("pages.md", "bounces.md"))
    paths = {re.sub(r"<(?:path:)?(\w+)>", r"<\1>", str(rule)) for rule in app.url_map.iter_rules()}
    missing = {path for path in paths if f"`{path.replace('<slug>', '<list>')}`" not in text}
    shared = {"/static/<filename>"} | {
        path for path in missing if path.startswith(("/author/", "/api/"))
    }
    assert missing - shared == set()
