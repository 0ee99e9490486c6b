"""Letters and series from the command line, as their author meets them."""

from __future__ import annotations

import csv
import email
import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_feel import on_a_terminal
from tests.fakes import body, parsed
from tests.smtp.fault_server import FaultServer
from tests.unit.authoring.test_images import picture

LETTER = (
    "---\nsubject: Going slowly\npreheader: A pause\n---\n\n"
    "Dear {{ subscriber.name or 'friend' }},\n\nread *this* slowly, all of you.\n"
)


@pytest.fixture
def readers(newsletter: Run, tmp_path: Path) -> Run:
    (tmp_path / "letter.md").write_text(LETTER)
    for name in ("ana", "ben", ""):
        newsletter(
            "subscriber",
            "add",
            f"{name or 'x'}@example.com",
            "--name",
            name.title(),
            "--confirmed",
            "--because",
            "x",
            "--cadence",
            "daily" if name == "ben" else "weekly",
        )
    return newsletter


def test_a_letter_from_nothing_to_the_report(
    readers: Run, mail: FaultServer, tmp_path: Path
) -> None:
    _begin_letter(readers, tmp_path)
    _look_at_letter(readers, mail, tmp_path)
    sent = readers("campaign", "send", "1", "--yes", "--offline")
    assert sent.code == 0, sent.err
    for word in (
        "What: “Going slowly”",
        "3 active subscribers of slow-letters",
        "When: now",
        "3 sent",
    ):
        assert word in sent.out
    report = json.loads(readers("campaign", "report", "1", "--json").out)
    assert (report["sent"], report["status"], len(report["deliveries"])) == (3, "sent", 3)
    assert {row["attempts"] for row in report["deliveries"]} == {1}
    again = readers("campaign", "send", "1", "--yes", "--offline")
    assert (again.code, "sent already" in again.err) == (1, True)
    assert readers("campaign", "send", "letters/on-pauses.md", "--yes", "--offline").code == 1
    assert len(mail.accepted) == 4
    assert "Dear friend," in readers("campaign", "preview", "1").out


def _begin_letter(readers: Run, tmp_path: Path) -> None:
    """Make campaign 1 of a file that is written where the command has begun it."""
    begun = readers("campaign", "new", "letters/on-pauses.md")
    assert (begun.code, "is created" in begun.out) == (0, True)
    file = tmp_path / "letters" / "on-pauses.md"
    assert "subject: On pauses" in file.read_text()
    assert readers("campaign", "ls").out == "", "what was never written is no draft"
    file.write_text(LETTER + "\n![A tree](tree.jpg)\n")
    (tmp_path / "letters" / "tree.jpg").write_bytes(picture())
    result = json.loads(readers("campaign", "new", "letters/on-pauses.md", "--json").out)
    assert (result["id"], result["status"], result["recipients"]) == (1, "draft", 0)
    assert readers("campaign", "new", "letters/on-pauses.md").out.startswith(
        "Campaign 1 is a draft"
    )


def _look_at_letter(readers: Run, mail: FaultServer, tmp_path: Path) -> None:
    """Preview campaign 1 as one subscriber, check it, and mail a test as another."""
    files = ("--html", "x.html", "--text", "x.txt", "--eml", "x.eml")
    ended = readers("campaign", "preview", "1", *files, "--as", "ana@example.com")
    assert ended.code == 0, ended.err
    assert "Dear Ana," in (tmp_path / "x.html").read_text()
    assert (tmp_path / "x.txt").read_text().startswith("Dear Ana,\n\nread this slowly")
    assert "[Picture: A tree]" in (tmp_path / "x.txt").read_text()
    assert email.message_from_bytes((tmp_path / "x.eml").read_bytes())["To"] == "ana@example.com"
    assert readers("campaign", "preflight", "1", "--offline").code == 0
    assert (
        readers("campaign", "test", "1", "--to", "me@example.org", "--as", "ben@example.com").code
        == 0
    )
    [(_, to, data)] = mail.accepted
    assert (to, parsed(data)["Subject"]) == ("me@example.org", "[Test] Going slowly")
    assert "Dear Ben," in body(parsed(data))


