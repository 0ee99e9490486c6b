"""How the commands feel: quick help with examples, one line for a mistake, completion, colours only where wanted."""

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

from newsletter.cli import COMMANDS, cli, digests
from newsletter.cli.status import sparkline
from newsletter.services.lists import digest_options
from tests.cli.conftest import Run
from tests.smtp.fault_server import FaultServer

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
        found = cli.get_command(context, name)
        assert found is not None
        yield from within(name, found)


def within(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    for sub, found in command.commands.items():
        yield from within(f"{name} {sub}", found)


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=[name for name, _ in commands()]
)
def test_every_command_has_help_and_an_example_of_itself(name: str, command: click.Command) -> None:
    assert command.help
    assert "Example" in (command.epilog or "")
    assert f"newsletter {name}" in (command.epilog or "")


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
        capture_output=True, text=True, cwd=cwd, env={**os.environ, **environ}, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.any_database
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_there_before_one_wonders(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """CPU time, so that a busy machine does not count; no database or mail engine is loaded for it, and yet it is the
    same as where they are."""
    code = (
        "import sys, time\nfrom newsletter.cli import main\n"
        "try: main([*sys.argv[1:], '--help'])\nexcept SystemExit: pass\n"
        "print(time.process_time(), [m for m in ('sqlalchemy', 'flask', 'pydantic', 'dns', 'rich') if m in sys.modules])"
    )
    words = [command] if command else []
    environ = {**os.environ, "COLUMNS": "80"}
    found = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
        env=environ,
    )
    said = found.stdout
    seconds, loaded = said.splitlines()[-1].split(" ", 1)
    assert float(seconds) < 0.3
    assert loaded == "[]"
    assert said.rsplit("\n", 2)[0] + "\n" == run(*words, "--help").out
    assert not [finder for finder in sys.meta_path if type(finder).__module__ == "newsletter.cli"]


def test_words_that_help_offers_are_those_the_program_knows() -> None:
    """They stand in commands once more, so that help needs no database engine."""
    assert digests.SECTIONS == digest_options.SECTIONS


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
    ("words", "said"),
    [
        (["subscribr"], "Did you mean 'subscriber'?"), (["subscriber", "lss"], "Did you mean 'ls'?"),
        (["subscriber", "ls", "--jsn"], "--json"), (["campaign", "show"], "campaign show --help"),
        (["subscriber", "import", "nothing.csv"], "does not exist"),
        (["subscriber", "import", "/dev/null", "--from", "mailchump"], "is none of"),
    ],
)  # fmt: skip
def test_a_typing_mistake_is_one_line_with_the_mend(run: Run, words: list[str], said: str) -> None:
    found = run(*words)
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert said in found.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["campaign", "show", "9" * 24], 1), (["campaign", "show", "x" * 20_000], 1), (["entry", "hold", "9" * 24], 2), (["entry", "ls", "--limit", "9" * 24], 0),
        (["subscriber", "ls", "--limit", "9" * 24], 0), (["subscriber", "export", ""], 1),
        (["campaign", "new", "x" * 20_000], 1), (["db", "backup", "x" * 20_000], 1),
        (["templates", "eject", "x" * 20_000], 1), (["list", "show", "x" * 20_000], 1),
        (["list", "show", "\x1b[31mred\x1b[2J\u202e"], 1), (["feed", "add", "http://\x1b]0;title\x07/"], 1),
    ],
    ids=lambda words: " ".join(words)[:20] if isinstance(words, list) else None,
)  # fmt: skip
def test_what_is_too_large_or_hostile_is_one_short_line(
    newsletter: Run, words: list[str], code: int
) -> None:
    found = newsletter(*words)
    assert (found.code, found.err.count("\n")) == (code, 1 if code else 0)
    assert "Internal error" not in found.err
    assert len(found.err) < 1200
    assert found.err.rstrip("\n").isprintable()


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("shell", "code", "said"),
    [
        ("status >&-", 0, ""), ("subscriber export <&- >&- 2>&-", 0, ""), ("subscriber remove a@example.com <&-", 2, "--yes"),
        ("subscriber export >/dev/full", 1, "No space left"), ("status >/dev/full", 1, "No space left"),
        ("subscriber ls --json | head -0", 0, ""),
    ],
)  # fmt: skip
def test_nobody_listens_or_nothing_can_be_written(
    newsletter: Run, tmp_path: Path, shell: str, code: int, said: str
) -> None:
    newsletter("subscriber", "add", "a@example.com", "--confirmed", "--because", "x")
    command = f"{sys.executable} -c 'from newsletter.cli import main; main()' {shell}"
    found = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stderr.count("\n")) == (code, 1 if said else 0), found.stderr
    assert said in found.stderr
    assert "Internal error" not in found.stderr


