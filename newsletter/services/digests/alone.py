"""Plan a mail with a single entry for the subscribers who have not received it.

Their cursors stay where they are, so who has had the entry is told by the campaigns that carried
it, as of one that came back (`plan.missed_clause`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import CampaignEntry, Entry, MailingList
from newsletter.services.digests.plan import DigestPlan, make_plan
from newsletter.services.digests.selection import WaitRule, decide
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence


def plan_alone(
    env: Environment, session: Session, mailing_list: MailingList, cadence: Cadence, entry_id: int
) -> DigestPlan:
    """Plan the mail with one entry to those subscribers of a cadence who are owed it."""
    plan = make_plan(env, session, mailing_list, cadence)
    decision = plan.decision
    candidates = tuple(entry for entry in plan.candidates if entry.id == entry_id)
    groups = [group for share in decision.shares for group in share.groups]
    decided = decide(candidates, groups, WaitRule())
    return replace(plan, candidates=candidates, decision=replace(decided, settled=()), intro=None)


def find_carriers(session: Session, entry_ids: Collection[int]) -> frozenset[tuple[int, int]]:
    """Find the campaigns that carried entries of which others may still be owed them.

    Returns pairs of entry and campaign. Whoever mails such entries compares what was planned with
    what is there when it is written.
    """
    query = (
        select(CampaignEntry.entry_id, CampaignEntry.campaign_id)
        .join(Entry, Entry.id == CampaignEntry.entry_id)
        .where(CampaignEntry.entry_id.in_(entry_ids), Entry.first_seq.is_not(None))
    )
    return frozenset((row.entry_id, row.campaign_id) for row in session.execute(query))
