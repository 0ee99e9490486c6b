"""Freezing, cancelling, retrying and blanking touch the rows they are meant for, and no others."""

from __future__ import annotations

from sqlalchemy import null, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.models import Campaign, Delivery, Subscription
from newsletter.outbox.single_mails import (
    count_waiting_mails,
    delete_passing_mails,
    drop_waiting_mails,
    list_waiting_mails,
)
from newsletter.vocabulary import MailKind
from tests.fakes import START
from tests.outbox_rows import (
    CANCELLED,
    FAILED,
    HOUR,
    IN_DOUBT,
    LATE,
    QUEUED,
    SENT,
    House,
    add_row,
    read_row,
)


def list_statuses(session: Session, ids: list[int]) -> list[str]:
    return [read_row(session, id_).status.value for id_ in ids]


def freeze(session: Session, campaign: Campaign, *readers: Subscription) -> int:
    """Freeze a campaign for these subscriptions."""
    query = select(Subscription.id, Subscription.cursor).where(
        Subscription.id.in_([row.id for row in readers])
    )
    return outbox.freeze(session, campaign, query, mail=MailKind.LETTER, now=LATE)


def bounds(campaign: Campaign) -> tuple[int, int, int, int]:
    return campaign.first_id, campaign.last_id, campaign.leased_id, campaign.recipients


def test_a_campaign_knows_the_range_of_its_rows_whatever_is_added(
    session: Session, house: House
) -> None:
    letter = house.letter
    other = house.other
    assert freeze(session, letter) == 0
    assert bounds(letter) == (0, 0, 0, 0)
    before = add_row(session, house.ana, None)
    house.ana.cursor = 12
    session.flush()
    assert freeze(session, letter, house.ana, house.bea) == 2
    assert bounds(letter) == (before + 1, before + 2, before, 2)
    row = read_row(session, before + 1)
    assert (row.subscription_id, row.cursor, row.created_at) == (house.ana.id, 12, LATE)
    assert (row.campaign_id, row.status, row.mail, row.due_at) == (
        letter.id,
        QUEUED,
        MailKind.LETTER,
        None,
    )
    assert freeze(session, letter, house.zoe) == 1, "the row before is its own"
    assert freeze(session, other, house.zoe) == 1
    assert bounds(other) == (before + 4, before + 4, before + 3, 1)
    letter.leased_id += 1
    assert freeze(session, letter) == 0, "nobody is added"
    assert freeze(session, letter, house.cleo) == 1
    assert bounds(letter) == (before + 1, before + 5, before + 1, 4)


def test_an_end_cancels_what_waits_for_one_subscription(session: Session, house: House) -> None:
    theirs = [
        add_row(session, house.ana, house.letter, due_at=START, lease_id=9),
        add_row(session, house.ana, house.other, status=IN_DOUBT, due_at=START),
        add_row(session, house.ana, house.later, status=IN_DOUBT),
        add_row(session, house.ana, None, status=SENT),
    ]
    goodbye = add_row(session, house.ana, None, mail=MailKind.GOODBYE)
    others = add_row(session, house.zoe, None)
    count = outbox.cancel(session, [house.ana.id], now=LATE, why="bye", except_id=goodbye)
    assert count == 2
    assert list_statuses(session, theirs) == ["cancelled", "cancelled", "in_doubt", "sent"]
    assert list_statuses(session, [goodbye, others]) == ["queued", "queued"]
    row = read_row(session, theirs[0])
    assert (row.text, row.due_at, row.lease_id, row.finished_at) == ("bye", None, None, LATE)
    assert read_row(session, theirs[2]).text is None


def test_mails_and_campaigns_are_cancelled_as_far_as_they_wait(
    session: Session, house: House
) -> None:
    mails = [add_row(session, house.ana, None, status=status) for status in (QUEUED, SENT, QUEUED)]
    assert outbox.cancel_mails(session, mails[:2], now=LATE, why="asked") == 1
    assert list_statuses(session, mails) == ["cancelled", "sent", "queued"]
    rows = [
        add_row(session, house.ana, house.letter, status=SENT),
        add_row(session, house.bea, house.letter),
        add_row(session, house.zoe, house.other),
        add_row(session, house.cleo, house.letter, status=IN_DOUBT, due_at=START),
    ]
    assert outbox.cancel_campaign(session, house.letter, now=LATE) == 2
    assert list_statuses(session, rows) == ["sent", "cancelled", "queued", "cancelled"]


