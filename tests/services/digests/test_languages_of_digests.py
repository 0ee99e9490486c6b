"""Whatever is mailed speaks its reader's language: digests, single posts, letters, series, requests
to stay; what the author wrote stays as it is, and the archive speaks the list's.
"""

from __future__ import annotations

import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, transaction
from newsletter.errors import Refused
from newsletter.i18n import LANGUAGES
from newsletter.mail.message import CompiledMessage
from newsletter.models import Edition, Feed, Subscriber, Subscription
from newsletter.services.campaigns import archive, campaigns
from newsletter.services.consent import Evidence
from newsletter.services.digests import due as digests
from newsletter.services.digests.selection import Candidate, SubscriberGroup, WaitRule, decide
from newsletter.services.letters import send as letters
from newsletter.services.letters import series, series_progress
from newsletter.services.runtime import Environment
from newsletter.services.sending import message_builder
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import reconfirmation, subscriptions
from newsletter.vocabulary import Cadence, EvidenceSource
from tests.fakes import START, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader, campaign_handle

UNSUBSCRIBE = {
    "en": "Unsubscribe",
    "de": "Abmelden",
    "fr": "Se désabonner",
    "es": "Darse de baja",
    "ro": "Dezabonare",
    "ar": "إلغاء الاشتراك",
    "none": "Abmelden",
    "pt": "Abmelden",
}


@pytest.fixture
def blog(env: Environment) -> int:
    """Make a German list with a reader of each language, one who chose none, and one of a language
    that nobody speaks here.
    """
    with transaction() as session:
        mailing_list = add_list(session, language="de", title="Langsame Post")
        add_feed(session, mailing_list)
        for name, language in [
            *((code, code) for code in LANGUAGES),
            ("none", ""),
            ("pt", "pt-BR"),
        ]:
            reader = add_reader(session, mailing_list, f"{name}@example.com", cadence="instant")
            reader.subscriber.language = language
        return mailing_list.id


def publish(*titles: str) -> None:
    with transaction() as session:
        feed = session.scalars(select(Feed)).one()
        for title in titles:
            entry = add_entry(session, feed, title)
            entry.published_at = START
            entry.content_html = f"<p>{'Ein Wort. ' * 700}</p>"


def tick(env: Environment) -> None:
    digests.compose_due(env)
    sending.send_due(env)


def mails(sink: Sink) -> dict[str, EmailMessage]:
    """Return the one mail of each reader, by what stands before the @."""
    messages = {re.sub(r".*<|@.*", "", str(message["To"])): message for message in sink.messages}
    assert len(messages) == len(sink.messages), "one each"
    return messages


def speak(language: str) -> None:
    """Another language for the reader who had none."""
    with transaction() as session:
        session.scalars(
            select(Subscriber).where(Subscriber.email == "none@example.com")
        ).one().language = language


def test_a_digest_speaks_each_readers_language(env: Environment, blog: int, sink: Sink) -> None:
    publish("Eins", "Zwei", "Drei", "Vier")
    tick(env)
    result = mails(sink)
    assert {name: message["Subject"] for name, message in result.items()} == {
        "en": "New: Vier, Drei and 2 more",
        "de": "Neu: Vier, Drei und 2 weitere",
        "none": "Neu: Vier, Drei und 2 weitere",
        "pt": "Neu: Vier, Drei und 2 weitere",
        "fr": "À lire : Vier, Drei et 2 autres",
        "es": "Nuevo: Vier, Drei y 2 más",
        "ro": "Nou: Vier, Drei și încă 2",
        "ar": "جديد: Vier وDrei واثنان آخران",
    }
    for name, message in result.items():
        for kind in ("plain", "html"):
            text = body(message, kind)
            assert UNSUBSCRIBE[name] in text
            assert "Vier" in text and "Ein Wort." in text
    assert "24 November 2026" in body(result["en"]) and "24. November 2026" in body(result["de"])
    assert "24 novembre 2026" in body(result["fr"]) and "24 noiembrie 2026" in body(result["ro"])
    arabic = body(result["ar"], "html")
    assert '<html lang="ar" dir="rtl">' in arabic
    assert '<h2 lang="de"' in arabic, "what the author wrote is read out in the author's language"
    assert (
        'lang="de"' in body(result["pt"], "html")
        and 'lang="de"' not in body(result["de"], "html").split("<h1")[1]
    )


def test_a_single_post_and_its_archive(env: Environment, blog: int, sink: Sink) -> None:
    publish("Eins")
    tick(env)
    result = mails(sink)
    assert {str(message["Subject"]) for message in result.values()} == {"Eins"}
    assert "Read it on the blog" in body(result["en"], "html") and "min read" in body(result["en"])
    page = archive.render_mail(env, "blog", campaign_handle(campaigns.list_campaigns()[0].id))
    assert '<html lang="de"' in page and "abonnieren" in page
    assert campaigns.list_campaigns()[0].subject == "Eins"


def test_editions_are_made_for_the_languages_of_their_readers_only(
    env: Environment, blog: int, sink: Sink
) -> None:
    with transaction() as session:
        for edition in session.scalars(
            select(Subscriber).where(Subscriber.language.in_(["ar", "es", "fr", "ro"]))
        ):
            edition.language = "EN-gb"
    publish("Eins")
    digests.compose_due(env)
    rows = db.session.execute(
        select(Edition.cursor, Edition.language).order_by(Edition.cursor, Edition.language)
    )
    assert rows.all() == [(-1, ""), (0, ""), (0, "en")]


