"""One-tap questions of letters: each subscriber's last answer counts once, and soon it is
nobody's.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from newsletter.authoring.letter_file import parse_letter, replace_lines
from newsletter.db.session import db, transaction
from newsletter.errors import InvalidInput, LinkExpired, LinkInvalid, Refused
from newsletter.models import Campaign, MailingList, Subscription, TappedAnswer, TappedTotal
from newsletter.services.campaigns import campaigns, tapped_answers
from newsletter.services.digests import intros
from newsletter.services.letters import drafts, preflight, rendering, series
from newsletter.services.letters import send as letters
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.statistics import read
from newsletter.services.subscribers import privacy
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader

TEXT = """---
subject: A pause
list: blog
---
Breathe.

[Was this helpful?](answer: yes / a little / no)

[More of it?](answer: please / rather not)
"""
ANA = "ana@example.com"
BEN = "ben@example.com"
CAT = "cat@example.com"


@pytest.fixture
def campaign(env: Environment) -> int:
    """Mail a letter with questions to Ana and Ben, and another one of another list to Cat."""
    with transaction() as session:
        blog = add_list(session)
        talks = add_list(session, "talks")
        add_reader(session, blog, ANA)
        add_reader(session, blog, BEN)
        add_reader(session, talks, CAT)
    other = letters.send_letter(env, parse_letter(replace_lines(TEXT, {"list": "talks"})))
    mine = letters.send_letter(env, parse_letter(TEXT))
    assert other != mine
    sending.send_due(env)
    return mine


def links(sink: Sink, address: str) -> list[str]:
    """Return the tokens of a subscriber's answers, in order."""
    return re.findall(r"/answer/([\w.-]+)", body(sink.to(address)[-1]))


def results(campaign: int) -> list[list[int]]:
    rows = tapped_answers.read_results(campaign)
    return [[count for _, count in row.choices] for row in rows]


def rows() -> int:
    return db.session.scalar(select(func.count()).select_from(TappedAnswer)) or 0


def test_the_last_answer_of_each_counts_for_its_own_campaign(
    env: Environment, campaign: int, sink: Sink
) -> None:
    ana, ben, cat = (links(sink, address) for address in (ANA, BEN, CAT))
    assert len(ana) == 5
    html = body(sink.to(ANA)[-1], "html")
    assert re.findall(r"/answer/([\w.-]+)", html) == ana
    assert "- a little: https://news.example.com/answer/" in body(sink.to(ANA)[-1])
    tapped_answers.get_question(env, ana[0])
    assert rows() == 0, "looking counts nothing"
    for token in (ana[0], ana[2], ana[2], ana[3], ben[2], cat[0]):
        tapped_answers.give_answer(env, token)
    assert results(campaign) == [[0, 0, 2], [1, 0]]
    assert tapped_answers.list_named(campaign) == []


def test_statistics_have_the_answers_of_each_campaign(
    env: Environment, campaign: int, sink: Sink
) -> None:
    """Ana's and Cat's answers, each on the row of the letter that asked; Ben has not answered."""
    tapped_answers.give_answer(env, links(sink, ANA)[0])
    tapped_answers.give_answer(env, links(sink, CAT)[2])
    blog, talks = read.read_lists(env, read.get_list_ids())
    for numbers, first in ((blog, (1, 0, 0)), (talks, (0, 0, 1))):
        [row] = numbers.campaigns
        assert [tuple(count for _, count in one.choices) for one in row.answers] == [first, (0, 0)]
    assert tapped_answers.count_answers([campaign, 99_999]) == {campaign: 1}


def test_after_seven_days_an_answer_is_nobodys_and_still_counted(
    env: Environment, campaign: int, sink: Sink, clock: Clock
) -> None:
    ana = links(sink, ANA)
    ben = links(sink, BEN)
    tapped_answers.give_answer(env, ana[0])
    clock.forward(timedelta(days=6))
    tapped_answers.give_answer(env, ben[0])
    clock.forward(timedelta(days=1, minutes=11))
    cleanup.clean_up(env)
    assert rows() == 1
    assert results(campaign) == [[2, 0, 0], [0, 0]]
    for token in (ana[1], ben[1]):
        with pytest.raises(LinkExpired):
            tapped_answers.give_answer(env, token)
    clock.forward(timedelta(days=7))
    cleanup.clean_up(env)
    assert rows() == 0
    assert results(campaign) == [[2, 0, 0], [0, 0]]
    assert db.session.scalars(select(TappedTotal.count)).all() == [2]


def test_who_left_answers_no_more_and_who_is_erased_stays_counted(
    env: Environment, campaign: int, sink: Sink
) -> None:
    ana = links(sink, ANA)
    ben = links(sink, BEN)
    for token in (ana[1], ben[1]):
        tapped_answers.give_answer(env, token)
    privacy.erase_address(env, ANA)
    assert rows() == 1
    assert results(campaign) == [[0, 2, 0], [0, 0]]
    with transaction() as session:
        handle = ben[0].split(".")[0]
        ben_row = session.scalars(select(Subscription).where(Subscription.handle == handle)).one()
        ben_row.status = "unsubscribed"
    for token in (ana[0], ben[0]):
        with pytest.raises(LinkInvalid):
            tapped_answers.give_answer(env, token)
    assert results(campaign) == [[0, 2, 0], [0, 0]]