def test_a_retry_starts_anew_what_failed_and_what_was_left_in_doubt(
    session: Session, house: House
) -> None:
    tried = {"attempts": 3, "doubts": 2, "lost_replies": 1, "crashes": 2}
    worn = tried | {"code": 451, "text": "no", "finished_at": START}
    rows = [
        add_row(session, house.ana, house.letter, status=FAILED, **worn),
        add_row(session, house.zoe, house.other, status=FAILED, **worn),
        add_row(session, house.bea, house.letter, status=IN_DOUBT, **tried),
        add_row(session, None, house.letter, status=IN_DOUBT, due_at=START),
        add_row(session, None, house.letter, status=SENT, finished_at=START),
        add_row(session, house.ana, None, status=FAILED),
    ]
    assert outbox.retry(session, house.letter, now=LATE) == 2
    assert list_statuses(session, rows) == [
        "queued",
        "failed",
        "queued",
        "in_doubt",
        "sent",
        "failed",
    ]
    for id_ in (rows[0], rows[2]):
        row = read_row(session, id_)
        assert [getattr(row, count) for count in tried] == [0, 0, 0, 0]
        assert (row.due_at, row.finished_at, row.code, row.text) == (LATE, None, None, None)
    assert read_row(session, rows[3]).due_at == START


def test_blanking_forgets_words_of_one_subscription_or_of_old_mails(
    session: Session, house: House
) -> None:
    def add(reader: Subscription, hours: int, **values: object) -> int:
        words = {"text": "no ana", "context": {"to": "x"}, "finished_at": START + hours * HOUR}
        return add_row(session, reader, None, status=SENT, **(words | values))  # type: ignore[arg-type]

    rows = [
        add(house.ana, 1),
        add(house.ana, 2),
        add(house.zoe, 1, mail=MailKind.EXPORT),
        add(house.zoe, 1, context=null()),
        add(house.zoe, 1, finished_at=None),
    ]
    outbox.scrub_old(session, [MailKind.WELCOME, MailKind.LINK], before=START + 2 * HOUR)
    blank = [read_row(session, id_).context is None for id_ in rows]
    assert blank == [True, False, False, True, False]
    assert [read_row(session, id_).text for id_ in rows] == [None, *4 * ["no ana"]]
    outbox.scrub(session, [house.ana.id])
    assert [read_row(session, id_).text for id_ in rows] == [None, None, *3 * ["no ana"]]
    assert read_row(session, rows[1]).context is None


def test_single_mails_that_wait_are_listed_and_dropped(session: Session, house: House) -> None:
    held = add_row(session, house.zoe, None, mail=MailKind.CONFIRM)
    due = add_row(session, house.ana, None, due_at=LATE)
    others = [
        add_row(session, house.ana, None, due_at=START, lease_id=8),
        add_row(session, house.ana, None, mail=MailKind.CONFIRM, status=SENT),
        add_row(session, house.ana, house.letter, due_at=START),
    ]
    second = add_row(session, house.bea, None, due_at=START, status=IN_DOUBT)
    waiting = [held, due, second]
    assert [row.id for row in list_waiting_mails(session, limit=None)] == waiting
    assert [row.id for row in list_waiting_mails(session, limit=2)] == [held, due]
    assert count_waiting_mails(session) == 3
    assert drop_waiting_mails(session, [*others, second], "no", now=LATE) == 1
    assert list_statuses(session, [*waiting, *others]) == [
        "queued",
        "queued",
        "cancelled",
        "queued",
        "sent",
        "queued",
    ]
    assert drop_waiting_mails(session, [], "no", now=LATE) == 0
    assert drop_waiting_mails(session, None, "all", now=LATE) == 2
    row = read_row(session, due)
    assert (row.status, row.text, row.due_at, row.finished_at) == (CANCELLED, "all", None, LATE)
    assert count_waiting_mails(session) == 0


def test_passing_mails_go_oldest_first_once_they_are_old(session: Session, house: House) -> None:
    def add(hours: int | None, mail: MailKind = MailKind.LOG_IN) -> int:
        finished_at = None if hours is None else START + hours * HOUR
        return add_row(
            session, None, None, mail=mail, status=SENT, finished_at=finished_at, context={}
        )

    rows = [add(2), add(1), add(3), add(None), add(1, MailKind.CONFIRM), add(0)]
    assert delete_passing_mails(session, before=START + 3 * HOUR, limit=2) == 2

    def left() -> list[int]:
        query = select(Delivery.id).where(Delivery.id.in_(rows)).order_by(Delivery.id)
        return list(session.scalars(query))

    assert left() == [rows[0], *rows[2:5]]
    assert delete_passing_mails(session, before=START + 3 * HOUR, limit=2) == 1
    assert delete_passing_mails(session, before=START + 3 * HOUR, limit=2) == 0
    assert left() == rows[2:5]
