"""SPF, DKIM and DMARC as `doctor` reads them, against a name server that says what it is told
to.
"""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from newsletter.dns import dkim, dmarc, spf
from newsletter.dns.resolver import CouldNotAsk, DnsResolver, RecordKind
from tests.fakes import FakeDns


def public_key(bits: int) -> str:
    """Return a key of the right shape: SEQUENCE { SEQUENCE { oid, NULL }, BIT STRING { SEQUENCE {
    modulus, 65537 } } }.
    """

    def der(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
        return bytes([tag]) + length + content

    modulus = der(0x02, b"\0" + b"\xc3" * (bits // 8))
    inner = der(0x30, modulus + der(0x02, b"\x01\x00\x01"))
    oid = der(0x30, der(0x06, b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01") + der(0x05, b""))
    return base64.b64encode(der(0x30, oid + der(0x03, b"\0" + inner))).decode()


def dns(*records: tuple[str, str, str]) -> FakeDns:
    result = FakeDns()
    for name, kind, text in records:
        result.records.setdefault((name, kind), []).append(text)
    return result


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 ip4:192.0.2.1 -all", ""),
        ("v=spf1 ip4:192.0.2.1/24 ip6:2001:db8::/32 ~all", ""),
        ("v=spf1 +all", "anybody"),
        ("v=spf1 all", "anybody"),
        ("v=spf1 ip4:192.0.2.1", "no final mechanism"),
        ("v=spf1 include:nowhere.example ~all", "no SPF record"),
        ("v=spf1 include:a.example ~all", "includes itself"),
        ("v=spf1 redirect=a.example", "redirected to itself"),
        ("v=spf1 redirect=nowhere.example", "no SPF record"),
        ("v=spf1 ?all", "protects nobody"),
        ("v=spf1 ptr -all", "should not be used"),
        ("v=spf1 ipv4:192.0.2.1 -all", "no mechanism"),
        ("v=spf1 ip4:192.0.2.999 -all", "is no address"),
        ("v=spf1 ip6:192.0.2.1 -all", "is no address"),
        ("v=spf1 include: -all", "names no domain"),
        ("v=spf1 exp=why.%{d} unknown=x -all", ""),
        ("v=spf1 include:%{ir}.%{d2} exists:%{i}.x -all", ""),
        ("v=spf1 -all include:nowhere.example nonsense", ""),
        ("V=SPF1 IP4:192.0.2.1 -ALL", ""),
    ],
)
def test_faults_of_an_spf_record_are_named(record: str, expected: str) -> None:
    ask = dns(("a.example", "TXT", record), ("a.example", "TXT", "other=1"))
    report = spf.examine("a.example", ask)
    assert report.record == record
    assert expected in "; ".join(report.problems + report.notes)
    assert bool(report.problems + report.notes) == bool(expected)


def test_spf_follows_a_redirect_to_its_end_and_never_in_a_circle() -> None:
    ask = dns(
        ("a.example", "TXT", "v=spf1 redirect=b.example"),
        ("b.example", "TXT", "v=spf1 redirect=c.example"),
        ("c.example", "TXT", "v=spf1 include:d.example ~all"),
        ("d.example", "TXT", "v=spf1 +all"),
    )
    report = spf.examine("a.example", ask)
    assert (report.lookups, report.ending, report.problems) == (3, "~all", [])
    ask.records["c.example", "TXT"] = ["v=spf1 redirect=a.example"]
    count = len(ask.questions)
    assert "redirected to itself" in spf.examine("a.example", ask).problems[0]
    assert len(ask.questions) < count + 5


def test_spf_more_than_ten_hosts_of_an_mx_are_an_error() -> None:
    ask = dns(
        ("a.example", "TXT", "v=spf1 mx -all"),
        *(("a.example", "MX", f"1 m{n}.example") for n in range(11)),
    )
    assert "11 MX" in spf.examine("a.example", ask).problems[0]


def test_spf_counts_the_look_ups_of_everything_it_includes() -> None:
    ask = dns(
        (
            "a.example",
            "TXT",
            "v=spf1 a mx:m.example include:one.example include:two.example "
            "exists:%{i}.x.example ~all",
        ),
        ("one.example", "TXT", "v=spf1 include:three.example ptr ?all"),
        ("two.example", "TXT", "v=spf1 redirect=three.example"),
        ("three.example", "TXT", "v=spf1 a:gone.example ip4:192.0.2.1 -all"),
        ("a.example", "A", "192.0.2.1"),
        ("m.example", "MX", "10 m.example"),
    )
    report = spf.examine("a.example", ask)
    assert (report.lookups, report.voids, report.ending, report.problems) == (10, 2, "~all", [])
    ask.records["two.example", "TXT"] = ["v=spf1 a a a redirect=three.example"]
    report = spf.examine("a.example", ask)
    assert report.lookups == 13
    assert "13 look-ups" in report.problems[0]
    assert "have no answer" in report.problems[1]


def test_spf_two_records_are_none_and_a_swarm_of_includes_ends() -> None:
    ask = dns(("a.example", "TXT", "v=spf1 -all"), ("a.example", "TXT", "v=spf1 ~all"))
    assert "2 SPF records" in spf.examine("a.example", ask).problems[0]
    names = [f"n{number}.example" for number in range(40)]
    swarm = FakeDns(
        {
            (name, "TXT"): ["v=spf1 " + " ".join(f"include:{other}" for other in names)]
            for name in names
        }
    )
    report = spf.examine("n0.example", swarm)
    assert "more than" in "; ".join(report.problems)
    assert len(swarm.questions) < 200
    assert spf.examine("none.example", ask).record == ""


@pytest.mark.parametrize(
    ("record", "policy", "expected"),
    [
        ("v=DMARC1; p=reject; rua=mailto:a@a.example", "reject", ""),
        ("v=DMARC1;p=quarantine", "quarantine", ""),
        ("v=DMARC1; p=none", "none", "rua="),
        ("v=DMARC1; rua=mailto:a@a.example", "none", "no policy"),
        ("v=DMARC1; p=reject; pct=50; ri=3600", "reject", "pct, ri are obsolete"),
        ("v=DMARC1; p=reject; t=y", "reject", "t=y"),
        ("v=DMARC1; p=reject; rua=a@a.example", "reject", "no mailto:"),
        (
            "v=DMARC1; p=reject; rua=mailto:a@a.example!10m, mailto:b@b.example",
            "reject",
            "b.example does not accept",
        ),
        ("v=DMARC1; p=none; rua=mailto:c@agreed.example", "none", ""),
    ],
)
def test_faults_of_a_dmarc_record_are_named(record: str, policy: str, expected: str) -> None:
    agreed = ("a.example._report._dmarc.agreed.example", "TXT", "v=DMARC1")
    ask = dns(("_dmarc.a.example", "TXT", record), ("_dmarc.a.example", "TXT", "x"), agreed)
    report = dmarc.examine("a.example", ask)
    assert (report.domain, report.policy) == ("a.example", policy)
    assert expected in "; ".join(report.problems)
    assert bool(report.problems) == bool(expected)


def test_dmarc_walks_up_the_tree() -> None:
    """RFC 9989 §4.10: the policy of the domain itself, else of its organisation, whose `sp` then
    holds.
    """
    ask = dns(
        ("_dmarc.example", "TXT", "v=DMARC1; p=reject; psd=y"),
        ("_dmarc.a.example", "TXT", "v=DMARC1; p=reject; sp=quarantine"),
    )
    report = dmarc.examine("deep.news.a.example", ask)
    assert (report.domain, report.policy) == ("a.example", "quarantine")
    assert dmarc.find_organization("deep.news.a.example", ask) == "a.example"
    assert dmarc.is_aligned("bounce.a.example", "news.a.example", ask)
    assert not dmarc.is_aligned("b.example", "news.a.example", ask)
    ask.records["_dmarc.news.a.example", "TXT"] = ["v=DMARC1; p=none; psd=n"]
    assert dmarc.find_organization("deep.news.a.example", ask) == "news.a.example"
    assert not dmarc.is_aligned("bounce.a.example", "news.a.example", ask)


def test_dmarc_of_a_public_suffix_holds_where_nobody_below_has_one() -> None:
    """RFC 9989 §4.10.1: the domain, its organisation, the suffix that speaks for those below it."""
    ask = dns(("_dmarc.example", "TXT", "v=DMARC1; p=none; sp=reject; psd=y; rua=mailto:a@example"))
    report = dmarc.examine("news.a.example", ask)
    assert (report.domain, report.policy, report.problems) == ("example", "reject", [])
    assert dmarc.find_organization("news.a.example", ask) == "a.example"


def test_dmarc_of_a_very_deep_name_asks_at_most_eight_times() -> None:
    ask = FakeDns()
    assert dmarc.find_organization(".".join(f"n{number}" for number in range(30)), ask).startswith(
        "n0."
    )
    assert len(ask.questions) == 8


def test_weak_and_withdrawn_keys_of_dkim_are_named() -> None:
    for bits in (2048, 1024, 512):
        assert dkim.count_rsa_bits(public_key(bits)) == bits
    assert dkim.count_rsa_bits("nonsense!") == 0
    assert dkim.count_rsa_bits("") == 0
    ask = dns(
        ("good._domainkey.a.example", "TXT", f"v=DKIM1; k=rsa; p={public_key(2048)}"),
        ("short._domainkey.a.example", "TXT", f"p={public_key(1024)}"),
        ("tiny._domainkey.a.example", "TXT", f"p={public_key(512)}"),
        ("gone._domainkey.a.example", "TXT", "v=DKIM1; p="),
        ("test._domainkey.a.example", "TXT", f"v=DKIM1; t=s:y; p={public_key(2048)}"),
        (
            "ed._domainkey.a.example",
            "TXT",
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        ),
        ("default._domainkey.a.example", "TXT", f"v=DKIM1; p={public_key(2048)}"),
    )
    keys = {
        name: dkim.examine("a.example", name, ask)
        for name in ("good", "ed", "short", "tiny", "gone", "test")
    }
    remarks = {name: key.problems + key.notes for name, key in keys.items()}
    assert remarks["good"] == remarks["ed"] == []
    assert "1024 bits" in remarks["short"][0]
    assert "too short" in remarks["tiny"][0]
    assert "withdrawn" in remarks["gone"][0]
    assert "test" in remarks["test"][0]
    assert dkim.examine("a.example", "none", ask).record == ""
    assert [key.selector for key in dkim.find_usual_keys("a.example", ask)] == ["default"]
    ask.records["mail._domainkey.a.example", "TXT"] = ["v=DKIM1; p="]
    assert [key.selector for key in dkim.find_usual_keys("a.example", ask)] == ["default"], (
        "what a rotation leaves behind"
    )


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=DKIM1; k=ed25519; p=AAAA", "cannot be read"),
        (f"h=sha1; p={public_key(2048)}", "rsa-sha256"),
        (f"h=sha1:sha256; s=email:x; p={public_key(2048)}", ""),
        (f"s=web; p={public_key(2048)}", "not for mail"),
    ],
)
def test_faults_of_a_dkim_record_are_named(record: str, expected: str) -> None:
    report = dkim.examine("a.example", "s", dns(("s._domainkey.a.example", "TXT", record)))
    assert expected in "; ".join(report.problems)
    assert bool(report.problems) == bool(expected)


def test_dkim_a_record_of_another_version_is_none() -> None:
    ask = dns(("s._domainkey.a.example", "TXT", f"v=DKIM2; p={public_key(2048)}"))
    assert dkim.examine("a.example", "s", ask).record == ""


def test_a_sample_shows_who_signed_it_and_what() -> None:
    sample = dkim.read_sample(
        b"DKIM-Signature: v=1; a=rsa-sha256; d=A.example; s=mail;\r\n h=From:To:Subject:\r\n"
        b"  List-Unsubscribe; b=x\r\n"
        b"From: Ana <ana@a.example>\r\nSubject: x\r\n\r\nBody"
    )
    assert sample.sender == "a.example"
    assert sample.signatures == (
        dkim.Signature("a.example", "mail", ("from", "to", "subject", "list-unsubscribe")),
    )
    assert dkim.read_sample(b"\xff\x00nonsense").signatures == ()
    assert dkim.read_sample(b"DKIM-Signature: d=a.example; s=\x1b[2Jx\r\n\r\n").signatures == ()


@pytest.fixture
def silence() -> Iterator[int]:
    """Listen as a name server that takes every question and answers none."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        yield server.getsockname()[1]


def test_without_an_answer_it_says_so_and_soon(silence: int) -> None:
    ask = DnsResolver(seconds=0.2, nameservers=["127.0.0.1"], port=silence)
    begun = time.monotonic()
    for number in range(20):
        with pytest.raises(CouldNotAsk):
            ask(f"n{number}.example", RecordKind.TXT)
    assert time.monotonic() - begun < 2


def test_a_real_answer_over_the_wire() -> None:
    """Against a name server of a few lines: TXT joined, MX, no such name, and each question asked
    once.
    """
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rrset

    answers = {
        ("a.example.", "TXT"): '"v=spf1 " "-all" "\\027[2J"',
        ("a.example.", "MX"): "10 Mail.A.example.",
        ("1.2.0.192.in-addr.arpa.", "PTR"): "mail.a.example.",
    }
    questions: list[str] = []
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)

        def serve() -> None:
            for _ in range(4):
                wire, address = server.recvfrom(4096)
                query = dns.message.from_wire(wire)
                question = query.question[0]
                key = (str(question.name), dns.rdatatype.to_text(question.rdtype))
                questions.append(key[0])
                answer = dns.message.make_response(query)
                if key in answers:
                    answer.answer.append(
                        dns.rrset.from_text(key[0], 60, "IN", key[1], answers[key])
                    )
                else:
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                server.sendto(answer.to_wire(), address)

        thread = threading.Thread(target=serve)
        thread.start()
        ask = DnsResolver(nameservers=["127.0.0.1"], port=server.getsockname()[1])
        assert (
            ask("a.example", RecordKind.TXT)
            == ask("A.example.", RecordKind.TXT)
            == ["v=spf1 -all\ufffd[2J"]
        )
        assert ask("a.example", RecordKind.MX) == ["10 mail.a.example"]
        assert ask("192.0.2.1", RecordKind.PTR) == ["mail.a.example"]
        assert ask("gone.example", RecordKind.TXT) == []
        thread.join(5)
    assert len(questions) == 4
