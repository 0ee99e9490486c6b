"""The outbox, the queue of all mail: enqueue, freeze, lease, record, recover, count.

The only SQL that touches deliveries and leases.

How a campaign is worked through, by any number of workers on one database:

1. `freeze` writes one row per recipient, in one transaction, before the first message goes.
2. `lease_slice` hands a worker the next slice of their ids. The rows themselves are only read.
3. `Ledger.advance` notes how far into the slice messages may be offered, and is committed before
   they are.
4. `Recorder` writes each row once, with its outcome, and tells which leases were taken over
   meanwhile. On PostgreSQL it does so while messages go on.
5. `recover` takes over what a dead worker held: rows it may have offered are in doubt, the others
   were not.

What is taken on its own (a confirmation, a retry, what a dead worker left) has a `due_at` and is
leased row by row with `lease_due`. Every function works inside the caller's transaction and commits
nothing; the ledger has its own.
"""

from newsletter.outbox.depth import read_depths
from newsletter.outbox.enqueue import (
    cancel,
    cancel_campaign,
    cancel_mails,
    enqueue,
    freeze,
    had_edition_clause,
    recipients_query,
    retry,
    scrub,
    scrub_old,
    was_mailed_clause,
    without_delivery_clause,
)
from newsletter.outbox.fold import (
    count_folded,
    count_removed,
    find_foldable,
    fold,
)
from newsletter.outbox.folded import forget_folded
from newsletter.outbox.lease import lease_due, lease_slice, seconds_now_clause
from newsletter.outbox.queries import (
    count_by_edition,
    count_left_in_doubt,
    count_totals,
    count_waiting,
    find_campaigns_of,
    find_due_campaigns,
    find_last_campaign,
    find_next_due,
    group_failures,
    is_any_waiting,
    is_open_after,
    is_waiting,
    is_worked_through,
    list_deliveries,
    list_editions,
    list_history,
    list_latest,
    mailed_until_query,
    next_recipients_query,
)
from newsletter.outbox.record import Ledger
from newsletter.outbox.recorder import Group
from newsletter.outbox.recovery import SET_ASIDE, recover, release
from newsletter.outbox.references import get_references
from newsletter.outbox.summary import ReplyCount, count_minutes, count_replies
from newsletter.outbox.types import (
    DeliveryRow,
    DeliveryUpdate,
    FailureGroup,
    LeasedBatch,
    LeasedDelivery,
    Totals,
)

__all__ = [
    "SET_ASIDE",
    "DeliveryRow",
    "DeliveryUpdate",
    "FailureGroup",
    "Group",
    "LeasedBatch",
    "LeasedDelivery",
    "Ledger",
    "ReplyCount",
    "Totals",
    "cancel",
    "cancel_campaign",
    "cancel_mails",
    "count_by_edition",
    "count_folded",
    "count_left_in_doubt",
    "count_minutes",
    "count_removed",
    "count_replies",
    "count_totals",
    "count_waiting",
    "enqueue",
    "find_campaigns_of",
    "find_due_campaigns",
    "find_foldable",
    "find_last_campaign",
    "find_next_due",
    "fold",
    "forget_folded",
    "freeze",
    "get_references",
    "group_failures",
    "had_edition_clause",
    "is_any_waiting",
    "is_open_after",
    "is_waiting",
    "is_worked_through",
    "lease_due",
    "lease_slice",
    "list_deliveries",
    "list_editions",
    "list_history",
    "list_latest",
    "mailed_until_query",
    "next_recipients_query",
    "read_depths",
    "recipients_query",
    "recover",
    "release",
    "retry",
    "scrub",
    "scrub_old",
    "seconds_now_clause",
    "was_mailed_clause",
    "without_delivery_clause",
]
