"""Which domains take no mail: asked of a scripted DNS."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from dns.exception import Timeout
from dns.resolver import NXDOMAIN, NoAnswer

from newsletter.mail.domains import KNOWN_TO_ALL, MISSING, NOWHERE, NULL, SILENT_AFTER, Domains

WORLD = {(KNOWN_TO_ALL, "NS"): ["a.gtld-servers.net."]}


@dataclass
class Dns:
    """Answers by name and kind; what a name has not is NoAnswer, an unknown name NXDOMAIN."""

    records: dict[tuple[str, str], list[str]]
    asked: list[tuple[str, str]] = field(default_factory=list)
    silent: bool = False

    def resolve(self, name: str, kind: str, *, lifetime: float) -> list[Any]:
        self.asked.append((name, kind))
        if self.silent:
            raise Timeout
        if (name, kind) in self.records:
            return [SimpleNamespace(exchange=value) for value in self.records[name, kind]]
        if any(known == name for known, _ in self.records):
            raise NoAnswer
        raise NXDOMAIN


def judge(dns: Dns) -> Domains:
    return Domains(dns)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ({("a.org.", "MX"): ["mx.a.org."]}, None),
        ({("a.org.", "MX"): ["."]}, NULL),
        ({("a.org.", "A"): ["192.0.2.1"]}, None),
        ({("a.org.", "TXT"): ["x"]}, NOWHERE),
        ({}, MISSING),
    ],
)
def test_what_dns_says(records: dict[tuple[str, str], list[str]], why: str | None) -> None:
    assert judge(Dns(records | WORLD))(["a.org"]) == ({"a.org": why} if why else {})


def test_in_a_closed_network_no_name_is_missing() -> None:
    """A resolver that knows nobody, not even .com, is no evidence against anyone."""
    dns = Dns({})
    assert judge(dns)(["gmail.com", "a.org"]) == {}


def test_silence_is_no_evidence_and_is_not_asked_again_at_once() -> None:
    dns = Dns({}, silent=True)
    found = judge(dns)
    names = [f"{letter}.org" for letter in "abcdef"]
    assert found(names[:SILENT_AFTER]) == {}
    asked = len(dns.asked)
    assert found(names[SILENT_AFTER:]) == {}
    assert len(dns.asked) == asked


def test_answers_are_remembered_and_reserved_names_never_asked() -> None:
    dns = Dns({("a.org.", "MX"): ["."]} | WORLD)
    found = judge(dns)
    assert found(["a.org", "b.test", "example.com", "x.example.org"]) == {"a.org": NULL}
    assert found(["a.org"]) == {"a.org": NULL}
    assert dns.asked == [("a.org.", "MX")]
