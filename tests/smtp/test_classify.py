"""Test what SMTP replies mean: a corpus of real wordings by cause, other wordings, hostile
texts.
"""

from __future__ import annotations

import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.smtp.causes import Cause, Rule
from newsletter.mail.smtp.classify import ABOUT, TEXT_AT_MOST, classify, judge, normalize, read_wait
from newsletter.mail.smtp.reply_codes import STATUSES
from newsletter.mail.smtp.reply_rules import LOOSE_RULES, RULES
from newsletter.mail.smtp.types import Outcome, Reply, Stage
from tests.smtp.replies import CORPUS, STAGES, read_reply, replies

pytestmark = pytest.mark.any_database

LINES = [(cause, line) for cause in CORPUS for line in replies(cause)]
ABOUT_US = [cause for cause in Cause if cause not in ABOUT]


@pytest.mark.parametrize(("cause", "line"), LINES, ids=lambda value: str(value)[:70])
def test_a_reply_has_its_cause(cause: Cause, line: str) -> None:
    assert judge(read_reply(line)).cause is cause


def test_the_corpus_is_large_and_knows_every_cause() -> None:
    assert len(LINES) > 300
    assert set(CORPUS) == set(Cause) - {Cause.NONE}


@pytest.mark.parametrize(("cause", "line"), LINES, ids=lambda value: str(value)[:70])
def test_only_a_dead_address_may_be_suppressed(cause: Cause, line: str) -> None:
    outcome = read_reply(line)
    dead = cause in (Cause.MAILBOX, Cause.DOMAIN) and outcome.reply.code >= 500
    assert judge(outcome).suppressible is dead


@pytest.mark.parametrize("cause", ABOUT_US)
@pytest.mark.parametrize(
    ("code", "status"),
    [(550, "5.1.1"), (554, "5.7.1"), (454, ""), (452, ""), (550, "5.4.5"), (451, "4.7.1")],
)
def test_what_is_about_us_is_charged_to_nobody_whatever_its_code(
    cause: Cause, code: int, status: str
) -> None:
    if cause in (Cause.POLICY, Cause.PROTOCOL):  # known by their codes alone
        return
    for line in replies(cause):
        outcome = read_reply(line)
        words = outcome.reply.text
        if outcome.stage in ("CONNECT", "MAIL") or len(words.split()) < 3:
            continue
        verdict = judge(outcome._replace(reply=Reply(code, status, words)))
        assert not verdict.suppressible, line
        assert verdict.about in ("sender", "unknown"), line


@pytest.mark.parametrize("stage", ["CONNECT", "MAIL"])
@pytest.mark.parametrize(("cause", "line"), LINES, ids=lambda value: str(value)[:70])
def test_a_refused_sender_or_connection_is_never_about_a_recipient(
    stage: Stage, cause: Cause, line: str
) -> None:
    verdict = judge(read_reply(line)._replace(stage=stage))
    assert verdict.about != "recipient"
    assert not verdict.suppressible


OTHER_WORDINGS = """
recipient 550 5.1.1 <x@example.org> User doesn't exist: x@example.org
recipient 550 5.1.1 recipient address rejected: invalid user
recipient 550 5.1.1 x@example.org is not a valid mailbox
recipient 550 5.1.1 No such local user
recipient 550 That recipient is not valid here
recipient 550 Account x@example.org is terminated
recipient 550 Mailbox x@example.org does not exist on this server
recipient 553 x@example.org unrouteable: no such person at this address
recipient 550 x@example.org: Empfaenger existiert nicht
recipient 550 Dieses Postfach wurde gelöscht
recipient 550 5.1.1 Benutzer unbekannt
recipient 550 5.1.1 L'utilisateur n'existe pas
recipient 550 Boite aux lettres inconnue
recipient 550 5.1.1 The email address you entered couldn't be found
recipient 550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550
recipient 550 mailbox unavailable
recipient 550 non-existent mailbox
us 550 5.7.1 Daily limit for this mailbox reached
us 550 outgoing mail quota for this domain has been used up
us 554 Over the hourly sending cap
us 452 4.7.1 Sender exceeded the number of recipients permitted per day
us 550 You have sent too many emails today, please try tomorrow
us 550 5.4.5 limit for sending messages exceeded for today
us 554 5.7.1 Too many recipients in the last 60 minutes
us 550 Du hast zu viele Nachrichten versendet
us 550 Das Limit für ausgehende E-Mails ist erreicht
us 550 Vous avez atteint votre limite d'envoi journalière
us 550 Nombre de destinataires par jour dépassé
us 550 quota exceeded
us 452 4.3.1 Messages rate too high
us 450 4.7.1 Throttled: message submission rate for this client has exceeded the configured limit
us 550 Exceeded allowed connection count
us 550 5.7.1 mail sending has been suspended for this customer
us 550 Your domain has been disabled by the administrator; contact support
us 550 5.7.0 Account is on hold
us 550 sender not allowed
us 550 5.7.30 DKIM = did not pass
us 554 Your IP 192.0.2.1 is on a list of bad senders
us 550 Mail from your network is refused
us 550 permanent failure for one or more recipients (x@example.org:blocked)
us 554 5.7.1 This email has been identified as junk
us 550 5.7.1 Message refused by content scanner
us 550 Versandgrenze erreicht
us 554 5.7.1 Mailversand aus Sicherheitsgründen gesperrt
us 550 5.7.1 Compte bloqué suite à un envoi massif
us 550 Quota for outbound messages has been depleted
us 550 5.7.1 Weekly message allowance reached
us 550 5.7.1 Per month 5000 mails allowed
us 550 Hourly maximum for this host reached
us 452 4.3.2 Concurrent limit reached for your IP
us 452 4.3.2 Maximum number of SMTP connections reached
us 452 4.3.2 Connections from your network exceed what we take
us 550 You have used your free credit
us 550 Credits expired
us 550 This plan has a limit
us 550 Limit für den Versand erreicht
us 550 Ihr Tageskontingent ist ausgeschöpft
us 550 Quota d'e-mails dépassé
us 550 Limite de 200 destinataires par heure
us 550 Quota mensuel d'envoi
us 550 Límite de envío superado
us 452 4.5.3 Number of messages on this connection is used up
temporary 452 4.2.2 Over quota
temporary 450 4.2.1 mailbox busy
temporary 450 4.3.2 System not accepting network messages
temporary 450 4.4.1 connection timed out
"""


