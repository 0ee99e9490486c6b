"""Review by mail: the digest comes to its authors first, fixed, and goes as they say, or as
planned.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import func, select

from newsletter.access_vocabulary import AuthorRole
from newsletter.db.session import db, reading, transaction
from newsletter.errors import LinkInvalid, NotFound, Refused
from newsletter.link_purposes import LinkPurpose
from newsletter.models import (
    Campaign,
    CampaignEntry,
    DigestPeriod,
    DigestReview,
    Entry,
    Feed,
    MailingList,
    Subscription,
)
from newsletter.services.authors import authors
from newsletter.services.digests import asked, explain_list, intros, review_acts, review_mail
from newsletter.services.digests import due as digests
from newsletter.services.digests.compose import DueDigest, compose
from newsletter.services.digests.find_due import find_due
from newsletter.services.lists import lists
from newsletter.services.operations import cleanup
from newsletter.services.polling import entries
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import Cadence
from tests.fakes import START, Clock, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader

MONDAY_8 = START + timedelta(days=5, hours=23)  # START is a Tuesday, 9:00 UTC
DEADLINE = MONDAY_8 - timedelta(days=1)
AUTHOR = "ana@news.example.com"
WEEKLY = Cadence.WEEKLY


@pytest.fixture(autouse=True)
def blog(env: Environment) -> int:
    """Make a list with a review of 24 hours and a subscriber, beside another list without; return
    its id.
    """
    with transaction() as session:
        other = add_list(session, "talks", from_email="tom@news.example.com")
        add_entry(session, add_feed(session, other, "https://talks.example.com/feed"), "A talk")
        add_reader(session, other, "tim@example.com")
        mailing_list = add_list(session)
        add_feed(session, mailing_list)
        add_reader(session, mailing_list, "ann@example.com")
        list_id = mailing_list.id
    lists.edit(env, "blog", {"review": "24h"})
    return list_id


def publish(*titles: str, slug: str = "blog") -> list[int]:
    with transaction() as session:
        feed = session.scalars(select(Feed).join(MailingList).where(MailingList.slug == slug)).one()
        return [add_entry(session, feed, title).id for title in titles]


def join(env: Environment, email: str, cadence: str = "weekly", **values: object) -> int:
    with transaction() as session:
        mailing_list = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        return add_reader(session, mailing_list, email, cadence=cadence, **values).id  # type: ignore[arg-type]


def tick(env: Environment) -> None:
    digests.compose_due(env)
    sending.send_due(env)


def subjects(sink: Sink, email: str) -> list[str]:
    return [message["Subject"] for message in sink.to(email)]


def carried() -> list[str]:
    """Return the titles that campaigns of `blog` carry."""
    query = (
        select(Entry.title)
        .join(CampaignEntry, CampaignEntry.entry_id == Entry.id)
        .join(Campaign, Campaign.id == CampaignEntry.campaign_id)
        .join(MailingList, MailingList.id == Campaign.list_id)
        .where(MailingList.slug == "blog")
    )
    with reading() as session:
        return sorted(session.scalars(query))


def token_of(sink: Sink, email: str = AUTHOR) -> str:
    """Return the token of the links in the latest review."""
    match = re.search(r"/review/([\w.-]+)/hold", body(sink.to(email)[-1]))
    assert match
    return match[1]


def find_entry(title: str) -> int:
    with reading() as session:
        return session.scalars(select(Entry.id).where(Entry.title == title)).one()


def open_reviews() -> int:
    with reading() as session:
        query = select(func.count()).where(DigestReview.settled_at.is_(None))
        return session.scalar(query) or 0


def test_a_digest_comes_to_its_author_first_and_goes_as_planned(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    publish("Calm", "Rest")
    clock.now = DEADLINE - timedelta(minutes=1)
    tick(env)
    assert sink.messages == []
    clock.now = DEADLINE
    for _ in range(3):
        tick(env)
    assert subjects(sink, AUTHOR) == ["For review: New: Rest and Calm"], "once"
    for kind in ("plain", "html"):
        text = body(sink.to(AUTHOR)[0], kind)
        assert "All about Calm." in text, "as it will look"
        assert "Monday, 30 November 2026, 08:00" in text
        assert len(set(re.findall(r"/review/[\w.-]+/(?:hold|leave-out/\d+)", text))) == 3
        assert re.search(r"/author/digests/blog/weekly\?review=\d+", text)
        assert "ann@example.com" not in text
    publish("Too late")
    clock.now = MONDAY_8 - timedelta(minutes=1)
    tick(env)
    assert subjects(sink, "ann@example.com") == []
    clock.now = MONDAY_8
    for _ in range(3):
        tick(env)
    assert subjects(sink, "ann@example.com") == ["New: Rest and Calm"]
    assert subjects(sink, "tim@example.com") == ["A talk"], "the other list has no review"
    assert open_reviews() == 0
    clock.now = DEADLINE + timedelta(days=7)
    tick(env)
    assert subjects(sink, AUTHOR)[1:] == ["For review: Too late"]
    clock.now = MONDAY_8 + timedelta(days=7)
    tick(env)
    assert subjects(sink, "ann@example.com")[1:] == ["Too late"]


def test_a_digest_that_cannot_be_shown_says_how_to_mend_it(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    folder = env.settings.folder / "templates" / "emails" / "post"
    folder.mkdir(parents=True)
    (folder / "html.html").write_text("{{ nothing.here }}")
    publish("Calm")
    clock.now = DEADLINE
    tick(env)
    for kind in ("plain", "html"):
        text = unescape(body(sink.to(AUTHOR)[0], kind))
        assert "The digest cannot be shown: post/html.html" in text
        assert "Correct the list's template or entry, then open the page above." in text


def test_it_goes_to_owners_and_editors_of_the_list(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    for address, role, slugs in (
        ("owner@example.com", AuthorRole.OWNER, ()),
        ("editor@example.com", AuthorRole.EDITOR, ("blog",)),
        ("viewer@example.com", AuthorRole.VIEWER, ()),
        ("other@example.com", AuthorRole.OWNER, ("talks",)),
        ("gone@example.com", AuthorRole.OWNER, ()),
    ):
        authors.add_author(env, address, role=role, slugs=slugs)
    authors.revoke_author(env, "gone@example.com")
    publish("Calm")
    clock.now = DEADLINE
    tick(env)
    assert sorted(outgoing.recipient for outgoing in sink.accepted) == [
        "editor@example.com",
        "owner@example.com",
    ]


def test_the_links_of_a_review_end_with_the_access_of_their_author(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    for address in ("owner@example.com", "gone@example.com"):
        authors.add_author(env, address, role=AuthorRole.OWNER)
    publish("Calm")
    clock.now = DEADLINE
    tick(env)
    present, gone = (token_of(sink, f"{name}@example.com") for name in ("owner", "gone"))
    review_acts.open_page(env, gone)
    authors.revoke_author(env, "gone@example.com")
    for act in (
        review_acts.open_page,
        review_acts.hold_by_link,
        lambda env, token: review_acts.leave_out_by_link(env, token, find_entry("Calm")),
    ):
        with pytest.raises(LinkInvalid):
            act(env, gone)
    assert review_acts.open_page(env, present).review.held is False
    review_acts.hold_by_link(env, present)
    authors.add_author(env, "gone@example.com", role=AuthorRole.OWNER, slugs=["talks"])
    with pytest.raises(LinkInvalid):
        review_acts.open_page(env, gone)


def test_what_leaves_after_the_review_leaves_and_what_comes_waits(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    ids = publish("Kept", "Held", "Skipped", "Withdrawn", "Left out", "Returned")
    join(env, "mia@example.com", "monthly")
    clock.now = DEADLINE
    tick(env)
    entries.hold(env, ids[1])
    entries.skip(env, ids[2])
    with transaction() as session:
        session.get_one(Entry, ids[3]).withdrawn_at = clock.now
    review_acts.leave_out_by_link(env, token_of(sink), ids[4])
    entries.hold(env, ids[5])
    entries.release(env, ids[5])
    join(env, "new@example.com", cursor=99)
    join(env, "late@example.com")
    left = join(env, "left@example.com")
    with transaction() as session:
        session.get_one(Subscription, left).status = "unsubscribed"
    clock.now = MONDAY_8
    tick(env)
    assert carried() == ["Kept"]
    assert subjects(sink, "ann@example.com") == ["Kept"]
    assert subjects(sink, "late@example.com") == ["Kept"], "recipients are those at sending"
    assert subjects(sink, "left@example.com") == subjects(sink, "new@example.com") == []
    entries.release(env, ids[1])
    clock.now += timedelta(days=6)
    tick(env)
    clock.now += timedelta(days=1)
    tick(env)
    assert subjects(sink, "ann@example.com")[1:] == ["New: Held and Returned"]


def test_an_entry_that_others_had_is_left_out_of_this_digest_alone(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    join(env, "iva@example.com", "instant")
    join(env, "mia@example.com", "monthly")
    calm, _ = publish("Calm", "Rest")
    tick(env)
    assert subjects(sink, "iva@example.com") == ["New: Rest and Calm"]
    clock.now = DEADLINE
    tick(env)
    review_acts.leave_out(env, "blog", WEEKLY, calm)
    review_acts.leave_out(env, "blog", WEEKLY, calm)
    clock.now = MONDAY_8
    tick(env)
    assert subjects(sink, "ann@example.com") == ["Rest"]
    clock.now = MONDAY_8 + timedelta(days=1, hours=1)
    tick(env)
    assert subjects(sink, "mia@example.com") == ["New: Rest and Calm"], "her review said so"
    clock.now = MONDAY_8 + timedelta(days=14)
    tick(env)
    assert len(subjects(sink, "ann@example.com")) == 1


def test_held_until_it_is_released(env: Environment, clock: Clock, sink: Sink) -> None:
    publish("Calm")
    clock.now = DEADLINE
    tick(env)
    for _ in range(2):
        review_acts.hold_by_link(env, token_of(sink))
    clock.now = MONDAY_8 + timedelta(days=9)
    publish("Later")
    tick(env)
    assert subjects(sink, "ann@example.com") == []
    assert len(subjects(sink, AUTHOR)) == 1, "no other review while this one is open"
    [outlook] = [
        row for row in explain_list.explain(env, "blog").outlooks if row.cadence == "weekly"
    ]
    assert outlook.verdict.startswith("held")
    review_acts.release(env, "blog", WEEKLY)
    tick(env)
    assert subjects(sink, "ann@example.com") == ["Calm"]
    tick(env)
    assert subjects(sink, AUTHOR)[1:] == ["For review: Later"], "the period that passed meanwhile"
    with pytest.raises(Refused):
        review_acts.release(env, "talks", WEEKLY)


def test_without_an_answer_it_waits_if_the_list_says_so(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    lists.edit(env, "blog", {"on_silence": "wait"})
    publish("Calm")
    clock.now = DEADLINE
    tick(env)
    assert "waits for you" in body(sink.to(AUTHOR)[0])
    lists.edit(env, "blog", {"on_silence": "send", "review": "off"})
    clock.now = MONDAY_8 + timedelta(days=2)
    tick(env)
    assert subjects(sink, "ann@example.com") == [], "as the mail said"
    review_acts.release(env, "blog", WEEKLY)
    tick(env)
    assert subjects(sink, "ann@example.com") == ["Calm"]


@pytest.mark.parametrize(
    ("late", "goes"),
    [(timedelta(hours=5), MONDAY_8), (timedelta(hours=23), DEADLINE + timedelta(hours=41))],
)
def test_a_worker_that_slept_gives_the_time_all_the_same(
    env: Environment, clock: Clock, sink: Sink, late: timedelta, goes: object
) -> None:
    publish("Calm")
    clock.now = DEADLINE + late
    tick(env)
    assert subjects(sink, AUTHOR) == ["For review: Calm"]
    with reading() as session:
        review = session.scalars(select(DigestReview)).one()
    assert review.go_at == goes
    clock.now = review.go_at - timedelta(minutes=1)
    tick(env)
    assert subjects(sink, "ann@example.com") == []
    clock.now = review.go_at
    tick(env)
    assert subjects(sink, "ann@example.com") == ["Calm"]


def test_asleep_for_weeks_one_review_and_one_digest(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    publish("Calm")
    clock.now = MONDAY_8 + timedelta(days=16)
    tick(env)
    tick(env)
    clock.now += timedelta(hours=18)
    tick(env)
    assert subjects(sink, AUTHOR) == ["For review: Calm"]
    assert subjects(sink, "ann@example.com") == ["Calm"]


def test_a_review_that_could_not_be_mailed_keeps_the_digest_back(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    publish("Calm")
    clock.now = DEADLINE
    digests.compose_due(env)  # and the mail server is away
    clock.now = MONDAY_8
    digests.compose_due(env)
    tick(env)
    assert subjects(sink, "ann@example.com") == []
    assert "Tuesday, 1 December 2026, 02:00" in body(sink.to(AUTHOR)[0])
    clock.now = MONDAY_8 + timedelta(hours=18)
    tick(env)
    assert subjects(sink, "ann@example.com") == ["Calm"]


def test_a_list_of_every_day_keeps_its_hour(env: Environment, clock: Clock, sink: Sink) -> None:
    lists.edit(env, "blog", {"review": "48h", "hour": "8"})
    join(env, "dan@example.com", "daily")
    for day in range(5):
        publish(f"Day {day}")
        clock.now = START + timedelta(days=day, hours=23)
        tick(env)
        tick(env)
    sent = [row.started_at for row in db.session.scalars(select(Campaign).order_by(Campaign.id))]
    assert subjects(sink, "dan@example.com") == [f"Day {day}" for day in range(4)]
    assert {moment.hour for moment in sent if moment} == {8}


def test_nothing_to_review_settles_the_period(env: Environment, clock: Clock, sink: Sink) -> None:
    clock.now = DEADLINE
    tick(env)
    publish("Calm")
    clock.now = MONDAY_8
    tick(env)
    assert sink.to(AUTHOR) == []
    assert sink.to("ann@example.com") == []
    period = db.session.scalars(
        select(DigestPeriod).join(MailingList).where(MailingList.slug == "blog")
    ).first()
    assert period is not None
    assert period.why == digests.NOTHING_NEW


def test_instant_mails_are_reviewed_only_where_that_is_said(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    join(env, "iva@example.com", "instant")
    publish("First")
    tick(env)
    assert subjects(sink, "iva@example.com") == ["First"]
    lists.edit(env, "blog", {"review_instant": "yes"})
    publish("Second")
    for _ in range(2):
        tick(env)
    publish("Third")
    clock.forward(timedelta(hours=23))
    tick(env)
    assert subjects(sink, AUTHOR) == ["For review: Second"]
    assert subjects(sink, "iva@example.com") == ["First"]
    clock.forward(timedelta(hours=1))
    tick(env)
    tick(env)
    assert subjects(sink, "iva@example.com") == ["First", "Second"]
    assert subjects(sink, AUTHOR)[1:] == ["For review: Third"]


def test_sent_now_means_what_was_reviewed(env: Environment, clock: Clock, sink: Sink) -> None:
    publish("Calm")
    clock.now = DEADLINE
    tick(env)
    review_acts.hold_by_link(env, token_of(sink))
    intros.write_intro(env, "blog", "A line at the top", WEEKLY)
    publish("Later")
    [planned] = [row for row in digests.plan_now(env, "blog", WEEKLY) if row.recipients]
    assert (planned.entries, planned.recipients) == (1, 1)
    digests.send_now(env, "blog", WEEKLY)
    sending.send_due(env)
    assert subjects(sink, "ann@example.com") == ["Calm"]
    assert "A line at the top" in body(sink.to("ann@example.com")[0])
    clock.now = MONDAY_8
    tick(env)
    assert len(sink.to("ann@example.com")) == 1, "its period is done"


def test_a_review_is_not_mailed_of_a_digest_that_has_gone(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    publish("Calm")
    clock.now = DEADLINE
    digests.compose_due(env)
    digests.send_now(env, "blog", WEEKLY)
    sending.send_due(env)
    assert subjects(sink, AUTHOR) == []
    assert subjects(sink, "ann@example.com") == ["Calm"]


def test_links_end_with_the_digest_and_open_no_other(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    lists.edit(env, "talks", {"review": "24h"})
    [calm] = publish("Calm")
    [talk] = publish("Another talk", slug="talks")
    clock.now = DEADLINE
    tick(env)
    mine = token_of(sink)
    theirs = token_of(sink, "tom@news.example.com")
    assert mine != theirs
    with pytest.raises(NotFound):
        review_acts.leave_out_by_link(env, mine, talk)
    with pytest.raises(LinkInvalid):
        review_acts.hold_by_link(env, mine[:-2] + "aa")
    with pytest.raises(LinkInvalid):
        foreign = env.tokens.sign(LinkPurpose.UNSUBSCRIBE, mine.partition(".")[0], env.now)
        review_acts.hold_by_link(env, foreign)
    review_acts.hold_by_link(env, theirs)
    clock.now = MONDAY_8
    tick(env)
    assert subjects(sink, "ann@example.com") == ["Calm"]
    assert subjects(sink, "tim@example.com") == []
    with pytest.raises(Refused):
        review_acts.hold_by_link(env, mine)
    with pytest.raises(Refused):
        review_acts.leave_out_by_link(env, mine, calm)
    publish("Next")
    clock.now = DEADLINE + timedelta(days=7)
    tick(env)
    with pytest.raises(Refused):
        review_acts.hold_by_link(env, mine)
    clock.now = MONDAY_8 + timedelta(days=7)
    tick(env)
    assert len(sink.to("ann@example.com")) == 2


def test_whoever_is_owed_what_was_not_reviewed_waits_and_misses_nothing(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    publish("Old")
    tick(env)
    digests.send_now(env, "blog", WEEKLY)
    publish("Calm")
    clock.now = DEADLINE
    tick(env)
    join(env, "back@example.com")  # from a long break, with everything before it
    on_a_break = join(env, "break@example.com")
    with transaction() as session:
        row = session.get_one(Subscription, on_a_break)
        row.paused_until = MONDAY_8 + timedelta(days=9)
    clock.now = MONDAY_8
    tick(env)
    assert subjects(sink, "ann@example.com") == ["Old", "Calm"]
    assert subjects(sink, "back@example.com") == []
    clock.now = MONDAY_8 + timedelta(days=7)
    tick(env)
    clock.now = MONDAY_8 + timedelta(days=7, hours=18)
    tick(env)
    assert subjects(sink, "back@example.com") == ["New: Calm and Old"]
    assert subjects(sink, "ann@example.com") == ["Old", "Calm"]


def test_a_digest_without_a_review_is_held_and_released(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    review_acts.hold(env, "talks", WEEKLY)
    clock.now = MONDAY_8
    tick(env)
    publish("Second talk", slug="talks")
    assert subjects(sink, "tim@example.com") == []
    review_acts.release(env, "talks", WEEKLY)
    tick(env)
    assert subjects(sink, "tim@example.com") == ["New: Second talk and A talk"]


def test_a_digest_is_skipped_and_its_entries_go_with_the_next(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    publish("Calm")
    assert review_acts.skip(env, "talks", WEEKLY) == "2026-W49"
    clock.now = DEADLINE
    tick(env)
    assert review_acts.skip(env, "blog", WEEKLY) == "2026-W49"
    publish("Rest")
    clock.now = MONDAY_8
    tick(env)
    assert subjects(sink, "ann@example.com") == subjects(sink, "tim@example.com") == []
    with pytest.raises(Refused):
        review_acts.skip(env, "blog", Cadence.INSTANT)
    clock.now = DEADLINE + timedelta(days=7)
    tick(env)
    clock.now = MONDAY_8 + timedelta(days=7)
    tick(env)
    assert subjects(sink, "ann@example.com") == ["New: Rest and Calm"]
    assert subjects(sink, "tim@example.com") == ["A talk"]


def test_what_was_announced_goes_though_less_is_left(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    lists.edit(env, "blog", {"min_entries": "3"})
    first, *_ = publish("One", "Two", "Three")
    clock.now = DEADLINE
    tick(env)
    review_acts.leave_out(env, "blog", WEEKLY, first)
    clock.now = MONDAY_8
    tick(env)
    assert subjects(sink, "ann@example.com") == ["New: Three and Two"]


def test_the_last_subscriber_leaves_while_a_review_is_out(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    lists.edit(env, "blog", {"cadences": "monthly", "cadence": "monthly"})
    publish("Calm")
    clock.now = DEADLINE
    tick(env)
    with transaction() as session:
        for row in session.scalars(select(Subscription)):
            row.status = "unsubscribed"
    clock.now = MONDAY_8
    tick(env)
    assert open_reviews() == 0


Interrupt = Callable[[Environment], object]


@pytest.mark.parametrize(
    "interrupt",
    [
        lambda env: review_acts.hold(env, "blog", WEEKLY),
        lambda env: review_acts.leave_out(env, "blog", WEEKLY, find_entry("Calm")),
        lambda env: review_acts.skip(env, "blog", WEEKLY),
    ],
)
def test_what_is_said_while_a_digest_is_being_composed_counts(
    env: Environment, clock: Clock, sink: Sink, blog: int, interrupt: Interrupt
) -> None:
    """The worker has found the digest due; the author presses before it is written."""
    publish("Calm", "Rest")
    clock.now = DEADLINE
    tick(env)
    clock.now = MONDAY_8
    due = find_due(env, blog, WEEKLY)
    assert isinstance(due, DueDigest)
    interrupt(env)
    assert compose(env, due) is None
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Campaign)) == 0


def test_two_workers_mail_one_review(env: Environment, clock: Clock, blog: int) -> None:
    publish("Calm")
    clock.now = DEADLINE
    first = find_due(env, blog, WEEKLY)
    second = find_due(env, blog, WEEKLY)
    assert isinstance(first, review_mail.DueReview)
    assert isinstance(second, review_mail.DueReview)
    assert review_mail.mail_review(env, first)
    assert review_mail.mail_review(env, second) is None
    assert open_reviews() == 1


def test_a_program_does_not_send_what_is_held_or_reviewed(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    join(env, "iva@example.com", "instant")
    publish("Calm")
    clock.now = DEADLINE
    digests.compose_due(env)
    publish("Rest")
    review_acts.hold(env, "talks", WEEKLY)
    for title in ("Rest", "A talk"):
        entries.send(env, find_entry(title), at_once=True)
    asked.send_asked(env)
    sending.send_due(env)
    assert subjects(sink, "iva@example.com") == ["Calm", "Rest"]
    assert subjects(sink, "ann@example.com") == subjects(sink, "tim@example.com") == []
    assert {row.why for row in digests.send_now(env, "talks")} >= {digests.HELD}
    sending.send_due(env)
    assert subjects(sink, "tim@example.com") == []


def test_settled_reviews_are_deleted_after_a_month(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    """Until then the mail's links say that the digest has gone; what is held stays."""
    publish("Calm")
    clock.now = DEADLINE
    tick(env)
    token = token_of(sink)
    clock.now = MONDAY_8
    tick(env)
    review_acts.hold(env, "talks", WEEKLY)
    clock.forward(timedelta(days=29))
    cleanup.clean_up(env)
    with pytest.raises(Refused):
        review_acts.hold_by_link(env, token)
    clock.forward(timedelta(days=2))
    cleanup.clean_up(env)
    with pytest.raises(NotFound):
        review_acts.hold_by_link(env, token)
    with reading() as session:
        [left] = session.scalars(select(DigestReview)).all()
    assert left.settled_at is None
