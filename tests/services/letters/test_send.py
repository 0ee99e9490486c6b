"""Letters: drafts, segments, fields, two subjects; each reader once, and nothing wrong after the
first is mailed.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from newsletter.authoring.letter_file import parse_letter, replace_lines
from newsletter.db.session import db, transaction
from newsletter.errors import FeedUnavailable, InvalidInput, NotFound, Refused
from newsletter.models import (
    Campaign,
    Delivery,
    Edition,
    MailingList,
    Picture,
    Subscription,
    Suppression,
)
from newsletter.services import resources, tags
from newsletter.services.audience import segments
from newsletter.services.campaigns import campaigns
from newsletter.services.letters import drafts, link_check, pictures, preflight, rendering
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.tokens import make_keyed_hash
from tests.fakes import Clock, FakeDns, FakeFetch, Sink, body
from tests.people import add_list, add_reader
from tests.unit.authoring.test_images import picture

TEXT = (
    "---\nsubject: Going slowly\npreheader: A pause\n---\n\n"
    "Dear {{ subscriber.name or 'friend' }},\n\nread this letter slowly.\n"
)


@pytest.fixture
def people(env: Environment) -> dict[str, int]:
    """Make a list in Berlin's time with five readers; return their subscription ids by first
    letter.
    """
    with transaction() as session:
        mailing_list = add_list(
            session, timezone="Europe/Berlin", site_url="https://blog.example.com"
        )
        ids = {}
        for name, cadence, tagged, day, language in (
            ("Ana", "weekly", ["berlin"], 1, "de"),
            ("Ben", "daily", ["berlin", "vip"], 2, "en"),
            ("", "weekly", [], 3, ""),
            ("Dan", "monthly", ["50%_off"], 4, "de"),
            ("Eva", "instant", [], 5, "fr"),
        ):
            letter = name[:1].lower() or "c"
            row = add_reader(
                session,
                mailing_list,
                f"{letter}@{'x.example.org' if day < 3 else 'example.com'}",
                name=name,
                cadence=cadence,
            )
            row.confirmed_at = datetime(
                2026, 1, day, 23, 30, tzinfo=UTC
            )  # half past midnight of the next day in Berlin
            row.subscriber.language = language
            tags.add_tags(session, row.subscriber_id, tagged)
            ids[letter] = row.id
        return ids


def whom(env: Environment, people: dict[str, int], segment: str) -> str:
    mailing_list = db.session.scalars(select(MailingList)).one()
    ids = set(db.session.scalars(segments.segment_query(mailing_list, segment, env.now)))
    return "".join(sorted(letter for letter, id_ in people.items() if id_ in ids))


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("", "abcde"),
        ('cadence == "weekly"', "ac"),
        ('"berlin" in tags', "ab"),
        ('"BERLIN" in tags', "ab"),
        ('"berlin" not in tags', "cde"),
        ('"berlin" in tags and "vip" in tags', "b"),
        ('name == ""', "c"),
        ('name != ""', "abde"),
        ('cadence in ["daily", "monthly"]', "bd"),
        ("cadence in []", ""),
        ('domain == "EXAMPLE.com"', "cde"),
        ('email == "A@x.example.org"', "a"),
        ('joined > "2026-01-04"', "de"),
        ('joined >= "2026-01-04"', "cde"),
        ('joined < "2026-01-03"', "a"),
        ('joined <= "2026-01-03"', "ab"),
        ('joined == "2026-01-02"', "a"),
        ('joined != "2026-01-02"', "bcde"),
        ('not (language == "de" or "vip" in tags)', "ce"),
        ('"50%_off" in tags', "d"),
        ('"50__off" in tags', ""),
        ("name == \"x' OR '1'='1\"", ""),
        ('"x\') OR 1=1 --" in tags', ""),
        ('joined < "9999-12-31"', "abcde"),
        ('joined > "9999-12-31"', ""),
        ('joined > "0001-01-01"', "abcde"),
        ("not (" * 60 + 'name == "Ana"' + ")" * 60, "a"),
        ("name in [" + ", ".join(f'"{number}"' for number in range(150)) + ', "Ana"]', "a"),
        (" or ".join(['name == "Ana"'] * 55), "a"),
        ('domain == "%"', "refused"),
        ('domain == ""', "refused"),
        (r'name == "\ud800"', "refused"),
        (r'"\0" in tags', "refused"),
        ('email == "nonsense"', "refused"),
    ],
)
def test_s10_segments_are_counted_as_they_say(
    env: Environment, people: dict[str, int], segment: str, expected: str
) -> None:
    if expected == "refused":
        with pytest.raises(InvalidInput):
            whom(env, people, segment)
    else:
        assert whom(env, people, segment) == expected


def test_who_is_not_mailed(env: Environment, people: dict[str, int]) -> None:
    with transaction() as session:
        session.get_one(Subscription, people["a"]).status = "unsubscribed"
        session.get_one(Subscription, people["b"]).status = "pending"
        session.get_one(Subscription, people["c"]).paused_until = env.now + timedelta(days=1)
        session.add(
            Suppression(
                email_hash=make_keyed_hash("k", "d"),
                email_key="d@example.com",
                reason="manual",
                created_at=env.now,
            )
        )
    assert whom(env, people, "") == "e"


def test_each_reader_gets_her_own_letter_and_the_archive_nobodys(
    env: Environment, people: dict[str, int], sink: Sink
) -> None:
    campaign_id = letters.send_letter(
        env, parse_letter(replace_lines(TEXT, {"subject": "For {{ subscriber.name or 'you' }}"}))
    )
    assert sending.send_due(env).sent == 5
    assert Counter(outgoing.recipient for outgoing in sink.accepted).most_common(1)[0][1] == 1
    [ana] = sink.to("a@x.example.org")
    assert (ana["Subject"], body(ana)[:9]) == ("For Ana", "Dear Ana,")
    assert "Dear Ana," in body(ana, "html")
    [nameless] = sink.to("c@example.com")
    assert (nameless["Subject"], body(nameless)[:12]) == ("For you", "Dear friend,")
    public = campaigns.get_content(campaign_id)
    assert public.subject == "For you" == campaigns.get_campaign(campaign_id).subject
    assert "Dear friend" in public.html
    assert "Dear Ana" not in public.html


def test_the_archive_shows_that_an_address_was_left_out(
    env: Environment, people: dict[str, int], sink: Sink
) -> None:
    letter = TEXT.replace("read this", "your address is {{ subscriber.email }}. Read this")
    campaign_id = letters.send_letter(env, parse_letter(letter))
    sending.send_due(env)
    assert "your address is a@x.example.org." in body(sink.to("a@x.example.org")[0])
    assert "your address is …." in campaigns.get_content(campaign_id).html


def test_what_a_reader_is_called_today_counts(
    env: Environment, people: dict[str, int], sink: Sink
) -> None:
    letters.send_letter(env, parse_letter(TEXT))
    with transaction() as session:
        session.get_one(Subscription, people["a"]).subscriber.name = "Anna"
    sending.send_due(env)
    assert "Dear Anna," in body(sink.to("a@x.example.org")[0])


def test_m07_a_field_that_is_missing_for_one_stops_it_for_all(
    env: Environment, people: dict[str, int], sink: Sink
) -> None:
    letter = parse_letter("---\nsubject: x\n---\nDear {{ subscriber.name }}, hello.\n")
    with pytest.raises(
        Refused,
        match=r"1 of 5 subscribers cannot get it: line \d+: subscriber.name is not set",
    ):
        letters.send_letter(env, letter)
    assert db.session.scalar(select(func.count()).select_from(Campaign)) == 0
    checks_by_id = {
        check.id: check
        for check in preflight.check_letter(
            env, drafts.prepare_draft(env, letter, None, None, ""), offline=True
        )
    }
    assert checks_by_id["fields"].verdict == "bad"
    assert "c@example.com" in checks_by_id["fields"].hint
    named = parse_letter(
        '---\nsubject: x\nsegment: name != ""\n---\nDear {{ subscriber.name }}, hello.\n'
    )
    letters.send_letter(env, named)
    assert sending.send_due(env).sent == 4


def test_m07_a_scheduled_letter_looks_again_when_its_moment_comes(
    env: Environment, people: dict[str, int], clock: Clock, sink: Sink
) -> None:
    letter = parse_letter(
        '---\nsubject: x\nsegment: name != "" or cadence == "instant"\n---\n'
        "Dear {{ subscriber.name }}, hello.\n"
    )
    campaign_id = letters.send_letter(env, letter, send_at=env.now + timedelta(hours=1))
    with transaction() as session:
        session.get_one(Subscription, people["e"]).subscriber.name = ""
    clock.forward(timedelta(hours=2))
    assert letters.start_due_letters(env) == []
    campaign = campaigns.get_campaign(campaign_id)
    assert (campaign.status, campaign.totals.recipients) == ("paused", 0)
    assert "subscriber.name is not set" in campaign.reason
    with transaction() as session:
        session.get_one(Subscription, people["e"]).subscriber.name = "Eva"
    assert campaigns.resume(env, campaign_id).status == "scheduled"
    assert letters.start_due_letters(env) == [campaign_id]
    assert sending.send_due(env).sent == 4


def test_a_letter_is_sent_once_by_content_and_by_number(
    env: Environment, people: dict[str, int]
) -> None:
    letter = parse_letter(TEXT)
    first = letters.send_letter(env, letter)
    with pytest.raises(Refused, match=f"campaign {first} already"):
        letters.send_letter(env, letter)
    draft = drafts.prepare_draft(
        env, parse_letter(replace_lines(TEXT, {"subject": "Other"})), None, None, ""
    )
    second = letters.dispatch_letter(env, draft)
    again = drafts.load_draft(env, second)
    with pytest.raises(Refused, match="sending already"):
        letters.dispatch_letter(env, again)
    assert letters.send_letter(env, letter, again=True) not in (first, second)


def test_two_commands_at_once_send_one_letter(
    app: Flask, env: Environment, people: dict[str, int]
) -> None:
    outcomes: list[str] = []

    def command() -> None:
        with app.app_context():
            try:
                outcomes.append(
                    f"sent {letters.send_letter(app.extensions[EXTENSION], parse_letter(TEXT))}"
                )
            except Refused as error:
                outcomes.append(error.message)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=command) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(what.startswith("sent") for what in outcomes) == 1, outcomes
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 5


# ── drafts
# ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_draft_remembers_its_file_and_its_pictures(
    env: Environment, people: dict[str, int], tmp_path: Path, sink: Sink
) -> None:
    file = tmp_path / "letters" / "slow.md"
    file.parent.mkdir()
    (file.parent / "a tree.jpg").write_bytes(picture())
    file.write_text(TEXT + "\n![A tree](a%20tree.jpg){width=300}\n")
    campaign_id, draft = drafts.create_draft(env, file)
    assert draft.recipients == 5
    assert campaigns.get_campaign(campaign_id).status == "draft"
    assert drafts.create_draft(env, file)[0] == campaign_id, "the same file is the same draft"
    (file.parent / "a tree.jpg").unlink()
    file.unlink()
    result = drafts.load_draft(env, campaign_id)
    [name] = result.prepared.names.values()
    assert (
        f'src="https://news.example.com/blog/archive/media/{name}" alt="A tree" width="300"'
        in result.prepared.content.html
    )
    letters.dispatch_letter(env, result)
    sending.send_due(env)
    assert name in body(sink.messages[0], "html")
    assert "[Bild: A tree]" in body(sink.messages[0]), "they read German"
    assert pictures.get_picture(name).media_type == "image/jpeg"
    assert db.session.scalar(select(func.count()).select_from(Picture)) == 1


def test_a_picture_that_is_not_there_is_said_at_once(
    env: Environment, people: dict[str, int], tmp_path: Path
) -> None:
    (tmp_path / "x.md").write_text(TEXT + "![a](no.jpg)")
    with pytest.raises(InvalidInput, match="there is no such picture"):
        drafts.create_draft(env, tmp_path / "x.md")
    (tmp_path / "no.jpg").write_text("<svg/>")
    with pytest.raises(InvalidInput, match="use JPEG"):
        drafts.create_draft(env, tmp_path / "x.md")


def test_pictures_come_from_the_letters_folder_alone(
    env: Environment, people: dict[str, int], tmp_path: Path
) -> None:
    """A letter that somebody sent must not carry one's own files to everybody, whatever leads to
    them.
    """
    folder = tmp_path / "letters"
    secret = tmp_path / "secret.jpg"
    (folder / "deep").mkdir(parents=True)
    for file in (secret, folder / "deep" / "tree.jpg"):
        file.write_bytes(picture())
    (folder / "link.jpg").symlink_to(secret)
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "inside.jpg").symlink_to(folder / "deep" / "tree.jpg")
    (folder / "empty.jpg").touch()
    os.mkfifo(folder / "fifo.jpg")
    for written, problem in (
        ("../secret.jpg", "outside the letter's folder"),
        ("%2e%2e/secret.jpg", "outside"),
        ("deep/../../secret.jpg", "outside"),
        ("link.jpg", "outside"),
        ("up/secret.jpg", "outside"),
        ("loop.jpg", "line 9"),
        ("deep", "is not a file"),
        ("fifo.jpg", "is not a file"),
        ("empty.jpg", "is no picture"),
        ("a%00b.jpg", "cannot be read"),
        ("x" * 300 + ".jpg", "line 9"),
        ("../no.jpg", "outside"),
    ):
        (folder / "x.md").write_text(TEXT + f"![a]({written})")
        with pytest.raises(InvalidInput, match="line 9: ") as refused:
            drafts.load_draft(env, folder / "x.md")
        assert problem in str(refused.value)
        assert len(str(refused.value)) < 300
    (folder / "x.md").write_text(
        TEXT + "![a](deep/tree.jpg) ![b](inside.jpg) ![c](./deep/../deep/tree.jpg)"
    )
    assert len(drafts.load_draft(env, folder / "x.md").prepared.names) == 3


def test_a_look_at_a_draft_shows_its_pictures_though_the_file_is_gone(
    env: Environment, people: dict[str, int], tmp_path: Path
) -> None:
    (tmp_path / "tree.jpg").write_bytes(picture())
    (tmp_path / "x.md").write_text(TEXT + "![A tree](tree.jpg)")
    number, draft = drafts.create_draft(env, tmp_path / "x.md")
    (tmp_path / "tree.jpg").unlink()
    for version in (draft, drafts.load_draft(env, number)):
        page = rendering.inline_pictures(env, version.prepared.content.html, version.prepared)
        assert page.count('src="data:image/jpeg;base64,') == 1
        assert "/media/" not in page


def test_a_video_is_shown_from_here(
    env: Environment, people: dict[str, int], tmp_path: Path, fake_fetch: FakeFetch
) -> None:
    (tmp_path / "x.md").write_text(TEXT + "\nhttps://youtu.be/abcdefghijk\n")
    without = drafts.load_draft(env, tmp_path / "x.md")
    assert "without its picture" in without.prepared.notes[0]
    fake_fetch.pages["https://i.ytimg.com/vi/abcdefghijk/hqdefault.jpg"] = picture(size=(480, 360))
    html = drafts.load_draft(env, tmp_path / "x.md").prepared.content.html
    assert "ytimg" not in html
    assert "https://news.example.com/blog/archive/media/" in html


def test_a_draft_is_edited_until_it_is_sent(
    env: Environment, people: dict[str, int], clock: Clock, sink: Sink
) -> None:
    campaign_id = letters.send_letter(env, parse_letter(TEXT), send_at=env.now + timedelta(hours=1))
    drafts.edit_draft(
        env,
        campaign_id,
        parse_letter(replace_lines(TEXT, {"segment": '"berlin" in tags', "subject": "New"})),
    )
    later = env.now + timedelta(hours=3)
    drafts.edit_draft(
        env, campaign_id, parse_letter(drafts.get_text(campaign_id).text), send_at=later
    )
    clock.forward(timedelta(hours=2))
    assert letters.start_due_letters(env) == []
    clock.forward(timedelta(hours=2))
    assert letters.start_due_letters(env) == [campaign_id]
    sending.send_due(env)
    assert {message["Subject"] for message in sink.messages} == {"New"}
    assert len(sink.messages) == 2
    with pytest.raises(Refused, match="cannot be changed"):
        drafts.edit_draft(env, campaign_id, parse_letter(TEXT))
    with pytest.raises(NotFound):
        drafts.load_draft(env, 99)


def test_a_moment_nobody_is_left_for(
    env: Environment, people: dict[str, int], clock: Clock
) -> None:
    campaign_id = letters.send_letter(env, parse_letter(TEXT), send_at=env.now + timedelta(hours=1))
    with transaction() as session:
        for row in session.scalars(select(Subscription)):
            row.status = "unsubscribed"
    clock.forward(timedelta(hours=2))
    letters.start_due_letters(env)
    assert campaigns.get_campaign(campaign_id).status == "sent"
    with pytest.raises(Refused, match="no active subscriber"):
        letters.send_letter(env, parse_letter(replace_lines(TEXT, {"subject": "Other"})))


# ── two subjects
# ───────────────────────────────────────────────────────────────────────────────────

TWO = replace_lines(
    TEXT, {"subject": "A: {{ subscriber.name or 'you' }}", "subject_b": "B", "share": "40%"}
)


def test_two_subjects_are_tried_and_the_better_one_goes_to_the_rest(
    env: Environment, sink: Sink
) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        for number in range(20):
            add_reader(session, mailing_list, f"r{number}@example.com")
    campaign_id = letters.send_letter(env, parse_letter(TWO))
    sending.send_due(env)
    tried = Counter(str(message["Subject"]) for message in sink.messages)
    assert tried == {"A: you": 4, "B": 4}
    campaign = campaigns.get_campaign(campaign_id)
    assert campaign.status == "paused"
    assert "pick" in campaign.reason
    assert [(row.letter, row.sent) for row in campaign.subjects] == [("a", 4), ("b", 4)]
    with pytest.raises(Refused, match="both subjects are tried"):
        campaigns.resume(env, campaign_id)
    with transaction() as session:
        add_reader(session, session.get_one(MailingList, mailing_list.id), "late@example.com")
        gone = session.scalars(select(Delivery).where(Delivery.status == "queued")).all()
        assert gone == []
    assert letters.count_undecided(env, campaign_id) == 13
    assert letters.pick_subject(env, campaign_id, "b") == 13
    sending.send_due(env)
    assert Counter(str(message["Subject"]) for message in sink.messages) == {"A: you": 4, "B": 17}
    assert max(Counter(outgoing.recipient for outgoing in sink.accepted).values()) == 1
    campaign = campaigns.get_campaign(campaign_id)
    assert (
        campaign.status,
        campaign.totals.recipients,
        campaign.totals.sent,
        campaign.subject,
    ) == (
        "sent",
        21,
        21,
        "B",
    )
    assert campaign.totals.balanced
    assert campaigns.get_content(campaign_id).subject == "B"
    with pytest.raises(Refused):
        letters.pick_subject(env, campaign_id, "a")


def test_a_pick_while_both_are_still_on_their_way(
    env: Environment, people: dict[str, int], sink: Sink
) -> None:
    campaign_id = letters.send_letter(env, parse_letter(TWO))
    letters.pick_subject(env, campaign_id, "a")
    sending.send_due(env)
    assert len(sink.accepted) == 5
    assert campaigns.get_campaign(campaign_id).status == "sent"


def test_one_subject_is_nothing_to_pick_from(env: Environment, people: dict[str, int]) -> None:
    with pytest.raises(Refused, match="one subject only"):
        letters.pick_subject(env, letters.send_letter(env, parse_letter(TEXT)), "a")


# ── preflight
# ──────────────────────────────────────────────────────────────────────────────────────


def checks(env: Environment, text: str, *, offline: bool = False) -> dict[str, list[str]]:
    verdicts: dict[str, list[str]] = {}
    for check in preflight.check_letter(
        env, drafts.prepare_draft(env, parse_letter(text), None, None, ""), offline=offline
    ):
        verdicts.setdefault(check.id, []).append(f"{check.verdict}: {check.what}")
    return verdicts


def test_a_good_letter_passes(
    env: Environment, people: dict[str, int], fake_fetch: FakeFetch
) -> None:
    fake_fetch.pages["https://blog.example.com/a"] = b"x"
    verdicts = checks(env, TEXT + "[a](https://blog.example.com/a)")
    assert all(verdict.startswith("good") for row in verdicts.values() for verdict in row), verdicts
    assert "5 subscribers" in verdicts["recipients"][0]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("text", "id_", "expected"),
    [
        ("[a](/b)", "links", "warn: line 9: /b → https://blog.example.com/b is a relative link"),
        (
            "[a](https://blog.example.com/dead)",
            "links",
            "warn: line 9: https://blog.example.com/dead is dead: 404",
        ),
        (
            "![](https://blog.example.com/p.png)",
            "alt",
            "warn: line 9: https://blog.example.com/p.png has no description",
        ),
        (
            "![x](https://other.example.org/p.png)",
            "pictures",
            "warn: line 9: https://other.example.org/p.png is a picture of others",
        ),
        (
            "![x](/p.png)",
            "pictures",
            "warn: line 9: /p.png → https://blog.example.com/p.png is a relative link",
        ),
        (
            "[a](#top)",
            "links",
            "warn: line 9: #top → https://blog.example.com#top is a relative link",
        ),
        (
            "[a](//host.example/x)",
            "links",
            "warn: line 9: //host.example/x → https://host.example/x is a relative link",
        ),
        (
            "[a](javascript:alert(1))",
            "links",
            "bad: line 9: javascript:alert(1) is no address a mail can carry",
        ),
        ("a\n\n[a](vbscript:x)", "links", "bad: line 11: vbscript:x is no address"),
        ("<file:///etc/passwd>", "links", "bad: line 9: file:///etc/passwd"),
        ("[a](data:text/html,x){.button}", "links", "bad: line 9: data:text/html,x"),
        ("[a](ftp://x.org/y)", "links", "bad: line 9: ftp://x.org/y"),
        ("[a](C:\\x.pdf)", "links", "bad: line 9: C:%5Cx.pdf is no address"),
        ("![a](file:///x.png)", "pictures", "bad: line 9: file:///x.png is left out"),
        (
            "![a](data:image/png;base64," + "A" * 9000 + ")",
            "pictures",
            "bad: line 9: data:image/png;base64,AAA",
        ),
        ("[a](https://u:p@x.org/)", "links", "bad: line 9: https://u:p@x.org/"),
        ("[a](mailto:)", "links", "bad: line 9: mailto: is no mail address"),
        ("[a](mailto:ana%20example.org)", "links", "bad: line 9: mailto:ana%20example.org is no"),
        (
            "[a](https://x.org/a b)",
            "links",
            "warn: line 9: ](https://x.org/a b) is not understood as a link",
        ),
        ("`<b>`\n\nA <b>bold</b> word", "html", "warn: line 11: <b> is shown as it is written"),
        ("x " * 60_000, "size", "bad: "),
        ("y " * 47_000, "size", "warn: "),
    ],
)
def test_m09_what_is_wrong_with_a_letter(
    env: Environment, people: dict[str, int], text: str, id_: str, expected: str
) -> None:
    assert any(row.startswith(expected) for row in checks(env, TEXT + text)[id_]), checks(
        env, TEXT + text
    )


def test_links_of_every_right_kind_pass(env: Environment, people: dict[str, int]) -> None:
    text = (
        "[a](mailto:ana@example.org?subject=Hi) [b](tel:+49-30-123) [c]({{ 'https://x.org' "
        "}}) `<p>` ```\n<p>[a](b c)\n```"
    )
    verdicts = checks(env, TEXT + text, offline=True)
    assert [
        verdict for id_ in ("links", "html", "pictures") for verdict in verdicts.get(id_, [])
    ] == []


@pytest.mark.any_database
def test_m09_a_letter_that_grows_without_end_is_refused(
    env: Environment, people: dict[str, int]
) -> None:
    table = (
        "|".join("h" * 40) + "\n" + "|".join("-" * 40) + "\n" + ("|".join("c" * 40) + "\n") * 3000
    )
    quotes = "\n\n".join(["&&&&&&&& " * 30] * 1000)
    for text, ceiling in ((table, "100,000 parts"), (quotes, "1 MB of HTML")):
        began = time.process_time()
        with pytest.raises(Refused, match=ceiling):
            checks(env, TEXT + "\n\n" + text, offline=True)
        assert time.process_time() - began < 10


def test_m09_ten_thousand_links_are_looked_over_in_seconds(
    env: Environment, people: dict[str, int]
) -> None:
    many = "".join(f"[a](/{number}) ![](https://x.org/{number}.png)\n" for number in range(5000))
    began = time.process_time()
    verdicts = checks(env, TEXT + many, offline=True)
    assert "warn: … and 4990 more" in verdicts["links"]
    assert time.process_time() - began < 10


def test_links_are_asked_at_once_and_not_for_ever(
    env: Environment, people: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(url: str, **_: object) -> None:
        threading.Event().wait(0.4 if "slow" in url else 0)
        raise FeedUnavailable(url, "404", status=404)

    monkeypatch.setattr(link_check, "REQUESTS_AT_MOST", 0.2)
    text = (
        TEXT
        + " ".join(f"https://x.org/{number}" for number in range(120))
        + " https://x.org/1 https://x.org/slow"
    )
    draft = drafts.prepare_draft(env, parse_letter(text), None, None, "")
    progress: list[tuple[int, int]] = []
    result = preflight.check_letter(
        replace(env, fetch=slow), draft, progress=lambda done, total: progress.append((done, total))
    )
    assert progress[-1] == (100, 100)
    whats = [check.what for check in result if check.id == "links"]
    assert any("… and 90 more" in row for row in whats), whats
    assert "only 100 of 121 links were asked" in whats


def test_links_that_no_server_answered_for_are_not_called_dead(
    env: Environment, people: dict[str, int]
) -> None:
    def offline(url: str, **_: object) -> None:
        raise FeedUnavailable(url, "the host name is unknown")

    def half_offline(url: str, **_: object) -> None:
        raise FeedUnavailable(url, "404 Not Found", status=404 if "x.org" in url else 0)

    draft = drafts.prepare_draft(
        env, parse_letter(TEXT + "https://x.org/1 https://y.org/2"), None, None, ""
    )
    checked = preflight.check_letter(replace(env, fetch=offline), draft)
    whats = [check.what for check in checked if check.id == "links"]
    assert whats == ["no link could be checked: the host name is unknown"]
    checked = preflight.check_letter(replace(env, fetch=half_offline), draft)
    whats = [check.what for check in checked if check.id == "links"]
    assert [("is dead" in row) for row in whats] == [True, True], whats


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("BUY THIS BOOK", "capitals"),
        ("Now!! Really", "shouts"),
        ("A limited time offer", "limited time"),
        ("Re: your order", "answer"),
        ("x" * 90, "90 characters"),
        ("100% yours", "100%"),
    ],
)
def test_subjects_that_look_like_spam(
    env: Environment, people: dict[str, int], subject: str, expected: str
) -> None:
    assert any(
        expected in row
        for row in checks(env, replace_lines(TEXT, {"subject": subject}), offline=True)["subject"]
    )


def test_a_letter_without_words(env: Environment, people: dict[str, int]) -> None:
    text = "---\nsubject: x\n---\n![a](https://blog.example.com/p.png)\n"
    assert checks(env, text, offline=True)["text"] == ["bad: the letter has no text"]
    assert checks(env, text + "Hello there.", offline=True)["text"] == [
        "warn: 2 words beside pictures"
    ]


def test_offline_asks_nobody(
    env: Environment, people: dict[str, int], fake_fetch: FakeFetch
) -> None:
    checks(
        env, TEXT + "[a](https://blog.example.com/dead) https://youtu.be/abcdefghijk", offline=True
    )
    assert [url for url, _, _ in fake_fetch.requests if "dead" in url] == []


def test_a_sender_nobody_vouches_for(
    env: Environment, people: dict[str, int], fake_dns: FakeDns
) -> None:
    fake_dns.records = {("slow.org", "TXT"): ["google-verification=x"]}
    with transaction() as session:
        session.scalars(select(MailingList)).one().from_email = "ana@news.slow.org"
    verdicts = checks(env, TEXT)["from"]
    assert "no SPF" in verdicts[0]
    assert "no DMARC" in verdicts[1]
    fake_dns.records |= {
        ("news.slow.org", "TXT"): ["v=spf1 mx -all"],
        ("_dmarc.slow.org", "TXT"): ["v=DMARC1; p=none"],
    }
    assert checks(env, TEXT)["from"] == [
        "good: news.slow.org has SPF and DMARC; `newsletter doctor` looks closer"
    ]


def test_editions_of_a_plain_letter_carry_no_fields(
    env: Environment, people: dict[str, int]
) -> None:
    """No reader is looked up for a letter that is the same for all."""
    letters.send_letter(env, parse_letter("---\nsubject: x\n---\nHello all.\n"))
    rows = list(db.session.scalars(select(Edition)))
    assert {row.cursor for row in rows} == {0, -1}
    assert [row.fields for row in rows if row.fields] == []


def test_files_for_subscribers_are_linked_for_each_reader(
    env: Environment, people: dict[str, int], sink: Sink, tmp_path: Path
) -> None:
    letter = parse_letter(
        "---\nsubject: x\n---\n{% if subscriber.name %}[The guide]({{ resource('guide') "
        "}}){% endif %} for you.\n"
    )
    with pytest.raises(NotFound, match="no resource guide"):
        letters.send_letter(env, letter)
    (tmp_path / "guide.pdf").write_bytes(b"%PDF-1.7 slowly")
    resources.add_resource(env, tmp_path / "guide.pdf", name="guide")
    campaign_id = letters.send_letter(env, letter)
    sending.send_due(env)
    [ana], [ben], [nameless] = (
        sink.to(f"{who}") for who in ("a@x.example.org", "b@x.example.org", "c@example.com")
    )
    links = [
        re.findall(r"https://news\.example\.com/resources/[\w.-]+", body(message))
        for message in (ana, ben, nameless)
    ]
    assert [len(link) for link in links] == [1, 1, 0]
    assert links[0] != links[1]
    assert resources.open_resource(env, links[0][0].rpartition("/")[2]).filename == "guide.pdf"
    assert not re.search(r"resources/guide\.", campaigns.get_content(campaign_id).html)