@pytest.mark.parametrize("line", [line for line in OTHER_WORDINGS.splitlines() if line])
def test_wordings_that_no_rule_was_written_for(line: str) -> None:
    kind, _, reply = line.partition(" ")
    verdict = judge(read_reply(reply))
    assert verdict.kind == kind
    assert verdict.suppressible is (kind == "recipient")


@pytest.mark.parametrize(
    "address",
    [
        "spam@example.org",
        "quota.exceeded@full.example.net",
        "user-unknown@no-such-user.invalid",
        "blocked+abuse@blacklist.example",
    ],
)
@pytest.mark.parametrize("cause", list(CORPUS))
def test_a_recipients_name_decides_nothing(cause: Cause, address: str) -> None:
    for line in replies(cause):
        outcome = read_reply(line)
        code, status, words = outcome.reply
        if len(words.split()) > 2 and "mailbox unavailable" not in words:
            named = outcome._replace(reply=Reply(code, status, f"<{address}>: {words}"))
            assert judge(named).cause is judge(outcome).cause, line


@given(
    st.sampled_from(STAGES),
    st.integers(400, 599),
    st.sampled_from(["", "5.0.0", "5.9.9", "4.0.0", "5.7.999"]),
    st.text(st.characters(codec="latin-1", categories=("L", "N", "P", "Z")), max_size=60),
)
def test_an_unknown_reply_harms_nobody(stage: Stage, code: int, status: str, letters: str) -> None:
    words = " ".join(f"q{word}q" for word in letters.split())
    verdict = judge(Outcome(1, "refused", stage, Reply(code, status, words), "x"))
    if code in (521, 551, 556) and stage not in ("CONNECT", "MAIL"):
        return  # these say by themselves that the recipient or its domain takes no mail
    assert not verdict.suppressible
    assert verdict.kind not in ("recipient", "sent", "in_doubt")


@given(st.integers(200, 599), st.text(max_size=300), st.text(max_size=2_000))
def test_no_text_breaks_the_judgement(code: int, status: str, words: str) -> None:
    judge(Outcome(1, "refused", "RCPT", Reply(code, status, words), "x"))


@pytest.mark.parametrize(
    ("words", "wait"),
    [
        ("Too many messages. Try again in 92 seconds.", timedelta(seconds=92)),
        ("Greylisted, please retry after 5 minutes", timedelta(minutes=5)),
        (
            "Domain has exceeded the max emails per hour (150/150 (100%)) allowed",
            timedelta(hours=1),
        ),
        ("Daily user sending limit exceeded", timedelta(days=1)),
        ("Monthly sending limit exceeded, quota resets in 20 days", timedelta(days=1)),
        ("Tageslimit erreicht: maximale Anzahl E-Mails pro Tag", timedelta(days=1)),
        ("Quota d'envoi dépassé: 200 messages par heure", timedelta(hours=1)),
        ("Sending limit exceeded", None),
    ],
)
def test_how_long_a_server_asks_to_wait(words: str, wait: timedelta | None) -> None:
    assert read_wait(classify(450, "", words, "RCPT"), words) == wait


def test_a_verdict_names_the_setting_that_helps() -> None:
    assert (
        judge(read_reply("454 Throttling failure: Maximum sending rate exceeded.")).setting
        == "smtp.max_per_second"
    )
    assert "smtp.max_per_hour" in judge(read_reply("550 Daily user sending limit exceeded")).setting
    assert (
        judge(read_reply("421 Too many concurrent SMTP connections")).setting == "smtp.connections"
    )
    assert judge(read_reply("550 5.1.1 User unknown")).setting == ""


