"""Commands as an author and her cron meet them: what they say, and how they end."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.app import create_app
from newsletter.cli import COMMANDS
from newsletter.db.session import transaction
from newsletter.models import DomainBackoff
from newsletter.settings_loader import load_settings
from tests.cli.conftest import Run
from tests.fakes import parsed
from tests.feeds_server import FeedsServer, item, rss
from tests.smtp.fault_server import FaultServer, always

LETTER = (
    "---\nsubject: Going slowly\npreheader: A pause\n---\n\n# Hello\n\n"
    "A *letter* with [a link](/about).\n"
)


def test_init_finds_the_feed_and_overwrites_nothing(
    newsletter: Run, blog: FeedsServer, tmp_path: Path
) -> None:
    assert stat.S_IMODE((tmp_path / "newsletter.toml").stat().st_mode) == 0o600
    assert "slow-letters" in newsletter("list", "ls").out
    assert f"{blog.url}/feed.xml" in newsletter("feed", "ls").out
    assert "skipped" in newsletter("entry", "ls").out
    before = (tmp_path / "newsletter.toml").read_text()
    result = newsletter("init", "--from", "x <x@example.com>", "--yes")
    assert result.code == 1
    assert "exists already" in result.err
    assert (tmp_path / "newsletter.toml").read_text() == before


def test_init_makes_nothing_from_a_blog_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    words = ("--from", "Ana <ana@example.com>", "--title", "Mine", "--yes")
    result = run("init", "http://127.0.0.1:1/", *words)
    assert result.code == 1
    assert "nothing was written" in result.err
    assert list(tmp_path.iterdir()) == []
    assert run("init", *words).code == 0
    assert "mine" in run("list", "ls").out


@pytest.mark.parametrize(
    "words",
    [
        ["--yes"],
        ["--from", "nobody", "--yes"],
        ["--from", "a <a@b.org>", "--timezone", "Mars", "--yes"],
    ],
)
def test_init_that_cannot_be(run: Run, tmp_path: Path, words: list[str]) -> None:
    result = run("init", *words)
    assert result.code in (1, 2)
    assert result.err
    assert not (tmp_path / "newsletter.toml").exists()


def test_a_digest_is_made_shown_and_sent(
    newsletter: Run, blog: FeedsServer, mail: FaultServer
) -> None:
    newsletter("subscriber", "add", "reader@example.com", "--confirmed", "--because", "by phone")
    assert "nothing new" in newsletter("digest", "explain").out
    assert newsletter("digest", "preview").code == 1
    blog.page("/feed.xml", rss(item("New post"), item("Old"), title="Slow Letters", link=blog.url))
    assert "1 new" in newsletter("feed", "check").out
    assert "Subject: New post" in newsletter("digest", "preview").out
    assert "1 entry to 1 subscriber" in newsletter("digest", "send", "--dry-run").out
    assert mail.accepted == []
    refused = newsletter("digest", "send")
    assert (refused.code, mail.accepted) == (2, [])
    assert "--yes" in refused.err
    sent = newsletter("digest", "send", "--yes")
    assert (sent.code, len(mail.accepted)) == (0, 1)
    assert "1 sent" in sent.out
    assert parsed(mail.accepted[0][2])["Subject"] == "New post"
    assert "nothing" in newsletter("digest", "send", "--yes").out
    explained = json.loads(newsletter("digest", "explain", "reader@example.com", "--json").out)
    assert explained[0]["verdict"].startswith("settled")


def test_a_digest_is_tried_and_cancelled(
    newsletter: Run, blog: FeedsServer, mail: FaultServer
) -> None:
    newsletter("subscriber", "add", "reader@example.com", "--confirmed", "--because", "by phone")
    blog.page("/feed.xml", rss(item("New post"), item("Old"), title="Slow Letters", link=blog.url))
    assert "New post: ready (goes to 1 weekly subscriber)" in newsletter("feed", "check").out
    assert newsletter("digest", "preview", "--to", "nobody").code != 0
    assert newsletter("digest", "preview", "--to", "me@example.com").code == 0
    assert "me@example.com" in str(mail.accepted[-1][:2])
    assert parsed(mail.accepted[-1][2])["Subject"] == "[Test] New post"
    assert newsletter("digest", "send", "--detach", "--yes").code == 0
    output = newsletter("campaign", "cancel", "1", "--yes").out
    assert "It reached nobody, but its entry counts as mailed." in output
    assert "newsletter entry resend 2" in output
    assert newsletter("entry", "resend", "2", "--yes").code == 0
    assert "1 entry to 1 subscriber" in newsletter("digest", "send", "--dry-run").out
    assert newsletter("list", "edit", "slow-letters", "--language", "xx").code != 0
    two = newsletter("list", "edit", "slow-letters", "--from", "a@example.com, b@example.com")
    assert two.code != 0
    assert "one sender only" in two.err


def test_a_letter_is_tried_sent_once_and_reported(
    newsletter: Run, mail: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "letter.md").write_text(LETTER)
    for number in range(3):
        newsletter("subscriber", "add", f"r{number}@example.com", "--confirmed", "--because", "x")
    assert (
        "A letter with a link"
        in newsletter("campaign", "preview", "letter.md", "--html", "out.html").out
    )
    assert "<em>letter</em>" in (tmp_path / "out.html").read_text()
    assert newsletter("campaign", "test", "letter.md", "--to", "me@example.com").code == 0
    assert parsed(mail.accepted[0][2])["Subject"] == "[Test] Going slowly"
    sent = newsletter("campaign", "send", "letter.md", "--yes")
    assert (sent.code, len(mail.accepted)) == (0, 4)
    assert "3 active subscribers of slow-letters" in sent.out
    again = newsletter("campaign", "send", "letter.md", "--yes")
    assert (again.code, len(mail.accepted)) == (1, 4)
    assert "already" in again.err
    [campaign] = json.loads(newsletter("campaign", "ls", "--json").out)
    assert {
        key: campaign[key]
        for key in ("id", "kind", "status", "recipients", "sent", "failed", "waiting", "in_doubt")
    } == {
        "id": 1,
        "kind": "letter",
        "status": "sent",
        "recipients": 3,
        "sent": 3,
        "failed": 0,
        "waiting": 0,
        "in_doubt": 0,
    }
    report = json.loads(newsletter("campaign", "report", "1", "--json").out)
    assert {row["status"] for row in report["deliveries"]} == {"sent"}
    assert set(report["deliveries"][0]) == {
        "email",
        "status",
        "attempts",
        "doubts",
        "code",
        "text",
        "message_id",
    }


def test_o06_who_did_not_get_it_and_again_only_to_them(
    newsletter: Run, mail: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "letter.md").write_text(LETTER)
    for number in range(3):
        newsletter("subscriber", "add", f"r{number}@example.com", "--confirmed", "--because", "x")
    mail.script["RCPT"] = lambda talk, line: (
        b"552 5.2.2 Mailbox full\r\n" if "<r1@" in line else b"250 Ok\r\n"
    )
    newsletter("campaign", "send", "letter.md", "--yes")
    assert (
        "r1@example.com\tfailed\t1\t552\tMailbox full" in newsletter("campaign", "report", "1").out
    )
    mail.script.clear()
    newsletter("campaign", "retry", "1", "--yes")
    newsletter("worker", "--once")
    assert [recipient for _, recipient, _ in mail.accepted].count("r1@example.com") == 1
    assert len(mail.accepted) == 3
    assert "3 recipients = 3 sent + 0 failed" in newsletter("campaign", "report", "1").out
    again = newsletter("campaign", "retry", "1")
    assert (again.code, "has nobody to try again" in again.err) == (1, True), "said before it asks"


def test_a_scheduled_letter_waits_for_its_moment(
    newsletter: Run, mail: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "letter.md").write_text(LETTER)
    newsletter("subscriber", "add", "r@example.com", "--confirmed", "--because", "x")
    assert newsletter("campaign", "send", "letter.md", "--at", "soon", "--yes").code == 2
    assert (
        newsletter("campaign", "send", "letter.md", "--at", "2099-01-01 09:00", "--yes").code == 0
    )
    newsletter("worker", "--once")
    assert mail.accepted == []
    assert newsletter("campaign", "cancel", "1", "--yes").code == 0
    past = newsletter("campaign", "send", "letter.md", "--at", "2020-01-01 09:00", "--yes")
    assert (past.code, "over already" in past.err) == (2, True)
    newsletter("worker", "--once")
    assert mail.accepted == []


def test_p01_a_server_that_is_down_is_one_line(
    newsletter: Run, mail: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "letter.md").write_text(LETTER)
    newsletter("subscriber", "add", "r@example.com", "--confirmed", "--because", "x")
    mail.script["CONNECT"] = always(b"421 Busy\r\n")
    result = newsletter("campaign", "send", "letter.md", "--yes")
    assert result.code == 1
    assert "1 waiting" in result.out
    assert f"127.0.0.1:{mail.port}" in result.err
    mail.script.clear()
    assert newsletter("worker", "--once").code == 0
    assert len(mail.accepted) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no front matter", "subject"),
        ("---\nsubject: x\n---\n\n", "nothing below"),
        ("---\nsubjekt: x\n---\nhi", "subjekt"),
        ("---\nsubject: [\n---\nhi", "line 2: cannot be read"),
        ("---\nsubject: x\nlist: other\n---\nhi", "no list other"),
        (
            "---\nsubject: x\n---\n" + "{% for i in range(999) %}" * 3 + "x" + "{% endfor %}" * 3,
            "no deeper",
        ),
    ],
)
def test_letters_that_cannot_be_sent_say_why(
    newsletter: Run, tmp_path: Path, text: str, expected: str
) -> None:
    (tmp_path / "letter.md").write_text(text)
    result = newsletter("campaign", "send", "letter.md", "--yes")
    assert result.code == (1 if "no list other" in expected else 2)
    assert expected in result.err
    assert result.err.count("\n") == 1


def test_a_subscriber_is_added_shown_edited_and_removed(newsletter: Run) -> None:
    assert newsletter("subscriber", "add", "Ana@Example.com", "--name", "Ana").code == 0
    [subscriber] = json.loads(newsletter("subscriber", "ls", "--json").out)
    assert set(subscriber) == {
        "id",
        "email",
        "name",
        "language",
        "created_at",
        "tags",
        "subscriptions",
    }
    assert subscriber["email"] == "Ana@example.com"
    assert subscriber["created_at"].endswith("+00:00")
    assert subscriber["subscriptions"][0]["status"] == "pending"
    assert newsletter("subscriber", "add", "nonsense").code == 2
    assert newsletter("subscriber", "add", "x@example.com", "--confirmed").code == 2
    assert "requested" in newsletter("subscriber", "show", "ana@example.com").out
    assert newsletter("subscriber", "edit", "ana@example.com", "--cadence", "daily").code == 0
    assert newsletter("subscriber", "remove", "ana@example.com").code == 2
    assert newsletter("subscriber", "remove", "ana@example.com", "--yes").code == 0
    assert newsletter("subscriber", "show", "ana@example.com").code == 1


def test_importing_a_column_of_addresses(
    newsletter: Run, tmp_path: Path, mail: FaultServer
) -> None:
    newsletter("suppression", "add", "never@example.com")
    file = tmp_path / "people.csv"
    file.write_bytes(
        (
            "\ufeffEmail;Name\r\nana@example.com;Ana\r\nBOB@example.com;\r\nbob@EXAMPLE.com;x\r\n"
            "nonsense;y\r\nnever@example.com;n\r\n\r\n"
        ).encode()
    )
    counted = json.loads(
        newsletter(
            "subscriber",
            "import",
            str(file),
            "--confirmed",
            "--because",
            "2019",
            "--dry-run",
            "--json",
        ).out
    )
    assert newsletter("subscriber", "ls").out == ""
    done = json.loads(
        newsletter(
            "subscriber", "import", str(file), "--confirmed", "--because", "2019", "--json"
        ).out
    )
    assert done == counted | {"dry_run": False}
    assert (done["rows"], done["new"], done["duplicate"], done["suppressed"], done["rejected"]) == (
        5,
        2,
        1,
        1,
        1,
    )
    assert "line 5" in done["problems"][0]
    again = json.loads(
        newsletter(
            "subscriber", "import", str(file), "--confirmed", "--because", "2019", "--json"
        ).out
    )
    assert (again["new"], again["duplicate"]) == (0, 4)
    newsletter("worker", "--once")
    assert mail.accepted == []
    assert "2019" in newsletter("subscriber", "show", "ana@example.com").out


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_c04_tables_of_every_kind(
    newsletter: Run, tmp_path: Path, encoding: str, mark: str
) -> None:
    file = tmp_path / "people.csv"
    rows = [["Name", "E-Mail"], ["Jürgen", "j@example.com"], ["Zoë", "z@example.com"]]
    file.write_bytes("\n".join(mark.join(row) for row in rows).encode(encoding))
    done = json.loads(
        newsletter("subscriber", "import", str(file), "--confirmed", "--because", "x", "--json").out
    )
    assert (done["rows"], done["new"]) == (2, 2)
    assert "Jürgen" in newsletter("subscriber", "ls").out


def test_an_import_says_what_became_of_every_column(newsletter: Run, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(
        "Email,HasOptedOutOfEmail,City\na@example.com,TRUE,Rome\nb@example.com,FALSE,Oslo\n"
    )
    result = newsletter("subscriber", "import", "x.csv", "--confirmed", "--because", "x")
    assert "columns read: Email (address), HasOptedOutOfEmail (opt-out)" in result.out
    assert "columns not read: City" in result.out
    assert newsletter("subscriber", "ls", "--status", "active").out.count("@") == 1
    (tmp_path / "y.csv").write_text("email,block\nc@example.com,B12\n")
    stopped = newsletter("subscriber", "import", "y.csv")
    assert (stopped.code, stopped.out) == (1, "")
    assert (
        "line 2: 'B12' in the column 'block' is not understood (nothing was imported" in stopped.err
    )
    assert newsletter("subscriber", "import", "y.csv", "--column", "Block=ignore").code == 0
    for wrong in ("block", "block=maybe", "=ignore"):
        assert newsletter("subscriber", "import", "y.csv", "--column", wrong).code == 2
    assert (
        "its columns: email, block"
        in newsletter("subscriber", "import", "y.csv", "--column", "blok=ignore").err
    )


def test_standard_input_is_imported(newsletter: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(b"email,name\na@example.com,Ana\n"))
    )
    result = newsletter("subscriber", "import", "-", "--confirmed", "--because", "x")
    assert (result.code, result.out.split(":")[0]) == (0, "standard input")
    assert "a@example.com" in newsletter("subscriber", "ls").out


def test_an_export_through_a_device_says_so_beside_the_rows(newsletter: Run) -> None:
    newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "x")
    result = newsletter("subscriber", "export", "/dev/stdout")
    assert "ana@example.com" not in result.err
    assert "1 row written to /dev/stdout" in result.err


def test_subscriber_edit_corrects_what_a_subscriber_can(newsletter: Run) -> None:
    for name in ("ana", "bob"):
        newsletter("subscriber", "add", f"{name}@example.com", "--confirmed", "--because", "x")
    newsletter("topic", "add", "Yoga")
    newsletter("topic", "add", "Walks")
    newsletter("field", "add", "city", "--kind", "text", "--label", "City?")
    until = f"{datetime.now(UTC) + timedelta(days=60):%Y-%m-%d}"
    done = newsletter(
        "subscriber",
        "edit",
        "ana@example.com",
        "--language",
        "de",
        "--pause",
        until,
        "--topic",
        "yoga",
        "--answer",
        "city=Iași",
        "--address",
        "ana.new@example.com",
        "--because",
        "by phone",
        "--name",
        "Ana",
    )
    assert (done.code, done.out) == (0, "ana.new@example.com is changed.\n"), done.err
    output = newsletter("subscriber", "show", "ana.new@example.com").out
    assert f"paused until {until}" in output
    assert "by phone" in output
    assert newsletter("subscriber", "show", "ana@example.com").code == 1
    assert "on a break" not in newsletter("subscriber", "show", "bob@example.com").out
    assert (
        newsletter("subscriber", "edit", "bob@example.com", "--address", "x@example.com").code == 2
    )
    assert newsletter("subscriber", "edit", "bob@example.com", "--answer", "city").code == 2
    assert newsletter("subscriber", "edit", "bob@example.com").code == 2
    gone = newsletter("subscriber", "edit", "bob@example.com", "--unsubscribe")
    assert gone.out == "bob@example.com is unsubscribed from slow-letters. A goodbye is queued.\n"
    assert (
        "No mail is sent"
        in newsletter("subscriber", "edit", "bob@example.com", "--unsubscribe").out
    )


def test_without_a_word_imported_rows_wait(
    newsletter: Run, tmp_path: Path, mail: FaultServer
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("ana@example.com\nbob@example.com\n")
    assert newsletter("subscriber", "import", str(file)).code == 0
    assert newsletter("subscriber", "ls", "--status", "pending").out.count("@") == 2
    newsletter("worker", "--once")
    assert mail.accepted == []


@pytest.mark.parametrize("content", [b"", b"\n\n", b"name,city\nAna,Berlin\n"])
def test_what_is_no_list_of_addresses_is_refused(
    newsletter: Run, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    assert newsletter("subscriber", "import", "x.csv", "--confirmed", "--because", "x").code == 1


def test_a_second_list_is_added_edited_shown_and_removed(newsletter: Run) -> None:
    assert (
        newsletter(
            "list",
            "add",
            "second",
            "--from",
            "Bob <bob@example.com>",
            "--cadences",
            "weekly monthly",
        ).code
        == 0
    )
    assert newsletter("list", "add", "second", "--from", "Bob <bob@example.com>").code == 1
    assert newsletter("list", "add", "confirm", "--from", "Bob <bob@example.com>").code == 2
    assert newsletter("list", "edit", "second", "--hour", "25").code == 2
    assert (
        newsletter(
            "list", "edit", "second", "--hour", "7", "--day", "fri", "--timezone", "Europe/Berlin"
        ).code
        == 0
    )
    data = json.loads(newsletter("list", "show", "second", "--json").out)
    assert (data["hour"], data["day"], data["timezone"], data["cadences"]) == (
        7,
        "fri",
        "Europe/Berlin",
        ["weekly", "monthly"],
    )
    assert "which list?" in newsletter("embed").err
    assert newsletter("list", "remove", "second", "--yes").code == 0


def test_the_form_to_paste_needs_no_script(newsletter: Run) -> None:
    form = newsletter("embed").out
    assert 'action="https://news.example.com/slow-letters/subscribe"' in form
    assert "<script" not in form
    assert "http-equiv" not in form


def test_feed_read_shows_a_file_and_refuses_what_is_no_feed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_bytes(
        rss(item("A", date="Tue, 24 Nov 2026 09:00:00 GMT"), item("B"), title="T")
    )
    data = json.loads(run("feed", "read", "feed.xml", "--json").out)
    assert data["title"] == "T"
    assert data["entries"][0] == {
        "title": "A",
        "link": "https://blog.example.com/a/",
        "id": "https://blog.example.com/a/",
        "published": "2026-11-24T09:00:00+00:00",
    }
    (tmp_path / "page.html").write_text("<html>no feed</html>")
    result = run("feed", "read", "page.html")
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert run("feed", "read", "nothing.xml").code == 1
    (tmp_path / "huge.xml").write_bytes(b"<rss>" + b" " * 10_000_000)
    result = run("feed", "read", "huge.xml", "--json")
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert "larger than 10 MB" in result.err


def test_the_fates_of_entries(newsletter: Run, blog: FeedsServer) -> None:
    blog.page(
        "/feed.xml", rss(item("B"), item("A"), item("Old"), title="Slow Letters", link=blog.url)
    )
    result = newsletter("feed", "check")
    assert "2 new, 1 known, 0 held, 0 withdrawn" in result.out
    assert "A: ready (nobody is owed it: the list has no active subscriber)" in result.out
    rows = {
        row["title"]: str(row["id"]) for row in json.loads(newsletter("entry", "ls", "--json").out)
    }
    assert newsletter("entry", "hold", rows["A"], rows["B"]).out.count("held") == 2
    assert newsletter("entry", "release", "--held").out.count("ready") == 2
    assert newsletter("entry", "release", "--held").out == "No entry is held.\n"
    result = newsletter("entry", "skip", rows["A"], "999", rows["B"])
    assert (result.code, result.out.count("skipped")) == (1, 2), "what can be done is done"
    assert "there is no entry 999" in result.err
    assert newsletter("entry", "skip").code == 2
    assert newsletter("entry", "resend", rows["A"]).code == 2, "it mails people, so it asks"
    result = newsletter("entry", "resend", rows["A"], "--yes")
    assert (result.code, "is skipped" in result.err) == (1, True)
    data = json.loads(newsletter("entry", "show", rows["A"], "--json").out)
    assert (data["fate"], data["why"]) == ("skipped", "skipped by hand")


def test_what_is_taken_from_a_feed(newsletter: Run, blog: FeedsServer) -> None:
    [feed] = json.loads(newsletter("feed", "ls", "--json").out)
    assert (feed["leaves_out"], feed["page_pictures"]) == ([], False)
    assert (
        "everything but shorts"
        in newsletter("feed", "edit", str(feed["id"]), "--no-shorts", "--page-pictures").out
    )
    [feed] = json.loads(newsletter("feed", "ls", "--json").out)
    assert (feed["leaves_out"], feed["page_pictures"]) == (["shorts"], True)
    assert newsletter("feed", "edit", str(feed["id"])).code == 2
    edited = newsletter("feed", "edit", "1", "--only-category", "Letters", "--not-title", "^x")
    assert "only Letters; no title that matches ^x" in edited.out
    data = json.loads(newsletter("feed", "show", "1", "--json").out)
    assert (data["only_categories"], data["not_title"]) == (["Letters"], "^x")
    assert "Letters" in newsletter("feed", "show", "1").out
    assert newsletter("feed", "edit", "1", "--not-title", "(").code == 2
    assert newsletter("feed", "edit", "1", "--only-category", "", "--not-title", "").code == 0
    assert newsletter("feed", "check", "77").code == 1
    assert newsletter("list", "edit", "slow-letters", "--grace", "0").code == 0
    assert newsletter("list", "edit", "slow-letters", "--grace", "soon").code in (1, 2)


def test_d06_a_database_that_cannot_be_used(newsletter: Run, tmp_path: Path) -> None:
    file = tmp_path / "newsletter.db"
    for leftover in tmp_path.glob("newsletter.db*"):
        leftover.unlink()
    assert "init" in newsletter("list", "ls").err
    file.write_bytes(b"")
    assert "db upgrade" in newsletter("list", "ls").err
    assert newsletter("db", "upgrade").code == 0
    for leftover in tmp_path.glob("newsletter.db-*"):
        leftover.unlink()
    file.write_bytes(b"not a database at all" * 500)
    result = newsletter("list", "ls")
    assert (result.code, result.err.count("\n")) == (1, 1)


def test_a_restored_backup_brings_back_who_was_removed(newsletter: Run, tmp_path: Path) -> None:
    newsletter("subscriber", "add", "ana@example.com")
    assert newsletter("db", "backup", "copy.db").code == 0
    assert newsletter("db", "backup", "copy.db").code == 1
    newsletter("subscriber", "remove", "ana@example.com", "--yes")
    assert newsletter("db", "restore", "copy.db", "--yes").code == 0
    assert "ana@" in newsletter("subscriber", "ls").out
    (tmp_path / "junk.db").write_text("junk")
    assert newsletter("db", "restore", "junk.db", "--yes").code == 1


def test_a_restored_installation_waits_for_its_author(newsletter: Run, mail: FaultServer) -> None:
    newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "asked me")
    newsletter("subscriber", "add", "bob@example.com")
    newsletter("db", "backup", "copy.db")
    newsletter("subscriber", "erase", "ana@example.com", "--yes")
    result = newsletter("db", "restore", "copy.db", "--yes")
    assert "1 erasure" in result.out
    assert "ana@" not in newsletter("subscriber", "ls").out
    assert "Nothing is mailed" in newsletter("status").out
    assert "newsletter db release" in newsletter("worker", "--once").err
    assert mail.accepted == []
    assert newsletter("db", "release").code == 2, "it asks, and nobody is there to answer"
    assert newsletter("db", "release", "--yes").code == 0
    assert "Nothing is mailed" not in newsletter("status").out
    assert newsletter("db", "release", "--yes").code == 1
    assert newsletter("worker", "--once").code == 0


def test_u17_a_foreign_key_is_said_until_it_is_accepted(
    newsletter: Run, mail: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_SECRET_KEY", "quite-another-one-0123456789")
    assert "secret_key is not the key" in newsletter("worker", "--once").err
    assert '"secret_key",\n    "verdict": "bad"' in newsletter("doctor", "--json").out
    assert newsletter("db", "accept-key", "--yes").code == 0
    assert "secret_key" not in newsletter("worker", "--once").err


def test_db_hold_stops_a_running_installation(newsletter: Run, mail: FaultServer) -> None:
    assert newsletter("db", "hold", "--yes").code == 0
    assert newsletter("db", "hold", "--yes").code == 1
    assert json.loads(newsletter("status", "--json").out)["hold"]["because"] == "held by hand"


def test_status_names_the_domains_that_rest(newsletter: Run) -> None:
    now = datetime.now(UTC)
    rows = {"strict.example": now + timedelta(hours=1), "over.example": now - timedelta(hours=1)}
    with create_app(load_settings()).app_context(), transaction() as session:
        for domain, until in rows.items():
            session.add(DomainBackoff(domain=domain, until=until, seconds=900, why="550 blocked"))
    output = " ".join(newsletter("status").out.split())
    assert "resting strict.example until" in output
    assert "because it answered: 550 blocked" in output
    assert "over.example" not in output
    [resting] = json.loads(newsletter("status", "--json").out)["resting"]
    assert (resting["domain"], resting["why"]) == ("strict.example", "550 blocked")


def test_doctor_names_a_mail_server_that_refuses_connections(
    newsletter: Run, mail: FaultServer
) -> None:
    checks = {row["id"]: row for row in json.loads(newsletter("doctor", "--json").out)}
    assert checks["base_url"]["verdict"] == "good"
    assert checks["smtp"]["verdict"] == "good"
    assert set(checks["smtp"]) == {"id", "verdict", "what", "hint", "why", "record"}
    mail.script["CONNECT"] = always(b"554 No\r\n")
    result = newsletter("doctor")
    assert result.code == 1
    assert "554" in result.out


def test_a_misspelt_list_is_said_at_once(newsletter: Run, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("email\na@example.com\nb@example.com\n")
    newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "x")
    for words in (
        ("subscriber", "import", "x.csv"),
        ("subscriber", "export"),
        ("embed",),
        ("field", "ls"),
        ("feed", "ls"),
        ("entry", "ls"),
        ("series", "ls"),
        ("subscriber", "edit", "ana@example.com", "--cadence", "daily"),
        ("subscriber", "edit", "ana@example.com", "--unsubscribe"),
    ):
        result = newsletter(*words, "--list", "blgo")
        assert (result.code, result.out) == (1, ""), words
        assert result.err.startswith("newsletter: there is no list blgo (lists: "), words


def test_templates_of_ones_own_win(newsletter: Run, tmp_path: Path, mail: FaultServer) -> None:
    assert "emails/confirm/subject.txt" in newsletter("templates", "ls").out
    assert newsletter("templates", "eject", "emails/confirm/subject.txt").code == 0
    assert newsletter("templates", "eject", "../newsletter.toml").code == 1
    (tmp_path / "templates/emails/confirm/subject.txt").write_text("Mine: {{ list.title }}")
    newsletter("subscriber", "add", "ana@example.com")
    newsletter("worker", "--once")
    assert parsed(mail.accepted[0][2])["Subject"] == "Mine: Slow Letters"


def test_settings_that_are_wrong_are_all_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "newsletter.toml").write_text("colour = 1\n[smtp]\nconnections = 'x'\n")
    result = run("list", "ls")
    assert result.code == 2
    assert "colour" in result.err
    assert "smtp.connections" in result.err
    assert "secret_key" in result.err


def test_a_mistyped_command_is_answered_by_the_nearest_one(run: Run) -> None:
    result = run("lst")
    assert result.code == 2
    assert "list" in result.err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert result.code == 0
    assert "Usage" in result.out


def test_help_is_quick_and_a_pipe_may_close(tmp_path: Path) -> None:
    """The cost of --help is what it imports; a database or a web framework is not among it."""
    code = (
        "import sys; from newsletter.cli import main\ntry: main(['--help'])\n"
        "except SystemExit: print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for module in ("'flask'", "'sqlalchemy'", "'urllib3'", "'rich'", "'pydantic'"):
        assert module not in done.stdout


def test_a_page_and_a_mail_of_ones_own_win(newsletter: Run, tmp_path: Path) -> None:
    for name in ("pages/home.html", "emails/letter/text.txt"):
        assert f"{name}\n" in newsletter("templates", "ls").out
        assert "is created" in newsletter("templates", "eject", name).out
        assert f"{name}  (yours)" in newsletter("templates", "ls").out
        assert {"name": name, "yours": True} in json.loads(
            newsletter("templates", "ls", "--json").out
        )
        assert newsletter("templates", "eject", name).code == 1
        file = tmp_path / "templates" / name
        file.write_text("Mine alone")
    assert newsletter("templates", "eject", "../pyproject.toml").code == 1
    letter = tmp_path / "letter.md"
    letter.write_text(LETTER)
    newsletter("campaign", "new", str(letter))
    assert "Mine alone" in newsletter("campaign", "preview", "1").out
    with create_app(
        load_settings(tmp_path / "newsletter.toml", environ={})
    ).test_client() as client:
        assert "Mine alone" in client.get("/").get_data(as_text=True)
