"""The messages of a lease that may be offered before more is written down: no database."""

from __future__ import annotations

import time
from collections import deque

from newsletter.outbox import DeliveryUpdate, LeasedBatch, LeasedDelivery
from newsletter.services.sending.work_line import RENEW_SECONDS, WorkLine
from newsletter.vocabulary import DeliveryStatus, MailKind
from tests.fakes import START


def row(number: int) -> LeasedDelivery:
    return LeasedDelivery(
        number,
        MailKind.DIGEST,
        1,
        0,
        0,
        0,
        START,
        {},
        1,
        "h",
        1,
        None,
        None,
        "a@b.example",
        None,
        None,
        None,
    )


def line(*ids: int, campaign_id: int | None = 1, last_id: int = 100) -> WorkLine:
    batch = LeasedBatch(1, campaign_id, 1, last_id, 0)
    return WorkLine(batch, campaign_id, False, 0, 0, rows=deque(row(number) for number in ids))


def update(number: int) -> DeliveryUpdate:
    return DeliveryUpdate(number, DeliveryStatus.SENT, 250, "ok")


def test_as_many_rows_as_there_is_room_for() -> None:
    assert line(10, 20, 30).horizon(2) == 20
    assert line(10, 20, 30).horizon(3) == 30
    flying = line(10, 20, 30)
    flying.flying = {5: row(5)}
    assert flying.horizon(3) == 20
    flying.flying = {5: row(5), 6: row(6), 7: row(7)}
    assert flying.horizon(3) == 10, "always one more"


def test_beyond_the_rows_that_were_read_each_id_counts_as_a_message() -> None:
    assert line(10, 11).horizon(5) == 14
    assert line(10, 11, last_id=12).horizon(5) == 12, "the slice ends there"
    assert line(10, 11, last_id=9).horizon(5) == 11, "what was read may be offered"
    assert line(10, 11, campaign_id=None).horizon(5) == 11, "single mails have any ids"
    assert line(campaign_id=None).horizon(5) == 0


def test_the_mark_never_goes_back() -> None:
    far = line(10, 20)
    far.through_id = 50
    assert far.horizon(1) == 50


def test_a_line_is_silent_once_it_was_not_renewed_for_long() -> None:
    one = line(1)
    assert not one.is_silent
    one.renewed_at = time.monotonic() - RENEW_SECONDS - 1
    assert one.is_silent


def test_a_line_is_done_when_nothing_of_it_is_left() -> None:
    one = line(1)
    assert not one.done
    assert not one.unsettled
    one.end()
    assert one.done
    assert not one.lost
    for name, value in (("flying", {1: row(1)}), ("updates", [update(1)])):
        setattr(one, name, value)
        assert one.unsettled
        assert not one.done
        setattr(one, name, type(value)())
    one.recording = [update(1)]
    assert one.unsettled
    assert not one.done


def test_a_line_that_is_lost_offers_nothing_more() -> None:
    one = line(1, 2)
    one.drop()
    assert (one.lost, one.ended, len(one.rows)) == (True, True, 0)
