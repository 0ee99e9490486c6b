"""Test which domains take no mail: asked of a scripted DNS."""

from __future__ import annotations

import pytest

from newsletter.dns.mx import KNOWN_TO_ALL, NOWHERE, NULL, SILENT_AFTER, DomainChecker
from newsletter.dns.resolver import CouldNotAsk, RecordKind
from tests.fakes import FakeDns

Records = dict[tuple[str, RecordKind], list[str]]
WORLD: Records = {(KNOWN_TO_ALL, "NS"): ["a.gtld-servers.net"]}


def judge(dns: FakeDns) -> DomainChecker:
    return DomainChecker(lambda: dns)


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ({("a.org", "MX"): ["10 mx.a.org"]}, None),
        ({("a.org", "MX"): ["0 "]}, NULL),
        ({("a.org", "MX"): ["0 .", "10 mx.a.org"]}, None),
        ({("a.org", "A"): ["192.0.2.1"]}, None),
        ({("a.org", "AAAA"): ["2001:db8::1"]}, None),
        ({("a.org", "TXT"): ["x"]}, NOWHERE),
        ({}, NOWHERE),
    ],
)
def test_a_domain_is_refused_only_when_dns_says_that_it_takes_no_mail(
    records: Records, why: str | None
) -> None:
    assert judge(FakeDns(dict(records | WORLD)))(["a.org"]) == ({"a.org": why} if why else {})


def test_in_a_closed_network_no_name_is_missing() -> None:
    """A resolver that knows nobody, not even .com, is no evidence against anyone."""
    dns = FakeDns()
    assert judge(dns)(["gmail.com", "a.org"]) == {}


def test_silence_is_no_evidence_and_is_not_asked_again_at_once() -> None:
    dns = FakeDns(silent=True)
    verdict = judge(dns)
    names = [f"{letter}.org" for letter in "abcdef"]
    assert verdict(names[:SILENT_AFTER]) == {}
    count = len(dns.questions)
    assert verdict(names[SILENT_AFTER:]) == {}
    assert len(dns.questions) == count


class SilentZones(FakeDns):
    """DNS works, but the name servers of some domains do not answer."""

    def __call__(self, name: str, kind: RecordKind) -> list[str]:
        if name.endswith("silent.org"):
            raise CouldNotAsk(f"no name server answered for {name}")
        return super().__call__(name, kind)


def test_n7_domains_that_do_not_answer_switch_the_check_off_for_nobody() -> None:
    verdict = judge(SilentZones({("null.org", "MX"): ["0 "]} | WORLD))
    for number in range(3 * SILENT_AFTER):
        assert verdict([f"{number}.silent.org"]) == {}
    assert verdict(["null.org", "another.silent.org", "nowhere.org"]) == {
        "null.org": NULL,
        "nowhere.org": NOWHERE,
    }


def test_n7_a_resolver_that_gives_up_after_some_silence_is_used_for_one_domain() -> None:
    """`DnsResolver` asks nothing more after two silences, which are others' in a batch of
    strangers' domains.
    """

    class GivesUp(SilentZones):
        given_up = False

        def __call__(self, name: str, kind: RecordKind) -> list[str]:
            try:
                if self.given_up:
                    raise CouldNotAsk("the name servers do not answer")
                return super().__call__(name, kind)
            except CouldNotAsk:
                self.given_up = True
                raise

    result = DomainChecker(lambda: GivesUp({("null.org", "MX"): ["0 "]} | WORLD))
    assert result(["a.silent.org", "b.silent.org", "null.org"]) == {"null.org": NULL}


def test_answers_are_remembered_and_reserved_names_never_asked() -> None:
    dns = FakeDns({("a.org", "MX"): ["0 "]} | WORLD)
    verdict = judge(dns)
    assert verdict(["a.org", "b.test", "example.com", "x.example.org"]) == {"a.org": NULL}
    assert verdict(["a.org"]) == {"a.org": NULL}
    assert dns.questions == [("a.org", "MX")]
