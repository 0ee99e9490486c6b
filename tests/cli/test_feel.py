"""Test how the commands feel: quick help with examples, one line for a mistake, completion,
colours only where wanted.
"""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from newsletter.cli import COMMANDS, cli
from newsletter.cli.groups import DESTRUCTIVE
from newsletter.cli.status import draw_sparkline
from tests.cli.conftest import Run
from tests.smtp.fault_server import FaultServer
from tests.waiting import PATIENCE

CONTRACT = {
    "list": "add ls show edit remove",
    "feed": "add ls check pause resume remove read",
    "entry": "ls show skip hold release resend",
    "digest": "preview send explain",
    "campaign": "new ls show preview test send pause resume cancel retry report",
    "subscriber": "ls show add edit remove import export erase proof",
    "suppression": "ls add remove",
    "bounce": "process poll ls read listen",
    "resource": "add ls remove",
    "db": "upgrade backup restore",
    "templates": "ls eject",
}
CLI = Path(__file__).parent.parent.parent / "newsletter" / "cli"


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli, info_name="newsletter")
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield from within(name, command)


def within(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    for sub, subcommand in command.commands.items():
        yield from within(f"{name} {sub}", subcommand)


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=[name for name, _ in commands()]
)
def test_every_command_has_help_and_an_example_of_itself(name: str, command: click.Command) -> None:
    assert command.help
    assert "Example" in (command.epilog or "")
    assert f"newsletter {name}" in (command.epilog or "")


def test_every_command_that_takes_away_asks_first() -> None:
    destructive = [(name, row) for name, row in commands() if name.split()[-1] in DESTRUCTIVE]
    silent = [name for name, row in destructive if not any(p.name == "yes" for p in row.params)]
    assert len(destructive) > 10
    assert silent == []


def test_no_command_file_is_long() -> None:
    for file in CLI.glob("*.py"):
        assert len(file.read_text().splitlines()) <= 320, file