def test_send_wants_a_yes(readers: Run, mail: FaultServer) -> None:
    result = readers("campaign", "send", "letter.md", "--offline")
    assert (result.code, mail.accepted) == (2, [])
    assert "Mail 3 subscribers now?" in result.err
    assert readers("campaign", "ls").out == ""


def test_a_segment_is_counted_before_it_is_used(readers: Run, mail: FaultServer) -> None:
    result = readers(
        "campaign", "send", "letter.md", "--segment", 'cadence == "daily"', "--yes", "--offline"
    )
    assert '1 active subscriber of slow-letters, those with cadence == "daily"' in result.out
    assert [to for _, to, _ in mail.accepted] == ["ben@example.com"]
    assert (
        json.loads(readers("campaign", "show", "1", "--json").out)["segment"]
        == 'cadence == "daily"'
    )
    wrong = readers(
        "campaign", "send", "letter.md", "--segment", "cadenze == 'daily'", "--yes", "--offline"
    )
    assert (wrong.code, "did you mean cadence" in wrong.err) == (2, True)


def test_a_letter_for_later_can_be_changed_and_called_off(readers: Run, mail: FaultServer) -> None:
    readers("list", "edit", "slow-letters", "--timezone", "Europe/Berlin")
    result = readers(
        "campaign", "send", "letter.md", "--at", "2099-07-01 9:00", "--yes", "--offline"
    )
    assert "2099-07-01 09:00 CEST" in result.out
    assert "2099-07-01 09:00 CEST" in readers("campaign", "ls").out
    changed = readers("campaign", "edit", "1", "--subject", "Slower", "--at", "2099-07-02")
    assert "goes out 2099-07-02 08:00 CEST: “Slower”" in changed.out
    assert readers("campaign", "edit", "1").code == 2
    assert readers("campaign", "pause", "1").out == "Campaign 1 is paused.\n"
    assert readers("campaign", "resume", "1").out == "Campaign 1 is scheduled.\n"
    assert readers("campaign", "cancel", "1", "--yes").out == "Campaign 1 is cancelled.\n"
    readers("worker", "--once")
    assert mail.accepted == []


def test_a_file_and_a_number_are_the_same_wherever_a_draft_is_meant(
    readers: Run, mail: FaultServer, tmp_path: Path
) -> None:
    for verb in ("edit", "show", "report", "pause", "cancel"):
        result = readers(
            "campaign", verb, "letter.md", *(["--subject", "x"] if verb == "edit" else [])
        )
        assert (result.code, result.err.count("\n")) == (1, 1)
        assert "`newsletter campaign new letter.md` makes a draft of it" in result.err
    assert "there is no file no.md" in readers("campaign", "show", "no.md").err
    assert readers("campaign", "new", "letter.md").code == 0
    changed = readers("campaign", "edit", "letter.md", "--subject", "Slower")
    assert "Campaign 1 is draft: “Slower”" in changed.out
    assert "letter.md is changed too." in changed.out
    assert "subject: Slower" in (tmp_path / "letter.md").read_text()
    assert "Subject: Slower" in readers("campaign", "preview", "letter.md").out
    assert json.loads(readers("campaign", "show", "letter.md", "--json").out)["subject"] == "Slower"
    (tmp_path / "letter.md").write_text(LETTER)
    other = readers("campaign", "edit", "1", "--subject", "Slowest")
    assert "has changed since the draft was made from it" in other.err
    assert (tmp_path / "letter.md").read_text() == LETTER
    assert (
        readers(
            "campaign", "send", "letter.md", "--at", "2099-07-01 9:00", "--yes", "--offline"
        ).code
        == 0
    )
    (tmp_path / "letter.md").write_text(LETTER + "PS: one more thing.\n")
    twice = readers("campaign", "send", "letter.md", "--yes", "--offline")
    assert (twice.code, mail.accepted) == (1, [])
    assert "this letter is campaign 1 already (`newsletter campaign edit 1` changes it" in twice.err
    assert readers("campaign", "edit", "letter.md", "--file", "letter.md").code == 0
    assert "PS: one more thing." in readers("campaign", "preview", "1").out
    assert readers("campaign", "pause", "letter.md").out == "Campaign 1 is paused.\n"
    assert readers("campaign", "resume", "letter.md").out == "Campaign 1 is scheduled.\n"
    assert readers("campaign", "cancel", "letter.md", "--yes").out == "Campaign 1 is cancelled.\n"
    assert readers("campaign", "send", "letter.md", "--yes", "--offline").code == 0
    late = readers("campaign", "edit", "letter.md", "--subject", "x")
    assert "is campaign 2, which is sent: it cannot be changed any more" in late.err
    several = readers("campaign", "report", "letter.md")
    assert "letter.md became campaigns 1 (cancelled), 2 (sent)" in several.err


