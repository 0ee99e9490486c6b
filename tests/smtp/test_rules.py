"""Each rule about replies has its place, decides something, and each pattern knows a wording."""

from __future__ import annotations

import re

import pytest

from newsletter.mail.smtp import recipient_rules, sender_rules
from newsletter.mail.smtp.causes import Rule
from newsletter.mail.smtp.classify import classify, normalize
from newsletter.mail.smtp.reply_rules import RULES
from newsletter.mail.smtp.types import Stage
from tests.smtp.replies import CORPUS, replies
from tests.smtp.test_classify import OTHER_WORDINGS

pytestmark = pytest.mark.any_database

WORDINGS = """
mailbox_full 451 Command output: write failed: Disk quota exceeded
greylisted 450 Postgrey: please come back later
greylisted 450 4.2.0 Graulisting aktiv
reputation 550 5.7.1 Directory harvest attack suspected
reputation 550 5.7.1 Schlechte Zustellquote
account 550 5.7.1 This account has been suspended from sending mail
account 535 5.7.0 Anmeldung fehlgeschlagen
sender 550 The recipient's host denies the sender
sender 450 4.1.8 Domain of sender address does not resolve
mailbox_full 450 Temporarily disabled mailbox
domain 550 5.1.2 no MX for this domain
domain 550 Domain unbekannt
mailbox 550 This address no longer accepts mail
mailbox 550 Boite aux lettres archivée
mailbox 550 Nicht im Adressbuch gefunden
mailbox 550 Diese Adresse existiert nicht
mailbox 550 Nie ma takiego uzytkownika
mailbox 550 Usuario desconocido, destinatario desconhecido
mailbox 550 Onbekende gebruiker
mailbox 550 宛先不明
mailbox 550 用户不存在
mailbox 550 Пользователь не существует
"""
"""Replies that the corpus has no like of, by their cause: one for each pattern that needs one."""
LINES = [line for line in WORDINGS.splitlines() if line]


@pytest.mark.parametrize("line", LINES)
def test_a_wording_has_its_cause(line: str) -> None:
    cause, _, reply = line.partition(" ")
    code, _, text = reply.partition(" ")
    status = text.partition(" ")[0] if re.match(r"[245]\.\d", text) else ""
    assert classify(int(code), status, text.removeprefix(status).strip(), Stage.RCPT) == cause


def test_each_rule_has_its_place() -> None:
    """One that is written and not put in order decides nothing."""
    written = {
        name: rule
        for module in (recipient_rules, sender_rules)
        for name, rule in vars(module).items()
        if isinstance(rule, Rule)
    }
    assert [name for name, rule in written.items() if rule not in RULES] == []
    assert len(written) == len(set(RULES)) == len(RULES)


def test_each_pattern_knows_a_wording() -> None:
    lines = [
        *(line for cause in CORPUS for line in replies(cause)),
        *(line.partition(" ")[2] for line in (*OTHER_WORDINGS.splitlines(), *LINES)),
    ]
    texts = [normalize(line) for line in lines]
    assert [
        (rule.cause, pattern)
        for rule in RULES
        for pattern in rule.patterns
        if not any(re.search(pattern, text) for text in texts)
    ] == []
