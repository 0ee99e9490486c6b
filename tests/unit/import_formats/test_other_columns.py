"""Columns that no table of names holds: opt-outs in columns, words, names, other languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import Refused
from newsletter.import_formats.subscriber_file import open_subscriber_file
from newsletter.import_formats.types import SubscriberRow

UNWANTED = ("no", "bounced", "blocked", "complained")


def read_words(
    tmp_path: Path,
    content: str,
    name: str = "x.csv",
    encoding: str = "utf-8",
    choices: dict[str, str] | None = None,
) -> dict[str, str]:
    file = tmp_path / name
    file.write_bytes(content.encode(encoding))
    with open_subscriber_file(file, None, choices) as table:
        return {row.email: row.word for row in table.people if isinstance(row, SubscriberRow)}


def word_for(tmp_path: Path, column: str, value: str, other: str = "") -> str:
    """Return the word for one of two rows; the other one says nothing."""
    content = (
        f'email,name,"{column}",city\nother@example.com,Bob,"{other}",Rome\n'
        f'a@example.com,Ana,"{value}",Oslo\n'
    )
    words = read_words(tmp_path, content)
    assert words["other@example.com"] in ("silent", "yes")
    return words["a@example.com"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("my-list-unsubscribed.csv", "no"),
        ("Newsletter (bounced).csv", "bounced"),
        ("mg.example.com-unsubscribes.csv", "no"),
        ("news_blocklist_2024-01-31.csv", "blocked"),
        ("example.com-complaints (1).csv", "complained"),
        ("liste désabonnés export.csv", "no"),
        ("Kontakte abgemeldet 2024.csv", "no"),
        ("all-contacts-opt-out-list.csv", "no"),
        ("my-list-active.csv", "silent"),
        ("not unsubscribed.csv", "silent"),
        ("all without bounces.csv", "silent"),
        ("kontakte ohne abgemeldete.csv", "silent"),
        ("blockchain-news-2024.csv", "silent"),
    ],
)
def test_a_file_may_say_at_its_end_whom_it_holds(tmp_path: Path, name: str, word: str) -> None:
    assert read_words(tmp_path, "email,name\na@example.com,Ana\n", name) == {"a@example.com": word}


YES_AND_NO = {
    "Danish": ("ja", "nej"),
    "Finnish": ("kyllä", "ei"),
    "Polish": ("tak", "nie"),
    "Czech": ("ano", "ne"),
    "Hungarian": ("igen", "nem"),
    "Turkish": ("evet", "hayır"),
    "Portuguese": ("sim", "não"),
    "Greek": ("ναι", "όχι"),
    "Russian": ("да", "нет"),
    "Ukrainian": ("так", "ні"),
    "Chinese": ("是", "否"),
    "Japanese": ("はい", "いいえ"),
    "Korean": ("예", "아니요"),
    "Arabic": ("نعم", "لا"),
    "Hebrew": ("כן", "לא"),
    "Excel in Polish": ("PRAWDA", "FAŁSZ"),
    "Excel in Russian": ("ИСТИНА", "ЛОЖЬ"),
    "Excel in Dutch": ("WAAR", "ONWAAR"),
    "Excel in Swedish": ("SANT", "FALSKT"),
    "Excel in Danish": ("SAND", "FALSK"),
    "Excel in Norwegian": ("SANN", "USANN"),
    "Excel in Finnish": ("TOSI", "EPÄTOSI"),
    "Excel in Czech": ("PRAVDA", "NEPRAVDA"),
    "Excel in Hungarian": ("IGAZ", "HAMIS"),
    "Excel in Turkish": ("DOĞRU", "YANLIŞ"),
}


@pytest.mark.parametrize(("yes", "no"), YES_AND_NO.values(), ids=YES_AND_NO)
def test_yes_and_no_are_known_in_many_languages(tmp_path: Path, yes: str, no: str) -> None:
    assert word_for(tmp_path, "Unsubscribed", yes, other=no) == "no"
    assert word_for(tmp_path, "Subscribed", no, other=yes) == "no"
    assert word_for(tmp_path, "Newsletter", no, other=yes) == "no"
    assert word_for(tmp_path, "Active", no, other=yes) == "no"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("On Hold", "On Hold Bounce"),
        ("On hold", "yes"),
        ("Cancellato il", "01/02/2024"),
        ("Uitgeschreven op", "01-02-2024"),
        ("Avprenumererad", "ja"),
        ("Tilaus peruttu", "kyllä"),
        ("Odhlášen", "ano"),
        ("Zablokowany", "tak"),
        ("Zrezygnował", "tak"),
        ("Letiltva", "igen"),
        ("Engellendi", "evet"),
        ("Abonelikten çıktı", "evet"),
        ("Заблокирован", "да"),
        ("Απεγγραφή", "ναι"),
        ("Geblokkeerd", "ja"),
        ("Blokeret", "ja"),
        ("Cancelou inscrição", "sim"),
        ("Não enviar", "sim"),
        ("Descadastrado em", "01/02/2024"),
        ("配信停止", "はい"),
        ("已退订", "是"),
        ("블랙리스트", "예"),
        ("Canceló la suscripción de todos los correos", "sí"),
        ("NPAI", "oui"),
        ("Abbestellt", "ja"),
        ("Sperrgrund", "Spam"),
        ("Tackat nej till nyhetsbrev", "ja"),
    ],
)
def test_opt_outs_have_names_in_more_languages(tmp_path: Path, column: str, value: str) -> None:
    assert word_for(tmp_path, column, value) in UNWANTED


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Is the email of this subscriber confirmed", "0"),
        ("E-mail address verified", "no"),
        ("IsOptInPending", "true"),
        ("Opt-in pending", "yes"),
        ("Unconfirmed", "1"),
        ("Unbestätigt", "ja"),
    ],
)
def test_who_has_not_confirmed_waits(tmp_path: Path, column: str, value: str) -> None:
    assert word_for(tmp_path, column, value) == "pending"


@pytest.mark.parametrize(
    ("column", "no"),
    [
        ("Newsletter gewünscht", "nein"),
        ("Newsletter erwünscht?", "nein"),
        ("Darf angeschrieben werden", "nein"),
        ("E-Mail-Werbung erlaubt", "0"),
        ("Möchte Newsletter", "nein"),
        ("Accepte de recevoir la newsletter", "non"),
        ("Souhaite recevoir nos lettres", "non"),
        ("Recibir boletín", "no"),
        ("Acepta correos comerciales", "no"),
        ("Vuole ricevere la newsletter", "no"),
        ("Aceita receber emails", "não"),
        ("Wil nieuwsbrief ontvangen", "nee"),
        ("Vrea să primească newsletter", "nu"),
        ("Vill ha nyhetsbrev", "nej"),
        ("Zgoda na newsletter", "nie"),
        ("Souhlas s e-maily", "ne"),
        ("Согласен на рассылку", "нет"),
        ("Can email", "No"),
        ("OK to email?", "N"),
        ("Email allowed", "FALSE"),
        ("May contact", "no"),
        ("Contact permission", "no"),
        ("Email permission", "No"),
        ("Wants our e-mails", "0"),
        ("Receives newsletters", "false"),
        ("Allow marketing", "off"),
        ("Agrees to be contacted", "no"),
        ("Mailing", "nee"),
        ("Acepta publicidad", "0"),
        ("freigeschaltet", "nein"),
        ("Abo", "nein"),
        ("Abonnement newsletter", "non"),
        ("Subscription", "FALSE"),
        ("Send mail", "no"),
        ("Subscribed?", "❌"),
        ("ist aktiv", "nein"),
        ("Actif", "non"),
    ],
)
def test_who_does_not_wish_for_mail_has_opted_out(tmp_path: Path, column: str, no: str) -> None:
    assert word_for(tmp_path, column, no) == "no"


@pytest.mark.parametrize(
    "column",
    [
        "Newsletter opened",
        "May newsletter sent",
        "Emails received",
        "Clicked an email",
        "SMS allowed",
        "May call",
        "Accepts cookies",
        "Contact person",
        "Work email",
        "HTML mail",
        "Number of emails accepted",
        "Wants a call",
        "Permission slip",
    ],
)
def test_what_is_no_wish_for_mail_ends_nothing(tmp_path: Path, column: str) -> None:
    for value in ("no", "0", "false"):
        assert word_for(tmp_path, column, value) == "silent"


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [
        ("État", "Désabonné", "no"),
        ("Zustand", "Abgemeldet", "no"),
        ("Situação", "Descadastrado", "no"),
        ("Stav", "Odhlášen", "no"),
        ("Durum", "Abonelikten çıktı", "no"),
        ("SubscribeType", "Unsubscribed", "no"),
        ("SubscribeType", "Hard bounced", "bounced"),
        ("delivery_status", "by_bounces", "bounced"),
        ("Comment", "unsubscribed", "no"),
        ("Group", "Opted out", "no"),
        ("Segment", "Blacklisted", "blocked"),
        ("Info", "spam complaint", "complained"),
        ("x", "DO NOT CONTACT", "no"),
        ("Mailability", "Unmailable", "no"),
        ("Email Interest", "OptedOut", "no"),
        ("Situação", "Inválido", "bounced"),
        ("Κατάσταση", "Διαγραμμένος", "no"),
    ],
)
def test_a_status_is_known_by_its_words_in_any_column(
    tmp_path: Path, column: str, value: str, word: str
) -> None:
    assert word_for(tmp_path, column, value, other="Gold member") == word


def test_a_status_beside_a_certain_one_counts(tmp_path: Path) -> None:
    rows = ["a@example.com,Отписан", "b@example.com,Заблокирован", "c@example.com,Активен"]
    remark = "d@example.com,he blocked a road and was in the news for it"
    words = read_words(tmp_path, "\n".join(["email,Статус", *rows, remark, ""]))
    assert list(words.values()) == ["no", "blocked", "silent", "silent"]


def test_a_status_that_comes_late_in_the_file_is_seen(tmp_path: Path) -> None:
    rows = [f"r{number}@example.com,met at a fair" for number in range(3_000)]
    content = "\n".join(["email,remark", *rows, "a@example.com,Unsubscribed", ""])
    words = read_words(tmp_path, content)
    assert words["a@example.com"] == "no"
    assert set(words.values()) == {"silent", "no"}
    assert read_words(tmp_path, content, choices={"remark": "ignore"})["a@example.com"] == "silent"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("SMS status", "unsubscribed"),
        ("WhatsApp", "opted out"),
        ("Order status", "cancelled"),
        ("Account", "deleted"),
        ("Plan", "expired"),
        ("City", "Block"),
        ("Last campaign", "How I unsubscribed from everything"),
    ],
)
def test_other_columns_hold_no_status_of_mail(tmp_path: Path, column: str, value: str) -> None:
    assert word_for(tmp_path, column, value) == "silent"


def test_the_column_of_a_status_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("email,État,Ville\na@example.com,Abonné,Lyon\nb@example.com,Désabonné,Nice\n")
    with open_subscriber_file(file) as table:
        assert table.uses == {"email": "address", "État": "status", "Ville": "not read"}


@pytest.mark.parametrize(
    ("encoding", "header", "name"),
    [
        ("shift_jis", "メールアドレス,名前,配信停止", "山田太郎"),
        ("gbk", "邮箱,姓名,已退订", "王小明"),
        ("big5", "信箱,姓名,取消訂閱", "王小明"),
        ("euc-kr", "이메일,이름,수신거부", "김철수"),
        ("cp1251", "Почта,Имя,Отписан", "Анна"),
        ("koi8-r", "Почта,Имя,Отписан", "Анна"),
        ("cp1253", "Διεύθυνση,Όνομα,Απεγγραφή", "Μαρία"),
        ("cp1256", "العنوان,الاسم,ملغى", "محمد"),
        ("cp1255", "כתובת,שם,הסרה", "דנה"),
    ],
)
def test_an_encoding_that_is_not_known_stops_the_import(
    tmp_path: Path, encoding: str, header: str, name: str
) -> None:
    """Else the columns have names that nobody can read, and who opted out is not seen."""
    content = f"{header}\na@example.com,{name},1\nb@example.com,{name},0\n"
    with pytest.raises(Refused, match=r"x\.csv: its encoding is not known") as stopped:
        read_words(tmp_path, content, encoding=encoding)
    assert "UTF-8" in stopped.value.hint


@pytest.mark.parametrize("encoding", ["cp1252", "cp1250", "mac_roman"])
def test_letters_of_the_west_stop_nothing(tmp_path: Path, encoding: str) -> None:
    content = "email,name,note\na@example.com,Jörg Müßig,Straße\nb@example.com,Zoé Hébert,née\n"
    assert len(read_words(tmp_path, content, encoding=encoding)) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "contacts.vcf",
            "BEGIN:VCARD\nVERSION:3.0\nEMAIL;TYPE=INTERNET:a@example.com\nEND:VCARD\n",
        ),
        ("contacts.vcf", "begin:vcard\nversion:2.1\nemail:a@example.com\nend:vcard\n"),
        ("book.ldif", "dn: cn=Ana,mail=a@example.com\nobjectclass: top\nmail: a@example.com\n"),
    ],
)
def test_an_address_book_is_no_table(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(Refused, match="not a CSV file"):
        read_words(tmp_path, content, name)