def test_what_is_bad_stops_a_letter(readers: Run, mail: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "bare.md").write_text("---\nsubject: x\n---\nDear {{ subscriber.name }},\n")
    result = readers("campaign", "send", "bare.md", "--yes", "--anyway", "--offline")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "1 of 3 subscribers cannot get it: line 4: subscriber.name is not set" in result.err
    (tmp_path / "long.md").write_text("---\nsubject: x\n---\n" + "word " * 25_000)
    result = readers("campaign", "send", "long.md", "--yes", "--offline")
    assert (result.code, "--anyway" in result.err) == (1, True)
    assert mail.accepted == []
    assert readers("campaign", "send", "long.md", "--yes", "--offline", "--anyway").code == 0
    assert len(mail.accepted) == 3
    assert readers("campaign", "preflight", "bare.md", "--offline").code == 1
    data = json.loads(readers("campaign", "preflight", "bare.md", "--offline", "--json").out)
    assert {"id", "verdict", "what", "hint"} <= set(data[0])


def test_two_subjects_are_tried_and_one_is_picked_for_the_rest(
    readers: Run, mail: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "two.md").write_text(
        LETTER.replace("preheader", "subject_b: What a pause is\nshare: 60\npreheader")
    )
    assert readers("campaign", "test", "two.md", "--to", "me@example.org").code == 0
    assert {parsed(data)["Subject"] for _, _, data in mail.accepted} == {
        "[Test] Going slowly",
        "[Test] What a pause is",
    }
    sent = readers("campaign", "send", "two.md", "--yes", "--offline")
    assert "tried on 60 %" in sent.out
    assert (sent.code, "pick" in sent.err) == (0, False), "waiting for a decision is no failure"
    assert "pick one: newsletter campaign pick 1 a" in sent.out
    assert "b: “What a pause is”  1 sent to try it out" in readers("campaign", "report", "1").out
    assert "1 more subscribers" in readers("campaign", "pick", "1", "b", "--yes").out
    readers("worker", "--once")
    assert len(mail.accepted) == 5
    report = readers("campaign", "report", "1").out
    assert "b: “What a pause is”  1 sent to try it out" in report, (
        "the rest is no part of the trial"
    )
    assert "3 recipients = 3 sent" in report
    assert "← picked" in readers("campaign", "show", "1").out