def test_functions_are_short() -> None:
    package = CLI.parent
    sizes = [
        (node.end_lineno or 0) - node.lineno + 1
        for file in package.rglob("*.py")
        if "versions" not in file.parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    assert sorted(sizes)[len(sizes) // 2] < 10


def spawned(
    *words: str, cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from newsletter.cli import main; main()", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environ},
        timeout=60,
        check=False,
    )


@pytest.mark.any_database
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_there_before_one_wonders(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Count the modules, which is what takes the time and is the same on any machine; no database
    or mail engine is loaded for it, and yet it is the same as where they are.
    """
    code = (
        "import sys\nbefore = len(sys.modules)\nfrom newsletter.cli import main\n"
        "try: main([*sys.argv[1:], '--help'])\nexcept SystemExit: pass\n"
        "print(len(sys.modules) - before, [m for m in ('sqlalchemy', 'flask', 'pydantic', 'dns', "
        "'rich') if m in sys.modules])"
    )
    words = [command] if command else []
    environ = {**os.environ, "COLUMNS": "80"}
    result = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
        env=environ,
    )
    output = result.stdout
    modules, loaded = output.splitlines()[-1].split(" ", 1)
    assert int(modules) < 250
    assert loaded == "[]"
    assert output.rsplit("\n", 2)[0] + "\n" == run(*words, "--help").out
    assert not [finder for finder in sys.meta_path if type(finder).__module__ == "newsletter.cli"]


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=[name for name, _ in commands()]
)
def test_choices_are_typed_by_their_values(name: str, command: click.Command) -> None:
    """An enum in a plain `click.Choice` would want the names of its members: `DAILY`."""
    context = click.Context(command)
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice):
            for choice in parameter.type.choices:
                assert parameter.type.normalize_choice(choice, context) == str(choice)
                assert str(choice) == str(choice).lower()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["subscribr"], "Did you mean 'subscriber'?"),
        (["subscriber", "lss"], "Did you mean 'ls'?"),
        (["subscriber", "ls", "--jsn"], "--json"),
        (["campaign", "show"], "campaign show --help"),
        (["subscriber", "import", "nothing.csv"], "does not exist"),
        (["subscriber", "import", "/dev/null", "--from", "mailchump"], "is unknown"),
    ],
)
def test_a_typing_mistake_is_one_line_with_the_mend(
    run: Run, words: list[str], expected: str
) -> None:
    result = run(*words)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert expected in result.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["campaign", "show", "9" * 24], 1),
        (["campaign", "show", "x" * 20_000], 1),
        (["entry", "hold", "9" * 24], 2),
        (["entry", "ls", "--limit", "9" * 24], 0),
        (["subscriber", "ls", "--limit", "9" * 24], 0),
        (["subscriber", "export", ""], 1),
        (["campaign", "new", "x" * 20_000], 1),
        (["db", "backup", "x" * 20_000], 1),
        (["templates", "eject", "x" * 20_000], 1),
        (["list", "show", "x" * 20_000], 1),
        (["list", "show", "\x1b[31mred\x1b[2J\u202e"], 1),
        (["feed", "add", "http://\x1b]0;title\x07/"], 1),
    ],
    ids=lambda words: " ".join(words)[:20] if isinstance(words, list) else None,
)
def test_what_is_too_large_or_hostile_is_one_short_line(
    newsletter: Run, words: list[str], code: int
) -> None:
    result = newsletter(*words)
    assert (result.code, result.err.count("\n")) == (code, 1 if code else 0)
    assert "Internal error" not in result.err
    assert len(result.err) < 1200
    assert result.err.rstrip("\n").isprintable()


@pytest.mark.processes
@pytest.mark.any_database
@pytest.mark.parametrize(
    ("shell", "code", "expected"),
    [
        ("status >&-", 0, ""),
        ("subscriber export <&- >&- 2>&-", 0, ""),
        ("subscriber remove a@example.com <&-", 2, "--yes"),
        ("subscriber export >/dev/full", 1, "No space left"),
        ("status >/dev/full", 1, "No space left"),
        ("subscriber ls --json | head -0", 0, ""),
    ],
)
def test_nobody_listens_or_nothing_can_be_written(
    newsletter: Run, tmp_path: Path, shell: str, code: int, expected: str
) -> None:
    newsletter("subscriber", "add", "a@example.com", "--confirmed", "--because", "x")
    command = f"{sys.executable} -c 'from newsletter.cli import main; main()' {shell}"
    result = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr.count("\n")) == (code, 1 if expected else 0), (
        result.stderr
    )
    assert expected in result.stderr
    assert "Internal error" not in result.stderr


@pytest.mark.processes
def test_shells_complete_the_names_of_commands() -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_NEWSLETTER_COMPLETE" in spawned("completion", shell).stdout
    environ = {
        "_NEWSLETTER_COMPLETE": "bash_complete",
        "COMP_WORDS": "newsletter subscriber im",
        "COMP_CWORD": "2",
    }
    assert spawned(**environ).stdout.split() == ["plain,import"]
    environ |= {"COMP_WORDS": "newsletter st", "COMP_CWORD": "1"}
    assert spawned(**environ).stdout.split() == ["plain,status", "plain,stats"]


@pytest.mark.processes
@pytest.mark.any_database
def test_completion_knows_names_and_is_silent_where_there_are_none(
    newsletter: Run, tmp_path: Path
) -> None:
    newsletter("list", "add", "second", "--from", "Ana <ana@example.com>")
    (tmp_path / "letter.md").write_text("---\nsubject: Going slowly\n---\n\nA letter.\n")
    newsletter("campaign", "new", "letter.md", "--list", "second")

    def completed(words: str, **environ: str) -> list[str]:
        question = {
            "_NEWSLETTER_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        result = spawned(cwd=tmp_path, **question, **environ)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout.split()

    assert completed("newsletter list show s") == ["plain,slow-letters", "plain,second"]
    assert completed("newsletter subscriber ls --list se") == ["plain,second"]
    assert completed("newsletter explain campaign ") == ["plain,1"]
    assert completed("newsletter campaign show let") == ["file,let"]
    assert completed("newsletter subscriber ls --status p") == ["plain,pending"]
    for url in (
        "postgresql+psycopg://x@127.0.0.1:1/x",
        "sqlite:////nowhere/x.db",
        f"sqlite:///{tmp_path}/letter.md",
    ):
        assert completed("newsletter list show s", NEWSLETTER_DATABASE_URL=url) == []
    (tmp_path / "newsletter.toml").write_text("nonsense")
    assert completed("newsletter list show s") == []


def on_a_terminal(*words: str, cwd: Path, **environ: str) -> str:
    """Return what a command shows on a terminal of 80 columns."""
    read, write = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from newsletter.cli import main; main()", *words],
        stdout=write,
        stderr=write,
        stdin=write,
        cwd=cwd,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **environ},
    )
    os.close(write)
    text = b""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        try:
            text += os.read(read, 4096)
        except OSError:
            break
    process.wait(10)
    os.close(read)
    return text.decode()


@pytest.mark.processes
def test_colours_only_on_a_terminal_that_wants_them(newsletter: Run, tmp_path: Path) -> None:
    assert "\x1b[" not in newsletter("status").out
    assert "\x1b[" in on_a_terminal("status", cwd=tmp_path)
    plain = on_a_terminal("status", cwd=tmp_path, NO_COLOR="1")
    assert "\x1b[" not in plain
    assert all(len(line) <= 80 for line in plain.splitlines())


@pytest.mark.processes
def test_tables_and_texts_fit_on_a_terminal(newsletter: Run, tmp_path: Path) -> None:
    """Words are not broken at the edge, hours are the list's, and cadences that nobody reads are no
    rows.
    """
    newsletter("list", "edit", "slow-letters", "--timezone", "Asia/Tokyo")
    newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "x")
    newsletter("subscriber", "edit", "ana@example.com", "--tag", "Vip")
    for words in (
        ("digest", "explain"),
        ("entry", "ls"),
        ("feed", "ls"),
        ("feed", "check"),
        ("digest", "send", "--dry-run"),
    ):
        result = on_a_terminal(*words, cwd=tmp_path, NO_COLOR="1")
        assert all(len(line) <= 80 for line in result.splitlines()), (words, result)
        assert "UTC" not in result
    explained = newsletter("digest", "explain").out
    assert "Nobody has the cadence instant, daily, monthly." in explained
    assert "nobody has this cadence" not in explained
    assert newsletter("subscriber", "ls", "--tag", "vip", "--count").out == "1\n"
    assert newsletter("subscriber", "ls", "--tag", "other", "--count").out == "0\n"


@pytest.mark.processes
def test_import_shows_a_bar_on_a_terminal(newsletter: Run, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("email\n" + "".join(f"r{n}@example.com\n" for n in range(2500)))
    result = on_a_terminal(
        "subscriber", "import", "x.csv", "--confirmed", "--because", "x", cwd=tmp_path
    )
    assert result.count("\r█") + result.count("\r░") >= 1
    assert "2,500 rows = 2,500 new" in result
    listed = on_a_terminal("subscriber", "ls", cwd=tmp_path)
    assert "50 of 2,500; --limit 0 prints all" in listed
    piped = newsletter("subscriber", "ls", "--limit", "3", "--json")
    assert len(json.loads(piped.out)) == 3
    assert piped.err == "3 of 2,500; --limit 0 prints all\n"
    assert newsletter("subscriber", "ls", "--count").out == "2500\n"
    assert len(json.loads(newsletter("subscriber", "ls", "--json").out)) == 2500


@pytest.mark.processes
def test_the_bar_counts_the_letter_and_nothing_else(
    newsletter: Run, mail: FaultServer, tmp_path: Path
) -> None:
    newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "by phone")
    newsletter("subscriber", "add", "bob@example.com")
    (tmp_path / "letter.md").write_text("---\nsubject: Going slowly\n---\n\nA letter.\n")
    result = on_a_terminal("campaign", "send", "letter.md", "--yes", "--offline", cwd=tmp_path)
    assert len(mail.accepted) == 2, "the worker took his confirmation along"
    assert "█ 1 sent, 0 failed, 0 waiting" in result
    assert "2 sent" not in result


def test_every_list_can_be_read_by_a_program() -> None:
    for name, command in commands():
        if name.endswith(" ls"):
            assert any("--json" in parameter.opts for parameter in command.params), name


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_names_of_commands_stay(name: str) -> None:
    """Cron lines and scripts call them: renaming a function must not rename its command."""
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, click.Group)
    assert set(CONTRACT[name].split()) <= set(command.commands)


def test_a_sparkline_is_as_high_as_its_highest_number() -> None:
    assert draw_sparkline((0, 1, 2, 4, 8)) == "·▂▃▅█"
    assert draw_sparkline((0, 0)) == "··"


def test_status_and_explain_say_what_is_so(
    newsletter: Run, mail: FaultServer, tmp_path: Path
) -> None:
    newsletter(
        "subscriber",
        "add",
        "ana@example.com",
        "--confirmed",
        "--because",
        "by phone",
        "--name",
        "Ana",
    )
    newsletter("subscriber", "add", "bob@example.com")
    (tmp_path / "letter.md").write_text("---\nsubject: Going slowly\n---\n\nA letter.\n")
    assert newsletter("campaign", "send", "letter.md", "--yes").code == 0
    result = newsletter("status").out
    for text in ("1 active, 1 pending", "+1 −0", "“Going slowly”, 1/1", "not running (never seen)"):
        assert text in result
    data = json.loads(newsletter("status", "--json").out)
    assert data["lists"][0]["last"]["totals"]["sent"] == 1
    output = newsletter("explain", "campaign", "1", "ana@example.com").out
    assert "They got it: " in output
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC  their message: sent", output)
    missed = json.loads(newsletter("explain", "campaign", "1", "bob@example.com", "--json").out)
    assert (missed["got"], "never confirmed" in missed["verdict"]) == (False, True)
    assert newsletter("explain", "campaign", "9", "ana@example.com").code == 1
    story = newsletter("subscriber", "show", "ana@example.com").out
    assert "added by author (by phone)" in story
    assert "letter 1 “Going slowly” sent" in story


def test_export_in_a_pipe_and_to_a_file(newsletter: Run, tmp_path: Path) -> None:
    newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "x")
    piped = newsletter("subscriber", "export").out
    assert piped.splitlines()[1].startswith("ana@example.com,")
    assert newsletter("subscriber", "export", "out.csv").code == 0
    assert (tmp_path / "out.csv").read_text() == piped
    assert newsletter("subscriber", "export", "missing/out.csv").code == 1
    assert newsletter("subscriber", "export", "--status", "pending").out.count("\n") == 1