def test_who_changes_her_language_after_composing_gets_what_there_is(
    env: Environment, blog: int, sink: Sink
) -> None:
    publish("Eins")
    digests.compose_due(env)
    speak("ar")
    sending.send_due(env)
    assert UNSUBSCRIBE["ar"] in body(mails(sink)["none"])
    sink.accepted.clear()
    with transaction() as session:
        for subscriber in session.scalars(select(Subscriber).where(Subscriber.language == "fr")):
            subscriber.language = ""
    publish("Zwei")
    digests.compose_due(env)
    speak("fr")
    sending.send_due(env)
    assert "Abmelden" in body(mails(sink)["none"]), "nothing was made in French: the list's own"


def test_each_edition_is_compiled_once_for_each_language(
    env: Environment, blog: int, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[object] = []
    real = message_builder.compile_for_list

    def counting(*args: Any, **named: Any) -> CompiledMessage:
        compiled.append(args)
        return real(*args, **named)

    monkeypatch.setattr(message_builder, "compile_for_list", counting)
    publish("Eins")
    tick(env)
    assert len(mails(sink)) == 8 and len(compiled) == 6


def test_readers_of_one_choice_and_several_languages_are_one_share() -> None:
    entry = Candidate(1, 1, 1, frozenset(), START, START)
    decision = decide(
        [entry],
        [
            SubscriberGroup(0, "", 3),
            SubscriberGroup(0, "", 2, "fr"),
            SubscriberGroup(0, "7", 1, "ar"),
        ],
        WaitRule(),
    )
    assert [(share.entries, share.subscribers, share.languages) for share in decision.shares] == [
        ((1,), 6, ("", "ar", "fr"))
    ]


def test_preview_in_a_language(env: Environment, blog: int) -> None:
    publish("Eins", "Zwei")
    assert digests.preview(env, None, Cadence.INSTANT).content.subject == "Neu: Zwei und Eins"
    preview = digests.preview(env, None, Cadence.INSTANT, language="fr")
    assert preview.content.subject == "À lire : Zwei et Eins"
    assert preview.editions == 1 and preview.recipients == 8
    assert preview.languages == dict.fromkeys(("ar", "en", "es", "fr", "ro"), 1)
    with pytest.raises(Refused):
        digests.preview(env, None, Cadence.INSTANT, language="xx")


LETTER = "---\nsubject: Ein Brief{second}\n---\nHallo {{{{ subscriber.name or 'du' }}}}.\n\n![Ein Baum](https://x.example/a.png)\n"


def test_a_letters_frame_speaks_each_readers_language(
    env: Environment, blog: int, sink: Sink
) -> None:
    campaign_id = letters.send_letter(env, parse_letter(LETTER.format(second="")))
    sending.send_due(env)
    for name, message in mails(sink).items():
        assert message["Subject"] == "Ein Brief"
        assert UNSUBSCRIBE[name] in body(message) and UNSUBSCRIBE[name] in body(message, "html")
        assert "Hallo du." in body(message)
    assert "[Bild: Ein Baum]" in body(mails(sink)["de"]) and "[Picture: Ein Baum]" in body(
        mails(sink)["en"]
    )
    assert '<html lang="de"' in archive.render_mail(env, "blog", campaign_handle(campaign_id))


def test_two_subjects_and_six_languages(env: Environment, blog: int, sink: Sink) -> None:
    campaign_id = letters.send_letter(
        env, parse_letter(LETTER.format(second="\nsubject_b: Oder so\nshare: 50"))
    )
    sending.send_due(env)
    assert [variant.subject for variant in campaigns.get_campaign(campaign_id).subjects] == [
        "Ein Brief",
        "Oder so",
    ]
    letters.pick_subject(env, campaign_id, "b")
    sending.send_due(env)
    result = mails(sink)
    assert len(result) == 8
    assert {UNSUBSCRIBE[name] in body(message) for name, message in result.items()} == {True}
    assert {str(message["Subject"]) for message in result.values()} == {"Ein Brief", "Oder so"}


def test_a_request_to_stay_and_a_series(
    env: Environment, blog: int, sink: Sink, tmp_path: Path
) -> None:
    reconfirmation.send(env, "blog", note="Lange her.", days=14)
    sending.send_due(env)
    for name, message in mails(sink).items():
        assert "Lange her." in body(message) and UNSUBSCRIBE[name] in body(message)
    assert len({message["Subject"] for message in sink.messages}) == 6
    sink.accepted.clear()
    (tmp_path / "hello.md").write_text("---\nsubject: Willkommen\n---\nSchön.\n")
    series.add_letter(env, tmp_path / "hello.md", START - START)
    with transaction() as session:
        session.query(Subscription).update({"status": "pending"})
        tokens = [
            env.tokens.sign("confirm", f"{subscription.handle}.{subscription.round}", env.now)
            for subscription in session.scalars(select(Subscription))
        ]
    for token in tokens:
        subscriptions.confirm(env, token, Evidence(EvidenceSource.FORM))
    series_progress.advance_due(env)
    sending.send_due(env)
    welcomes = [message for message in sink.messages if message["Subject"] == "Willkommen"]
    assert len(welcomes) == 8
    for message in welcomes:
        assert UNSUBSCRIBE[re.sub(r".*<|@.*", "", str(message["To"]))] in body(message)


def test_editions_of_before_are_in_the_lists_language(
    env: Environment, blog: int, sink: Sink
) -> None:
    """A digest that was composed before the upgrade goes out as it is."""
    publish("Eins")
    digests.compose_due(env)
    with transaction() as session:
        session.query(Edition).filter(Edition.language != "").delete()
    sending.send_due(env)
    assert len(mails(sink)) == 8