def test_a_series_is_written_tried_edited_and_removed(
    readers: Run, mail: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "welcome").mkdir()
    for name in ("01-hello", "02-boundaries"):
        (tmp_path / "welcome" / f"{name}.md").write_text(LETTER.replace("Going slowly", name))
    assert readers("series", "ls").out == ""
    assert (
        "Letter 1 of slow-letters: “01-hello”, at once."
        in readers("series", "add", "welcome/01-hello.md").out
    )
    assert "after 3d" in readers("series", "add", "welcome/02-boundaries.md", "--after", "3d").out
    assert readers("series", "add", "welcome/02-boundaries.md", "--after", "9d").code == 1
    assert readers("series", "add", "welcome/02-boundaries.md", "--after", "soon").code == 2
    assert readers("series", "ls").out.splitlines()[1].split("\t")[:4] == [
        "2",
        "slow-letters",
        "after 3d",
        "02-boundaries",
    ]
    assert "Dear friend" in readers("series", "preview", "2", "--html", "x.html").out
    assert readers("series", "preflight", "2", "--offline").code == 0
    assert readers("series", "test", "2", "--to", "me@example.org").code == 0
    assert "after 5d" in readers("series", "edit", "2", "--after", "5d").out
    assert "“New”" in readers("series", "edit", "2", "--subject", "New").out
    assert readers("series", "edit", "2").code == 2
    assert "Dear friend" in readers("series", "preview", "welcome/02-boundaries.md").out
    assert (
        "“New”, after 4d"
        in readers("series", "edit", "welcome/02-boundaries.md", "--after", "4d").out
    )
    assert (
        "no series has a letter of letter.md"
        in readers("series", "test", "letter.md", "--to", "me@example.org").err
    )
    assert readers("series", "remove", "2").code == 2
    assert readers("series", "remove", "2", "--yes").code == 0
    assert readers("series", "show", "2").code == 2
    assert json.loads(readers("series", "ls", "--json").out)[0]["after"] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["preview", "99"],
        ["preview", "no.md"],
        ["preflight", "99"],
        ["test", "99", "--to", "a@b.org"],
        ["edit", "99", "--subject", "x"],
        ["send", "99", "--yes"],
        ["pick", "99", "a", "--yes"],
    ],
)
def test_what_is_not_there(readers: Run, words: list[str]) -> None:
    result = readers("campaign", *words)
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "there is no" in result.err


WORDS = (
    "When somebody asks you for something there is a small moment in which nothing has been "
    "decided. "
)
HEADINGS = (
    "Before you answer",
    "The body knows first",
    "What silence is not",
    "A week of pauses",
    "When it is hard",
)


def test_a_letter_of_real_length(readers: Run, mail: FaultServer, tmp_path: Path) -> None:
    """2,500 words, five headings, three pictures: looked at, tried, sent, reported; and its text
    reads well aloud.
    """
    _write_long_letter(tmp_path)
    assert readers("campaign", "new", "long.md").code == 0
    result = readers(
        "campaign", "preview", "1", "--html", "long.html", "--text", "long.txt", "--eml", "long.eml"
    )
    assert result.code == 0
    assert readers("campaign", "preflight", "1", "--offline").code == 0
    assert readers("campaign", "test", "1", "--to", "me@example.org").code == 0
    assert readers("campaign", "send", "1", "--yes", "--offline").code == 0
    assert (
        "Everybody" in readers("campaign", "report", "1").out
        or "0 failed" in readers("campaign", "report", "1").out
    )
    message = next(parsed(data) for _, to, data in mail.accepted if to == "ana@example.com")
    html = body(message, "html")
    assert len(html.encode()) < 102 * 1024
    assert [html.count(f"{title}</h2>") for title in HEADINGS] == [1] * 5
    addresses = set(
        re.findall(
            r'src="(https://news\.example\.com/slow-letters/archive/media/[0-9a-f]{32}\.jpg)"', html
        )
    )
    assert len(addresses) == 3
    assert len(re.findall(r'width="536"', html)) >= 5
    _require_readable(body(message))


def _write_long_letter(tmp_path: Path) -> None:
    body_ = "".join(
        f"## {title}\n\n"
        + (WORDS * 10 + "\n\n") * 3
        + f"![Picture of {title}]({number % 3}.jpg)\n\n"
        for number, title in enumerate(HEADINGS)
    )
    source = (
        "---\nsubject: What a pause is for\npreheader: It is no reward\n---\n\n"
        f"Dear {{{{ subscriber.name or 'friend' }}}},\n\n"
        f"{body_}[Book a talk](https://example.org/book){{.button}}\n\nAna[^1]\n\n"
        "[^1]: Written by [hand](https://example.org/hand).\n"
    )
    assert len(source.split()) > 2500
    (tmp_path / "long.md").write_text(source)
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(picture(size=(1600, 900 + 200 * number)))


