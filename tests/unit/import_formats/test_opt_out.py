"""Opt-out and opt-in columns are recognised by the words in their names, in the spellings of many
programs (B35).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import Refused
from newsletter.import_formats.opt_out import find_opt_ins, find_opt_outs, find_word, spell
from newsletter.import_formats.subscriber_file import open_subscriber_file
from newsletter.import_formats.types import SubscriberRow


def read_words(
    tmp_path: Path, content: str, name: str = "x.csv", **options: object
) -> dict[str, str]:
    file = tmp_path / name
    file.write_text(content)
    with open_subscriber_file(file, **options) as table:  # type: ignore[arg-type]
        return {row.email: row.word for row in table.people if isinstance(row, SubscriberRow)}


def word_for(tmp_path: Path, column: str, value: str) -> str:
    content = (
        f'email,name,"{column}",city\nother@example.com,Bob,,Rome\n'
        f'a@example.com,Ana,"{value}",Oslo\n'
    )
    words = read_words(tmp_path, content)
    assert words["other@example.com"] == "silent"
    return words["a@example.com"]


OUT = [
    ("HasOptedOutOfEmail", "TRUE"),
    ("Avregistrerad", "ja"),
    ("Afmeldt", "ja"),
    ("Avmeldt", "ja"),
    ("Peruutettu", "1"),
    ("Leiratkozott", "1"),
    ("Отписан", "1"),
    ("退订", "1"),
    ("配信停止", "1"),
    ("수신거부", "1"),
    ("إلغاء الاشتراك", "1"),
    ("Un-Subscribed", "yes"),
    ("Un subscribed at", "2020-01-01"),
    ("Unsubscribed from all email", "true"),
    ("EMAIL_BLACKLISTED", "true"),
    ("Email Opt Out", "1"),
    ("email_opt-out", "Yes"),
    ("EmailOptOut", "on"),
    ("IsEmailBounced", "true"),
    ("EmailBouncedDate", "2024-01-02T03:04:05.000Z"),
    ("EmailBouncedReason", "550 no such user"),
    ("Opted out of email: Marketing Information", "Yes"),
    ("Email hard bounce reason", "UNKNOWN_USER"),
    ("Invalid email address", "true"),
    ("Email address quarantined", "true"),
    ("Marketing emails bounced", "2"),
    ("BLOCKLISTED", "1"),
    ("Blacklist?", "y"),
    ("Email Suppressions", "['USER_SUPPRESSED']"),
    ("Email Suppressions Timestamp", "2024-01-02 03:04:05"),
    ("Is Do Not Email", "1"),
    ("doNotBulkEmail", "Do Not Allow"),
    ("Black Listed", "true"),
    ("Email Suspended", "true"),
    ("Unsubscribed Reason", "too many"),
    ("Confirmed Opt-Out Date", "01/02/2024 03:04 PM"),
    ("Stop Time", "2024-01-02 03:04:05"),
    ("Stop Status", "unsubscribed"),
    ("Bounced (hard)", "1"),
    ("Bounced (soft)", "1"),
    ("deactivated_at", "1700000000"),
    ("is_deactivated", "t"),
    ("Complained", "x"),
    ("Marked as spam", "✓"),
    ("spam_complaint_at", "2024-05-06"),
    ("cleaned", "yes"),
    ("Abuse report", "1"),
    ("GDPR withdrawn", "yes"),
    ("Consent withdrawn on", "3.4.2023"),
    ("consent_revoked", "true"),
    ("Do not email", "ja"),
    ("no newsletter", "x"),
    ("No E-Mail", "TRUE"),
    ("DNE", "1"),
    ("ShouldForget", "true"),
    ("HasOptedOutProcessing", "true"),
    ("unsubscribe_date", "2020-01-01"),
    ("UnsubscribedOn", "2020-01-01"),
    ("Never mail", "yes"),
    ("Suppressed?", "Bounced"),
    ("Unsub", "wahr"),
    ("optedout", "1"),
    ("HASOPTEDOUTOFEMAIL", "true"),
    ("Abgemeldet", "ja"),
    ("Abgemeldet am", "03.04.2023"),
    ("Abmeldedatum", "03.04.2023"),
    ("Austragung", "ja"),
    ("Widerruf am", "03.04.2023"),
    ("Keine Werbung", "ja"),
    ("Werbesperre", "x"),
    ("Gesperrt", "ja"),
    ("Sperrliste", "ja"),
    ("Ungültig", "ja"),
    ("Unzustellbar", "ja"),
    ("Beschwerde", "ja"),
    ("Kein Newsletter", "1"),
    ("Deaktiviert", "wahr"),
    ("Désabonné", "oui"),
    ("Désinscription le", "03/04/2023"),
    ("date_desinscription", "2023-04-03"),
    ("Bloqué", "oui"),
    ("Liste noire", "vrai"),
    ("Plainte", "oui"),
    ("Ne pas contacter", "oui"),
    ("Pas de newsletter", "x"),
    ("Rejeté", "oui"),
    ("Dado de baja", "sí"),
    ("Fecha de baja", "2023-04-03"),
    ("Baja", "si"),
    ("No contactar", "verdadero"),
    ("Lista negra", "sí"),
    ("Rebotado", "si"),
    ("Suscripción cancelada", "si"),
    ("Queja", "si"),
    ("Bloqueado", "si"),
    ("Dezabonat", "da"),
    ("Data dezabonării", "2023-04-03"),
    ("Nu contacta", "da"),
    ("Blocat", "adevărat"),
    ("Lista neagră", "da"),
    ("Respins", "da"),
    ("Acord retras", "da"),
    ("Fără newsletter", "da"),
]


@pytest.mark.parametrize(("column", "value"), OUT, ids=[column for column, _ in OUT])
def test_a_yes_in_an_opt_out_column_makes_nobody_active(
    tmp_path: Path, column: str, value: str
) -> None:
    assert word_for(tmp_path, column, value) in ("no", "bounced", "blocked", "complained")
    assert word_for(tmp_path, column.upper(), value) in ("no", "bounced", "blocked", "complained")
    for no in ("", "0", "false", "No", "nein", "non", "NULL", "[]", "-"):
        assert word_for(tmp_path, column, no) == "silent", no


UNSEEN = {
    "a space of no width": "\u200b",
    "a soft hyphen": "\u00ad",
    "a mark of direction": "\u200e",
    "a joiner": "\u2060",
    "a null": "\0",
}


@pytest.mark.parametrize("sign", UNSEEN.values(), ids=UNSEEN)
def test_what_nobody_sees_hides_no_opt_out(sign: str) -> None:
    for column, _ in OUT:
        for at in range(len(column)):
            written = column[:at] + sign + column[at:]
            assert find_opt_outs(["email", written], known=[0], choices={})[0], (column, at)


def test_letters_of_full_width_hide_no_opt_out() -> None:
    for column, _ in OUT:
        wide = "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in column)
        assert find_opt_outs(["email", wide], known=[0], choices={})[0], column


@pytest.mark.parametrize(
    ("column", "word"),
    [
        ("EmailBounced", "bounced"),
        ("Soft bounce", "no"),
        ("hard_bounce", "bounced"),
        ("Blocklisted", "blocked"),
        ("Spam complaint", "complained"),
        ("opt-out", "no"),
        ("suppression", "blocked"),
        ("Invalid", "bounced"),
    ],
)
def test_the_name_says_why(tmp_path: Path, column: str, word: str) -> None:
    assert word_for(tmp_path, column, "1") == word


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("HasOptedOutOfEmail", "perhaps"),
        ("Unsubscribed", "see notes"),
        ("blacklist level", "gold"),
        ("Not blocked", "true"),
        ("Not unsubscribed", "false"),
        ("opt-out", "active"),
        ("Widerruf am", "bald"),
        ("bounced", "-3"),
        ("opted out", "pending"),
    ],
)
def test_what_is_not_understood_stops_the_import_and_says_where(
    tmp_path: Path, column: str, value: str
) -> None:
    with pytest.raises(Refused) as stopped:
        word_for(tmp_path, column, value)
    assert f"line 3: {value!r} in the column {column!r} is not understood" in str(stopped.value)
    assert "--column" in stopped.value.hint


def test_an_author_may_say_what_a_column_means(tmp_path: Path) -> None:
    content = "email,block\na@example.com,B12\nb@example.com,\n"
    with pytest.raises(Refused, match="line 2: 'B12'"):
        read_words(tmp_path, content)
    assert read_words(tmp_path, content, choices={"block": "ignore"})["a@example.com"] == "silent"
    words = read_words(tmp_path, content, choices={"block": "opt-out"})
    assert words == {"a@example.com": "blocked", "b@example.com": "silent"}
    other = "email,level\na@example.com,out\nb@example.com,no\n"
    assert read_words(tmp_path, other, choices={"level": "opt-out"}) == {
        "a@example.com": "no",
        "b@example.com": "silent",
    }
    with pytest.raises(Refused, match=r"no column 'nothing'.*email, block"):
        read_words(tmp_path, content, choices={"nothing": "ignore"})


def test_an_address_is_not_repeated_in_the_reason(tmp_path: Path) -> None:
    with pytest.raises(Refused) as stopped:
        word_for(tmp_path, "unsubscribed", "eva@example.org")
    assert "eva" not in str(stopped.value)


@pytest.mark.parametrize(
    "column",
    [
        "Opted in",
        "email opt in",
        "OptIn",
        "EMAIL_OPT_IN",
        "Subscribed",
        "is_subscribed",
        "Newsletter",
        "Wants newsletter",
        "gdpr_consent",
        "Email Consent",
        "Accepts Marketing",
        "Einwilligung",
        "Newsletter abonniert",
        "Consentement",
        "Abonné",
        "Consentimiento",
        "Suscrito",
        "Acord",
        "Abonat",
    ],
)
def test_a_no_in_an_opt_in_column_is_an_opt_out(tmp_path: Path, column: str) -> None:
    for no in ("false", "0", "No", "nein", "off", "unsubscribed", "Opted out", "declined"):
        assert word_for(tmp_path, column, no) not in ("silent", "yes", "pending"), no
    assert word_for(tmp_path, column, "true") in ("silent", "yes")


@pytest.mark.parametrize(
    "column",
    [
        "SMS_BLACKLISTED",
        "HasOptedOutOfFax",
        "DoNotCall",
        "Phone opt-out",
        "WhatsApp blocked",
        "SMS consent",
        "Unsubscribe URL",
        "unsubscribe_link",
        "Active subscription",
        "Subscription plan",
        "Blockchain wallet",
        "Customer spend",
        "Hardware",
        "Consent source",
        "Newsletter sent",
        "Last subscribed campaign",
        "Co-opted outsider",
        "bounty",
        "Number of posts",
    ],
)
def test_other_columns_say_nothing_of_mail(tmp_path: Path, column: str) -> None:
    for value in ("true", "false", "https://example.com/u/1", "3"):
        assert word_for(tmp_path, column, value) == "silent"


def test_sms_and_email_together_count(tmp_path: Path) -> None:
    assert word_for(tmp_path, "SMS and email opt-out", "yes") == "no"


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("suppressions.csv", "blocked"),
        ("Opt-outs 2024.csv", "no"),
        ("bounces.csv", "bounced"),
        ("blocklist.csv", "blocked"),
        ("spam complaints.csv", "complained"),
        ("removed contacts.csv", "no"),
        ("all.csv", "silent"),
        ("subscribers.csv", "silent"),
        ("newsletter.csv", "silent"),
    ],
)
def test_a_files_own_name_counts(tmp_path: Path, name: str, word: str) -> None:
    assert read_words(tmp_path, "email,name\na@example.com,Ana\n", name) == {"a@example.com": word}


def test_the_name_of_the_column_of_addresses_counts(tmp_path: Path) -> None:
    assert read_words(tmp_path, "Bounced address,name\na@example.com,Ana\n") == {
        "a@example.com": "bounced"
    }
    assert read_words(tmp_path, "Unsubscribed Email\na@example.com\n") == {"a@example.com": "no"}


def test_every_column_is_named_with_what_became_of_it(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    header = (
        "Email,First Name,City,HasOptedOutOfEmail,HasOptedOutOfFax,cadence,Language,"
        "Newsletter,,City"
    )
    file.write_text(f"{header}\na@example.com,Ana,Rome,FALSE,TRUE,monthly,de,yes,x,y\n")
    with open_subscriber_file(file) as table:
        assert table.uses == {
            "Email": "address",
            "First Name": "name",
            "City": "not read",
            "HasOptedOutOfEmail": "opt-out",
            "HasOptedOutOfFax": "not read (another channel than e-mail)",
            "cadence": "cadence",
            "Language": "language",
            "Newsletter": "opt-in",
            "column 9": "not read",
            "City (10)": "not read",
        }
        [person] = table.people
    assert isinstance(person, SubscriberRow)
    assert (person.cadence, person.language, person.word) == ("monthly", "de", "silent")


def test_the_strictest_column_of_a_row_wins(tmp_path: Path) -> None:
    rows = (
        "a@example.com,subscribed,2020-01-01,FALSE,x\nb@example.com,subscribed,2020-01-01,TRUE,\n"
    )
    content = f"email,status,subscribed at,HasOptedOutOfEmail,Spam\n{rows}"
    assert read_words(tmp_path, content) == {"a@example.com": "complained", "b@example.com": "no"}


def test_a_status_of_several_words_is_read_by_its_strictest(tmp_path: Path) -> None:
    rows = [
        "Unsubscribed by admin",
        "Bounced - hard",
        "NEVER_SUBSCRIBED",
        "Express",
        "Opted Out (Marketing)",
        "gold",
    ]
    content = "email,Email permission status\n" + "".join(
        f"r{at}@example.com,{row}\n" for at, row in enumerate(rows)
    )
    assert list(read_words(tmp_path, content).values()) == [
        "no",
        "bounced",
        "no",
        "silent",
        "no",
        "unknown",
    ]


def test_a_status_known_by_its_name_alone_can_be_ignored(tmp_path: Path) -> None:
    content = "email,Newsletter status\na@example.com,gold\n"
    assert read_words(tmp_path, content) == {"a@example.com": "unknown"}
    ignored = read_words(tmp_path, content, choices={"newsletter status": "ignore"})
    assert ignored == {"a@example.com": "silent"}


@given(st.text(max_size=3000), st.text(max_size=20))
def test_any_name_of_a_column_is_judged_in_little_time(name: str, part: str) -> None:
    header = [name, part * 500]
    find_opt_outs(header, known=(), choices={})
    find_opt_ins(header, known=(), choices={})
    find_word(spell(part * 2000))
