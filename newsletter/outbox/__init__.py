"""The outbox: enqueue, freeze, lease, record, recover, count.

The only SQL that touches deliveries and leases.

How a campaign is worked through, by any number of workers on one database:

1. `freeze` writes one row per recipient, in one transaction, before the first message goes.
2. `lease_slice` hands a worker the next slice of their ids. The rows themselves are only read.
3. `Ledger.advance` notes how far into the slice messages may be offered, and is committed before
   they are.
4. `Ledger.record` writes each row once, with its outcome, and tells which leases were taken over
   meanwhile.
5. `recover` takes over what a dead worker held: rows it may have offered are in doubt, the others
   were not.

What is taken on its own (a confirmation, a retry, what a dead worker left) has a `due_at` and is
leased row by row with `lease_due`. Every function works inside the caller's transaction and commits
nothing; the ledger has its own.
"""

from newsletter.outbox.enqueue import (
    cancel,
    cancel_campaign,
    enqueue,
    freeze,
    had,
    recipients,
    retry,
    scrub,
    scrub_old,
    without,
)
from newsletter.outbox.lease import lease_due, lease_slice, seconds_now
from newsletter.outbox.queries import (
    by_edition,
    due_campaigns,
    editions,
    following,
    history,
    next_due,
    rows,
    totals,
    waiting,
    waits,
    worked_through,
)
from newsletter.outbox.record import Ledger
from newsletter.outbox.recovery import SET_ASIDE, recover, release
from newsletter.outbox.references import references
from newsletter.outbox.types import DeliveryRow, Held, Mark, Row, Totals

__all__ = [
    "SET_ASIDE",
    "DeliveryRow",
    "Held",
    "Ledger",
    "Mark",
    "Row",
    "Totals",
    "by_edition",
    "cancel",
    "cancel_campaign",
    "due_campaigns",
    "editions",
    "enqueue",
    "following",
    "freeze",
    "had",
    "history",
    "lease_due",
    "lease_slice",
    "next_due",
    "recipients",
    "recover",
    "references",
    "release",
    "retry",
    "rows",
    "scrub",
    "scrub_old",
    "seconds_now",
    "totals",
    "waiting",
    "waits",
    "without",
    "worked_through",
]