def _require_readable(text: str) -> None:
    """Check what the plain text has of headings, pictures, links and notes."""
    for title in HEADINGS:
        assert f"\n\n\n{title}\n\n{WORDS[:20]}" in text, (
            "a heading stands alone, with air before it"
        )
        assert f"[Picture: Picture of {title}]" in text
    assert text.startswith("Dear Ana,\n\n")
    assert "Book a talk: https://example.org/book\n" in text
    assert "Ana (note 1)" in text
    assert (
        text.index("Notes\n\n1. Written by hand [1].")
        < text.index("Links\n\n[1] https://example.org/hand")
        < text.index("\n-- \n" if "\n-- \n" in text else "\n--\n")
    )
    assert not re.search(r"[*#`{}]|\]\(", text.split("\n--\n")[0].replace("[Picture", "")), (
        "no signs of Markdown"
    )


def test_tags_come_from_files_and_by_hand_and_leave_as_they_came(
    readers: Run, mail: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text(
        'email,name,tags\ncleo@example.com,Cleo,"Berlin, VIP"\ndora@example.com,Dora,\n'
    )
    for _ in range(2):
        assert (
            readers("subscriber", "import", "people.csv", "--confirmed", "--because", "x").code == 0
        )
    assert (
        readers("subscriber", "edit", "ana@example.com", "--tag", "berlin", "--tag", "old").code
        == 0
    )
    assert readers("subscriber", "edit", "ana@example.com", "--untag", "OLD").code == 0
    assert readers("subscriber", "edit", "ana@example.com", "--tag", "a,b").code == 2
    assert "tags: berlin" in readers("subscriber", "show", "ana@example.com").out
    assert json.loads(readers("subscriber", "show", "cleo@example.com", "--json").out)["tags"] == [
        "berlin",
        "vip",
    ]
    readers("campaign", "send", "letter.md", "--segment", '"berlin" in tags', "--yes", "--offline")
    assert sorted(to for _, to, _ in mail.accepted) == ["ana@example.com", "cleo@example.com"]
    assert readers("subscriber", "ls", "--tag", "Berlin", "--count").out == "2\n"
    assert readers("subscriber", "ls", "--segment", '"vip" in tags').out.startswith(
        "cleo@example.com"
    )
    assert (
        readers(
            "subscriber", "ls", "--segment", 'cadence == "daily" or name == "Dora"', "--count"
        ).out
        == "2\n"
    )
    assert "did you mean tags" in readers("subscriber", "ls", "--segment", '"vip" in tag').err
    assert readers("subscriber", "export", "out.csv").code == 0
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text("utf-8").splitlines()))
    assert {row["email"]: row["tags"] for row in rows}["cleo@example.com"] == "berlin, vip"


@pytest.mark.processes
def test_an_edit_of_what_was_changed_meanwhile_is_kept_in_a_file(
    readers: Run, tmp_path: Path
) -> None:
    readers("campaign", "new", "letter.md")
    (tmp_path / "other.md").write_text(LETTER.replace("Going slowly", "Another one"))
    readers("campaign", "new", "other.md")
    editor = tmp_path / "editor"
    editor.write_text(
        f"#!/bin/sh\n{sys.executable} -c 'from newsletter.cli import main; main()' "
        "campaign edit 1 --subject Theirs\n"
        "sed -i 's/read .this. slowly/mine, and long/' \"$1\"\n"
    )
    editor.chmod(0o755)
    text = " ".join(
        on_a_terminal("campaign", "edit", "1", cwd=tmp_path, EDITOR=str(editor)).split()
    )
    assert "was changed meanwhile" in text and "campaign-1.md" in text
    assert "mine, and long" in (tmp_path / "campaign-1.md").read_text()
    assert json.loads(readers("campaign", "show", "1", "--json").out)["subject"] == "Theirs"
    assert json.loads(readers("campaign", "show", "2", "--json").out)["subject"] == "Another one"


def test_a_scheduled_letter_is_taken_back(readers: Run) -> None:
    readers("campaign", "new", "letter.md")
    both = readers("campaign", "send", "1", "--now", "--at", "tomorrow", "--yes", "--offline")
    assert both.code == 2
    readers("campaign", "send", "1", "--at", "in 1 minute", "--yes", "--offline")
    assert readers("campaign", "undo", "1").out == "Campaign 1 is a draft again.\n"
    assert readers("campaign", "undo", "1").code == 1
