"""Test what `doctor` says of an installation and of the DNS of its domain; `status` and
`explain` on the same ground.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import NotFound, Refused
from newsletter.feeds.fetch import Fetched
from newsletter.models import Campaign, MailingList, Subscription
from newsletter.services import suppressions
from newsletter.services.campaigns import explain_delivery
from newsletter.services.checks import Check
from newsletter.services.letters import send as letters
from newsletter.services.operations import doctor, status
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import history
from newsletter.services.subscribers.subscriptions import Evidence, leave
from newsletter.vocabulary import EvidenceSource, SuppressionReason
from tests.fakes import Clock, FakeDns, FakeFetch, Sink
from tests.people import add_list, add_reader
from tests.services.sending.test_run import refusal
from tests.unit.dns.test_records import public_key

DOMAIN = "slow-letters.net"
LETTER = "---\nsubject: Going slowly\n---\n\nA letter.\n"


@pytest.fixture
def reader(env: Environment) -> Callable[..., Subscription]:
    with transaction() as session:
        add_list(session, from_email=f"ana@{DOMAIN}")

    def add(email: str, **values: object) -> None:
        from newsletter.services.lookup import get_list

        with transaction() as session:
            add_reader(session, get_list(session, "blog"), email, **values)  # type: ignore[arg-type]

    return add  # type: ignore[return-value]


def checks(env: Environment, **options: object) -> dict[str, Check]:
    return {check.id: check for check in doctor.examine(env, **options)}  # type: ignore[arg-type]


def well(dns: FakeDns) -> None:
    dns.records = {
        (DOMAIN, "TXT"): ["v=spf1 mx -all"],
        (DOMAIN, "MX"): [f"10 mail.{DOMAIN}"],
        (f"mail._domainkey.{DOMAIN}", "TXT"): [f"v=DKIM1; p={public_key(2048)}"],
        (f"_dmarc.{DOMAIN}", "TXT"): [f"v=DMARC1; p=quarantine; rua=mailto:d@{DOMAIN}"],
        ("news.example.com", "A"): ["192.0.2.7"],
        ("192.0.2.7", "PTR"): ["news.example.com"],
    }


def test_doctor_finds_nothing_wrong_with_a_good_installation(
    env: Environment, reader: object, clock: Clock, fake_dns: FakeDns, fake_fetch: FakeFetch
) -> None:
    assert checks(env)["clock"].verdict == "bad"
    with reading() as session:  # the clock of the tests may be moved ahead, the database's is not
        seconds = session.scalar(select(outbox.seconds_now_clause(session)))
    clock.now = datetime.fromtimestamp(float(seconds or 0), UTC)
    with transaction() as session:
        for mailing_list in session.query(MailingList):
            mailing_list.created_at = clock.now  # nothing to lose that was not backed up
    well(fake_dns)
    fake_fetch.pages["https://news.example.com/robots.txt"] = (
        b"User-agent: *\nDisallow: /unsubscribe/\n"
    )
    verdicts = checks(env)
    assert {id_: check.verdict for id_, check in verdicts.items() if check.verdict != "good"} == {
        "bounces": "warn",
        "feeds": "warn",
        "worker": "warn",
    }
    assert "1 of 10 look-ups" in verdicts["spf"].what
    assert "2048 bits" in verdicts["dkim"].what
    assert "p=quarantine holds" in verdicts["dmarc"].what
    assert {
        "settings",
        "database",
        "migrations",
        "disk",
        "clock",
        "base_url",
        "one_click",
        "rdns",
        "mx",
    } <= set(verdicts)


def test_what_is_missing_comes_with_the_record_to_publish(
    env: Environment, reader: object, fake_dns: FakeDns
) -> None:
    verdicts = checks(env, selector="news")
    assert {verdicts[id_].verdict for id_ in ("spf", "dkim", "dmarc", "mx", "helo")} == {"bad"}
    assert verdicts["spf"].record == f'{DOMAIN}. TXT "v=spf1 mx ~all"'
    assert verdicts["dkim"].record.startswith(f'news._domainkey.{DOMAIN}. TXT "v=DKIM1')
    assert (
        verdicts["dmarc"].record
        == f'_dmarc.{DOMAIN}. TXT "v=DMARC1; p=none; rua=mailto:dmarc@{DOMAIN}"'
    )
    assert all(verdicts[id_].why for id_ in ("spf", "dkim", "dmarc", "mx", "helo"))
    assert checks(env)["dkim"].verdict == "unknown"


def test_without_a_network_nothing_is_called_wrong(
    env: Environment, reader: object, fake_dns: FakeDns
) -> None:
    fake_dns.silent = True
    verdicts = checks(env)
    assert {verdicts[id_].verdict for id_ in ("spf", "dkim", "dmarc", "mx", "rdns")} == {"unknown"}
    assert "could not ask" in verdicts["spf"].what


def test_names_that_lead_elsewhere_and_mail_that_goes_nowhere(
    env: Environment, reader: object, fake_dns: FakeDns
) -> None:
    well(fake_dns)
    fake_dns.records["192.0.2.7", "PTR"] = ["pool-7.isp.example"]
    fake_dns.records[DOMAIN, "MX"] = ["0 "]
    fake_dns.records[DOMAIN, "TXT"] = ["v=spf1 +all"]
    verdicts = checks(env)
    assert [verdicts[id_].verdict for id_ in ("rdns", "mx", "spf")] == ["bad", "bad", "bad"]
    assert "pool-7.isp.example" in verdicts["rdns"].what


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        (f"d={DOMAIN}; s=mail; h=From:List-Unsubscribe:List-Unsubscribe-Post", ""),
        (f"d={DOMAIN}; s=mail; h=From:List-Unsubscribe", "leaves out list-unsubscribe-post"),
        ("d=provider.example; s=x; h=From", "signed by provider.example"),
        ("", "signed by nobody"),
    ],
)
def test_a_sample_of_sent_mail(
    env: Environment, reader: object, fake_dns: FakeDns, signature: str, expected: str
) -> None:
    well(fake_dns)
    header = f"DKIM-Signature: v=1; {signature}; b=x\r\n" if signature else ""
    verdicts = checks(env, sample=f"{header}From: ana@{DOMAIN}\r\n\r\nBody".encode())
    assert (
        expected in verdicts["dkim"].what + verdicts.get("dkim_headers", Check("", "good", "")).what
    )
    assert (verdicts["dkim"].verdict == "good") == (not expected or "leaves" in expected)


def test_an_address_that_is_not_ours(
    env: Environment, reader: object, fake_fetch: FakeFetch
) -> None:
    url = "https://news.example.com/robots.txt"
    assert "cannot be reached" in checks(env)["one_click"].what
    fake_fetch.pages[url] = b"User-agent: *\n"
    assert "not this program" in checks(env)["one_click"].what
    moved = Fetched(
        url="https://www.news.example.com/robots.txt", status=200, body=b"Disallow: /unsubscribe/"
    )
    fake_fetch.pages[url] = moved
    assert "redirects" in checks(env)["one_click"].what


def test_a_free_address_is_named(env: Environment, fake_dns: FakeDns) -> None:
    with transaction() as session:
        add_list(session, from_email="ana@gmail.com", postal_address="")
    verdicts = checks(env)
    assert (verdicts["from"].verdict, verdicts["postal_address"].verdict) == ("bad", "warn")
    assert fake_dns.questions == [("news.example.com", "A"), ("news.example.com", "AAAA")]


def send(env: Environment, sink: Sink) -> int:
    number = letters.send_letter(env, letters.parse(LETTER))
    sending.send_due(env)
    return number


def test_why_she_did_not_get_it(
    env: Environment, reader: Callable[..., None], sink: Sink, clock: Clock
) -> None:
    clock.forward(timedelta(hours=1))
    for name in ("got", "gone", "never", "bounced", "barred"):
        reader(f"{name}@example.com", status={"never": "pending"}.get(name, "active"))
    with transaction() as session:
        from sqlalchemy import select

        from newsletter.models import Subscriber

        left = session.scalars(
            select(Subscription).join(Subscriber).where(Subscriber.email == "gone@example.com")
        ).one()
        leave(env, session, left, Evidence(EvidenceSource.AUTHOR))
    suppressions.suppress(env, "barred@example.com", reason=SuppressionReason.COMPLAINT)
    sink.script = lambda outgoing: (
        refusal(outgoing, 550, "5.1.1", "Nobody here") if "bounced" in outgoing.recipient else None
    )
    clock.forward(timedelta(hours=1))
    number = send(env, sink)
    clock.forward(timedelta(hours=1))
    reader("late@example.com", now=clock.now)
    explanations = {
        name: explain_delivery.explain_delivery(env, number, f"{name}@example.com")
        for name in ("got", "gone", "never", "bounced", "barred", "late", "stranger")
    }
    assert explanations["got"].has_received is True
    assert "Message-ID" in explanations["got"].hint
    assert all(explanations[name].has_received is False for name in explanations if name != "got")
    for name, text in (
        ("gone", "unsubscribed"),
        ("never", "never confirmed"),
        ("bounced", "550"),
        ("barred", "suppressed"),
        ("late", "confirmed after"),
        ("stranger", "does not subscribe"),
    ):
        assert text in explanations[name].verdict, name
    assert explanations["bounced"].verdict.startswith(
        "the message was refused for good. The server"
    ), "at the first try: none is counted"
    assert "their message: sent" in [what for _, what in explanations["got"].facts]
    assert [event.what for event in history.get_history(env, "got@example.com").events][
        -1
    ].endswith("” sent")
    with pytest.raises(NotFound):
        explain_delivery.explain_delivery(env, 99, "got@example.com")


def test_a_campaign_that_has_not_started_is_no_reason_of_a_subscriber(
    env: Environment, reader: Callable[..., None], sink: Sink
) -> None:
    reader("a@example.com")
    number = letters.send_letter(env, letters.parse(LETTER), send_at=env.now + timedelta(days=1))
    assert (
        explain_delivery.explain_delivery(env, number, "a@example.com").verdict
        == "the campaign has not started: nobody got it yet"
    )
    assert explain_delivery.explain_delivery(env, number, "a@example.com").has_received is None


def test_status_at_one_look(
    env: Environment, reader: Callable[..., None], sink: Sink, clock: Clock
) -> None:
    reader("old@example.com", now=clock.now - timedelta(days=90))
    reader("new@example.com", now=clock.now - timedelta(days=2))
    reader("today@example.com")
    reader("asked@example.com", status="pending")
    number = send(env, sink)
    suppressions.suppress(env, "x@example.com", reason=SuppressionReason.BOUNCE)
    result = status.read_status(env)
    [blog] = result.lists
    assert (blog.active, blog.pending, blog.unsubscribed) == (3, 1, 0)
    assert (
        blog.growth.joined[-1],
        blog.growth.joined[-3],
        sum(blog.growth.joined),
        blog.growth.left,
    ) == (1, 1, 2, 0)
    assert blog.last is not None
    assert (blog.last.id, blog.last.totals.sent, blog.under_way) == (number, 3, ())
    assert [coming.cadence for coming in blog.coming] == ["weekly"]
    assert (result.bounces, result.complaints, result.waiting, result.ticked_at) == (1, 0, 0, None)
    with transaction() as session:
        session.get_one(Campaign, number).status = "paused"
    assert status.read_status(env, "blog").lists[0].under_way[0].status == "paused"
    with pytest.raises(NotFound):
        status.read_status(env, "none")


def test_a_test_message_is_sent_where_asked(
    env: Environment, reader: Callable[..., None], sink: Sink
) -> None:
    reader("subscriber@example.com", status="active")
    assert "send" not in checks(env)
    assert checks(env, send_to="me@example.org")["send"].verdict == "good"
    assert [message.recipient for message in sink.accepted] == ["me@example.org"]
    sink.script = lambda outgoing: refusal(outgoing, 550, "5.7.1", "not you")
    refused = checks(env, send_to="me@example.org")["send"]
    assert (refused.verdict, "not you" in refused.what) == ("bad", True)


def test_a_test_message_needs_a_list(env: Environment) -> None:
    with pytest.raises(Refused, match="no list"):
        doctor.examine(env, send_to="me@example.org")