def test_names_are_kept_only_where_the_letter_says_so(
    env: Environment, campaign: int, sink: Sink, clock: Clock
) -> None:
    named = letters.send_letter(
        env, parse_letter(replace_lines(TEXT, {"answers": "named", "subject": "Another"}))
    )
    sending.send_due(env)
    token = links(sink, ANA)[0]
    assert tapped_answers.get_question(env, token).named
    tapped_answers.give_answer(env, token)
    clock.forward(timedelta(days=30))
    cleanup.clean_up(env)
    [row] = tapped_answers.list_named(named)
    assert (row.email, row.question, row.choice) == (ANA, "Was this helpful?", "yes")
    with pytest.raises(InvalidInput, match="answers"):
        parse_letter(replace_lines(TEXT, {"answers": "yes"}))
    privacy.erase_address(env, ANA)
    assert tapped_answers.list_named(named) == []
    assert results(named)[0] == [1, 0, 0]


@pytest.mark.any_database
def test_a_link_answers_only_a_campaign_of_its_own_list(
    env: Environment, campaign: int, sink: Sink
) -> None:
    handle = links(sink, ANA)[0].split(".")[0]
    with transaction() as session:
        blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        other = session.scalars(select(Campaign).where(Campaign.list_id != blog.id)).one()
        mine = session.get_one(Campaign, campaign).handle
        theirs = other.handle
    for payload in (f"{theirs}.0.0", f"{mine}.2.0", f"{mine}.0.3", f"{mine}.-1.0", mine):
        with pytest.raises(LinkInvalid):
            token = env.links.tokens.sign(
                tapped_answers.LinkPurpose.ANSWER, f"{handle}.{payload}", env.now
            )
            tapped_answers.give_answer(env, token)


@pytest.mark.any_database
def test_archive_and_preview_have_no_working_links(
    env: Environment, campaign: int, sink: Sink
) -> None:
    page = campaigns.get_content(campaign)
    for part in (page.html, page.text):
        assert "Was this helpful?" in part
        assert "a little" in part
        assert "/answer/" not in part
    draft = drafts.prepare_draft(env, parse_letter(TEXT), "blog", None, "")
    to_nobody = rendering.show_to_nobody(env, draft.prepared.versions[0])
    assert set(re.findall(r"/answer/([\w.-]+)", to_nobody.html + to_nobody.text)) == {"example"}


@pytest.mark.any_database
def test_the_preflight_says_what_a_letter_asks(env: Environment, campaign: int) -> None:
    named = replace_lines(TEXT, {"answers": "named"})
    plain = "---\nsubject: x\nanswers: named\n---\nHello.\n"
    verdicts = []
    for text in (TEXT, named, plain):
        draft = drafts.prepare_draft(env, parse_letter(text), "blog", None, "")
        checks = preflight.check_text(env, draft)
        verdicts += [(check.verdict, check.what) for check in checks if check.id == "questions"]
    assert verdicts == [
        ("good", "2 one-tap questions, answered without names"),
        ("good", "2 one-tap questions, answered by name, as their page says"),
        ("warn", "`answers: named`, and no question"),
    ]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("[Good?](answer:)", "no choices"),
        ("[Good?](answer: a/b/c/d/e/f/g)", "7 choices; 6 at most"),
        ("[ ](answer: yes / no)", "question is empty"),
        ("[Good?](answer: yes / / no)", "a choice of the question is empty"),
        ("[Good?](answer: yes / yes)", "the same"),
        (f"[Good?](answer: yes / {'n' * 61})", "more than 60"),
        (f"[{'g' * 201}](answer: yes / no)", "more than 200"),
        ("Tell me: [Good?](answer: yes / no)", "a line of its own"),
        ("[Good?](answer:yes) me", "a line of its own"),
        ("[Good, {{ subscriber.email }}?](answer: yes / no)", "same for everybody"),
    ],
)
def test_mistakes_have_their_line(env: Environment, campaign: int, written: str, why: str) -> None:
    text = f"---\nsubject: x\nlist: blog\n---\nOne.\n\n{written}\n"
    with pytest.raises(InvalidInput) as raised:
        drafts.prepare_draft(env, parse_letter(text), "blog", None, "")
    assert why in raised.value.fields["letter"]
    assert raised.value.fields["letter"].startswith("line 7: ")


@pytest.mark.any_database
def test_a_series_and_a_digest_ask_nothing(env: Environment, campaign: int) -> None:
    draft = drafts.prepare_draft(env, parse_letter(TEXT), "blog", None, "", is_step=True)
    with pytest.raises(Refused, match="line 7: a letter of a series"):
        series.rehearse_addition(env, draft)
    with pytest.raises(InvalidInput, match="line 1"):
        intros.write_intro(env, "blog", "[Good?](answer: yes / no)")
    intros.write_intro(env, "blog", "As code:\n\n    [Good?](answer: yes / no)\n")