def test_completion() -> None:
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


@pytest.mark.any_database
def test_completion_knows_names_and_is_silent_where_there_are_none(
    newsletter: Run, tmp_path: Path
) -> None:
    newsletter("list", "add", "second", "--from", "Ana <ana@example.com>")
    (tmp_path / "letter.md").write_text("---\nsubject: Going slowly\n---\n\nA letter.\n")
    newsletter("campaign", "new", "letter.md", "--list", "second")

    def completed(words: str, **environ: str) -> list[str]:
        asked = {
            "_NEWSLETTER_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        found = spawned(cwd=tmp_path, **asked, **environ)
        assert (found.returncode, found.stderr) == (0, "")
        return found.stdout.split()

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
    """What a command shows on a terminal of 80 columns."""
    read, write = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from newsletter.cli import main; main()", *words], stdout=write, stderr=write, stdin=write,
        cwd=cwd, env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **environ},
    )  # fmt: skip
    os.close(write)
    said = b""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            said += os.read(read, 4096)
        except OSError:
            break
    process.wait(10)
    os.close(read)
    return said.decode()


def test_colours_only_on_a_terminal_that_wants_them(newsletter: Run, tmp_path: Path) -> None:
    assert "\x1b[" not in newsletter("status").out
    assert "\x1b[" in on_a_terminal("status", cwd=tmp_path)
    plain = on_a_terminal("status", cwd=tmp_path, NO_COLOR="1")
    assert "\x1b[" not in plain
    assert all(len(line) <= 80 for line in plain.splitlines())


def test_tables_and_texts_fit_on_a_terminal(newsletter: Run, tmp_path: Path) -> None:
    """Words are not broken at the edge, hours are the list's, and rhythms that nobody reads are no rows."""
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
        shown = on_a_terminal(*words, cwd=tmp_path, NO_COLOR="1")
        assert all(len(line) <= 80 for line in shown.splitlines()), (words, shown)
        assert "UTC" not in shown
    explained = newsletter("digest", "explain").out
    assert "Nobody has the cadence instant, daily, monthly." in explained
    assert "nobody has this cadence" not in explained
    assert newsletter("subscriber", "ls", "--tag", "vip", "--count").out == "1\n"
    assert newsletter("subscriber", "ls", "--tag", "other", "--count").out == "0\n"


def test_import_shows_a_bar_on_a_terminal(newsletter: Run, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("email\n" + "".join(f"r{n}@example.com\n" for n in range(2500)))
    shown = on_a_terminal(
        "subscriber", "import", "x.csv", "--confirmed", "--because", "x", cwd=tmp_path
    )
    assert shown.count("\r█") + shown.count("\r░") >= 1
    assert "2,500 rows = 2,500 new" in shown
    listed = on_a_terminal("subscriber", "ls", cwd=tmp_path)
    assert "50 of 2,500; --limit 0 prints all" in listed
    piped = newsletter("subscriber", "ls", "--limit", "3", "--json")
    assert len(json.loads(piped.out)) == 3
    assert piped.err == "3 of 2,500; --limit 0 prints all\n"
    assert newsletter("subscriber", "ls", "--count").out == "2500\n"
    assert len(json.loads(newsletter("subscriber", "ls", "--json").out)) == 2500


def test_the_bar_counts_the_letter_and_nothing_else(
    newsletter: Run, mail: FaultServer, tmp_path: Path
) -> None:
    newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "by phone")
    newsletter("subscriber", "add", "bob@example.com")
    (tmp_path / "letter.md").write_text("---\nsubject: Going slowly\n---\n\nA letter.\n")
    shown = on_a_terminal("campaign", "send", "letter.md", "--yes", "--offline", cwd=tmp_path)
    assert len(mail.accepted) == 2, "the worker took his confirmation along"
    assert "█ 1 sent, 0 failed, 0 waiting" in shown
    assert "2 sent" not in shown


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


def test_sparkline() -> None:
    assert sparkline((0, 1, 2, 4, 8)) == "·▂▃▅█"
    assert sparkline((0, 0)) == "··"


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
    said = newsletter("status").out
    for text in ("1 active, 1 pending", "+1 −0", "“Going slowly”, 1/1", "not running (never seen)"):
        assert text in said
    found = json.loads(newsletter("status", "--json").out)
    assert found["lists"][0]["last"]["totals"]["sent"] == 1
    got = newsletter("explain", "campaign", "1", "ana@example.com").out
    assert "They got it: " in got
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC  their message: sent", got)
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