@pytest.mark.parametrize("stage", ["DATA", "END"])
@pytest.mark.parametrize(
    ("status", "words"),
    [("", ""), ("5.0.0", "too big"), ("5.3.0", "message too large"), ("5.3.4", "")],
)
def test_552_is_about_the_message(stage: Stage, status: str, words: str) -> None:
    verdict = judge(Outcome(1, "refused", stage, Reply(552, status, words), "x"))
    assert (verdict.kind, verdict.cause, verdict.suppressible) == (
        "content",
        Cause.TOO_LARGE,
        False,
    )


@pytest.mark.parametrize(
    "line", ["550 5.1.8 domain does not exist", "550 5.1.7 address does not exist"]
)
def test_a_status_about_the_sender_is_about_no_recipient(line: str) -> None:
    assert judge(read_reply(line)).cause is Cause.SENDER


def test_421_is_offered_again_and_still_says_why() -> None:
    verdict = judge(
        Outcome(
            1,
            "unsent",
            "MAIL",
            Reply(421, "4.7.0", "Error: too many connections from 192.0.2.1"),
            "x",
        )
    )
    assert (verdict.kind, verdict.cause) == ("again", Cause.CONNECTIONS)


# ── the table
# ──────────────────────────────────────────────────────────────────────────────────────

PROVIDERS = (
    "Amazon SES",
    "Gmail",
    "Exchange Online",
    "Outlook.com",
    "Yahoo",
    "iCloud",
    "Postmark",
    "Mailgun",
    "SendGrid",
    "Brevo",
    "Fastmail",
    "OVHcloud",
    "IONOS",
    "Hetzner",
    "cPanel",
    "Exim",
    "Postfix",
    "Zoho",
    "GMX",
    "T-Online",
    "Orange",
)


@pytest.mark.parametrize(
    "rule", [*RULES, *LOOSE_RULES], ids=lambda rule: f"{rule.cause}-{rule.patterns[0][:20]}"
)
def test_every_rule_names_its_source(rule: Rule) -> None:
    assert len(rule.source) > 20
    assert any(name in rule.source for name in (*PROVIDERS, "RFC"))


@pytest.mark.parametrize("cause", [Cause.QUOTA, Cause.PACE, Cause.CONNECTIONS])
def test_b22_b24_each_pattern_about_us_has_a_wording_that_no_other_knows(cause: Cause) -> None:
    """Without it that wording is charged to readers; one of no use hides behind others."""
    others = (line.partition(" ")[2] for line in OTHER_WORDINGS.splitlines())
    words = [normalize(text) for text in (*(line for _, line in LINES), *others)]
    unneeded = [
        pattern
        for rule in RULES
        if rule.cause is cause
        for pattern in rule.patterns
        if not any(
            [other for other in rule.patterns if re.search(other, text)] == [pattern]
            for text in words
        )
    ]
    assert unneeded == []


def test_the_manual_names_every_cause_and_every_provider() -> None:
    manual = (Path(__file__).parents[2] / "docs/smtp.md").read_text()
    for cause in set(Cause) - {Cause.NONE}:
        assert f"`{cause.value}`" in manual, cause
    for name in PROVIDERS:
        assert name in manual, name


def test_statuses_are_written_without_their_class() -> None:
    assert all(re.fullmatch(r"[1-7](\.\d{1,3})?", status) for status in STATUSES)


# ── time
# ───────────────────────────────────────────────────────────────────────────────────────────

PATTERNS = [pattern for rule in (*RULES, *LOOSE_RULES) for pattern in rule.patterns]
WORDS = re.compile(r"[a-z]{3,}")


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern[:40])
def test_no_pattern_repeats_without_a_bound(pattern: str) -> None:
    assert not re.search(r"(?<!\\)[*+]", re.sub(r"\[[^\]]*\]", "x", pattern)), (
        "give the repetition a bound, as in {0,40}"
    )
    assert not re.search(r"\{\d*,\}", pattern)
    assert all(int(bound) <= 60 for bound in re.findall(r"\{\d*,(\d+)\}", pattern))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern[:40])
def test_every_pattern_takes_linear_time(pattern: str) -> None:
    """Feed long runs of what the pattern itself looks for; four times the text may not take nine
    times as long.
    """
    compiled = re.compile(pattern)
    seeds = {f"{word} " for word in WORDS.findall(pattern)[:12]} | set(WORDS.findall(pattern)[:12])
    for seed in {*seeds, " ", "a", "mailbox ", "user x ", "over per ", "0", "@ "}:
        short = run_time(compiled, (seed * 3_000)[:3_000])
        if short > 0.002:
            assert run_time(compiled, (seed * 12_000)[:12_000]) < 9 * short, seed


def run_time(compiled: re.Pattern[str], text: str) -> float:
    """Measure the processor time of the quickest of three searches that cannot stop early."""
    times = []
    for _ in range(3):
        begun = time.process_time()
        for _ in compiled.finditer(text):
            pass
        times.append(time.process_time() - begun)
    return min(times)


def test_a_reply_without_an_end_is_cut() -> None:
    assert len(normalize("x" * 1_000_000)) <= TEXT_AT_MOST
    assert len(normalize("\ufdfa" * 10_000)) <= TEXT_AT_MOST
