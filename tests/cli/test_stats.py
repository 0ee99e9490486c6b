"""`newsletter stats`: numbers in a pipe and as JSON, of every list or of one."""

from __future__ import annotations

import json

from tests.cli.conftest import Run


def test_numbers_are_said_in_lines_and_as_json(newsletter: Run) -> None:
    newsletter("list", "add", "other", "--title", "Other", "--from", "B <b@news.example.com>")
    for name in ("a", "b"):
        newsletter(
            "subscriber",
            "add",
            f"{name}@example.com",
            "--list",
            "slow-letters",
            "--confirmed",
            "--because",
            "asked me",
        )
    newsletter("subscriber", "remove", "b@example.com", "--yes")
    slug = json.loads(newsletter("list", "ls", "--json").out)[0]["slug"]
    result = newsletter("stats", "--list", slug)
    lines = [line.split("\t") for line in result.out.splitlines()]
    assert result.code == 0, result.err
    assert {len(line) for line in lines} == {4}
    assert {line[0] for line in lines} == {slug}
    assert [slug, "active", "", "1"] in lines
    assert [slug, "joined", "added", "2"] in lines
    assert [slug, "left", "removed", "1"] in lines
    assert [slug, "cadences", "weekly", "1"] in lines
    read = json.loads(newsletter("stats", "--json").out)
    assert [row["list"] for row in read["lists"]] == [slug, "other"]
    first = read["lists"][0]
    assert (first["joined"], first["left"], first["active"]) == ({"added": 2}, {"removed": 1}, 1)
    assert first["growth"][-1] == first["growth"][-1] | {"joined": 2, "left": 1, "active": 1}
    assert read["lists"][1]["joined"] == {}
    assert "nothing watches" in read["cannot_know"]["all"]


def test_a_mistake_is_named(newsletter: Run) -> None:
    assert "there is no list nowhere" in newsletter("stats", "--list", "nowhere").err
    assert newsletter("stats", "--since", "yesterday").code == 2
