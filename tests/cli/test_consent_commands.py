"""The commands about consent: fields, proof, confirmations that are held back, asking for
permission again.
"""

from __future__ import annotations

import json
import re

import pytest

from newsletter.mail.slots import SLOT_PATTERN
from tests.cli.conftest import Run
from tests.fakes import body, parsed
from tests.smtp.fault_server import FaultServer

LIST = "slow-letters"


def test_fields_are_added_shown_and_removed(newsletter: Run) -> None:
    assert newsletter("field", "ls").out == ""
    assert newsletter("field", "add", "town", "--label", "Your town").out == "town: text\n"
    choice = [
        "--kind",
        "choice",
        "--label",
        "Why?",
        "--choice",
        "Sleep",
        "--choice",
        "Work",
        "--required",
    ]
    assert newsletter("field", "add", "why", *choice).out == "why: choice, required\n"
    [town, why] = json.loads(newsletter("field", "ls", "--json").out)
    assert (town["name"], town["kind"], town["required"]) == ("town", "text", False)
    assert (why["choices"], why["required"]) == (["Sleep", "Work"], True)
    assert "why\tchoice\tWhy?\tSleep, Work\tyes" in newsletter("field", "ls").out
    assert 'name="town"' in newsletter("embed").out
    assert newsletter("field", "remove", "town", "--yes").out == "town is removed.\n"
    assert 'name="town"' not in newsletter("embed").out
    again = newsletter("field", "remove", "town", "--yes")
    assert (again.code, "no field town" in again.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["Bad Name", "--label", "x"], 2, "name: use a–z"),
        (["email", "--label", "x"], 2, "none of the form's own names"),
        (["town", "--label", " "], 2, "label: say what the form shows"),
        (["town", "--label", "x", "--choice", "a"], 2, "only a choice has them"),
        (
            ["why", "--kind", "choice", "--label", "x", "--choice", "a", "--choice", "a"],
            2,
            "two or more different",
        ),
        (["town", "--label", "x", "--kind", "colour"], 2, "colour"),
        (["town"], 2, "--label"),
        (["town", "--label", "x", "--list", "nope"], 1, "there is no list nope"),
    ],
)
def test_fields_that_cannot_be(newsletter: Run, words: list[str], code: int, expected: str) -> None:
    result = newsletter("field", "add", *words)
    assert result.code == code
    assert expected in " ".join(result.err.split())
    assert newsletter("field", "ls").out == ""


def test_a_field_is_there_once(newsletter: Run) -> None:
    newsletter("field", "add", "town", "--label", "Your town")
    assert newsletter("field", "add", "town", "--label", "Your city").code == 1


def test_proof_tells_the_whole_story(newsletter: Run, mail: FaultServer) -> None:
    newsletter(
        "subscriber", "add", "ana@example.com", "--confirmed", "--because", "by phone, in May"
    )
    newsletter("subscriber", "add", "bob@example.com")
    newsletter("list", "confirmations", LIST, "--release", "--yes")
    newsletter("worker", "--once")
    result = newsletter("subscriber", "proof", "ana@example.com").out
    assert f"  {LIST}: active" in result
    assert "was added by the author" in result
    assert "note: by phone, in May" in result
    output = newsletter("subscriber", "proof", "bob@example.com").out
    for line in (
        "asked to subscribe",
        "Message-ID: ",
        "Yes, send me Slow Letters by e-mail.",
        "confirm, sent: ",
    ):
        assert line in output
    data = json.loads(newsletter("subscriber", "proof", "Bob@Example.com", "--json").out)
    assert (data["email"], data["standing"], data["suppressed"]) == (
        "bob@example.com",
        {LIST: "pending"},
        False,
    )
    [event] = data["events"]
    assert re.fullmatch("[0-9a-f]{64}", event["wording_version"])
    assert event["message_id"] in str(parsed(mail.accepted[0][2])["Message-ID"])
    nobody = newsletter("subscriber", "proof", "nobody@example.com")
    assert (nobody.code, nobody.out, "there is no subscriber" in nobody.err) == (1, "", True)
    assert newsletter("subscriber", "proof", "nonsense").code == 2


def test_confirmations_that_are_held_back(newsletter: Run, mail: FaultServer) -> None:
    assert (
        newsletter("list", "confirmations", LIST).out
        == f"{LIST}: 0 confirmations held back; 200 more may be sent now.\n"
    )
    newsletter("subscriber", "add", "bob@example.com")
    assert "1 confirmation held back" in newsletter("list", "confirmations", LIST).out
    assert newsletter("list", "confirmations", LIST, "--release", "--drop").code == 2
    unasked = newsletter("list", "confirmations", LIST, "--drop")
    assert (unasked.code, "--yes" in unasked.err) == (2, True)
    assert (
        newsletter("list", "confirmations", LIST, "--drop", "--yes").out
        == "Dropped: 1 confirmation.\n"
    )
    newsletter("worker", "--once")
    assert mail.accepted == []
    newsletter("subscriber", "add", "eva@example.com")
    assert (
        newsletter("list", "confirmations", LIST, "--release", "--yes").out
        == "Released: 1 confirmation.\n"
    )
    newsletter("worker", "--once")
    assert [to for _, to, _ in mail.accepted] == ["eva@example.com"]
    assert newsletter("list", "confirmations", "nope").code == 1


def test_permission_is_asked_once_and_answered(newsletter: Run, mail: FaultServer) -> None:
    nobody = newsletter("campaign", "permission", "--yes")
    assert (nobody.code, "nobody to ask" in nobody.err) == (1, True)
    newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "an old list")
    dry = newsletter("campaign", "permission", "--dry-run", "--note", "It has been years.")
    assert "1 active subscriber of slow-letters would get:" in dry.out
    assert "It has been years." in dry.out
    assert "(link to stay)" in dry.out
    assert not SLOT_PATTERN.search(dry.out)
    assert newsletter("campaign", "permission", "--days", "3", "--yes").code == 1
    assert newsletter("campaign", "permission").code == 2, "it asks first"
    assert "Campaign 1 is queued" in newsletter("campaign", "permission", "--unproven", "--yes").out
    twice = newsletter("campaign", "permission", "--yes")
    assert (twice.code, "campaign 1 is asking these subscribers already" in twice.err) == (1, True)
    newsletter("worker", "--once")
    assert "/stay/" in body(parsed(mail.accepted[0][2]))
    output = newsletter("campaign", "answers", "1").out
    assert "1 were asked: 0 stay, 1 have not answered, 0 were unsubscribed." in output
    data = json.loads(newsletter("campaign", "answers", "1", "--json").out)
    assert (data["asked"], data["stayed"], data["gone"], data["settled_at"]) == (1, 0, 0, None)
    assert newsletter("campaign", "answers", "9").code == 1
