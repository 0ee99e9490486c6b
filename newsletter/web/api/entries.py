"""Entries of feeds: what was found, and what becomes of it."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.access_vocabulary import NamedRow, TokenScope
from newsletter.errors import InvalidInput, NotFound
from newsletter.services.polling import entries
from newsletter.services.polling.entries import EntryView
from newsletter.services.runtime import environment
from newsletter.web.api import models
from newsletter.web.api.answers import make_cursor, read_cursor, send
from newsletter.web.api.operations import current_caller, operation, require_list

blueprint = Blueprint("api_entries", __name__)

ID = "<int(max=2147483647):entry_id>"
SEES = (TokenScope.READ, TokenScope.PUBLISH)
DECIDES = (TokenScope.WRITE, TokenScope.PUBLISH)
MAILS = (TokenScope.SEND, TokenScope.PUBLISH)


@operation(blueprint, "GET", "/entries", scope=SEES, answer=models.Entries)
def list_entries(query: models.EntryQuery) -> Response:
    """List entries, newest first; a token that is limited to lists names one of them."""
    if query.list is None and current_caller().is_limited:
        raise InvalidInput({"list": "name one of the token's lists"})
    rows = entries.list_entries(
        slug=require_list(query.list) if query.list else None,
        fate=query.fate,
        links=[query.link] if query.link else [],
        before=read_cursor(NamedRow.ENTRY, query.cursor),
        limit=query.limit,
    )
    next_ = rows[-1].id if len(rows) == query.limit else None
    data = [models.ApiEntry.model_validate(row) for row in rows]
    return send(models.Entries(data=data, next=make_cursor(NamedRow.ENTRY, next_)))


@operation(blueprint, "POST", "/entries/search", scope=SEES, answer=models.FoundEntries)
def search_entries(json: models.EntrySearch) -> Response:
    """Find the entries of many posts at once, by their links; what is unknown is left out."""
    slug = require_list(json.list)
    rows = entries.list_entries(slug=slug, links=json.links, limit=models.LINKS_AT_MOST)
    return send(models.FoundEntries(data=[models.ApiEntry.model_validate(row) for row in rows]))


@operation(blueprint, "GET", f"/entries/{ID}", scope=SEES, answer=models.ApiEntry)
def get_entry(entry_id: int) -> Response:
    """Show an entry."""
    return _send(_find(entry_id))


@operation(blueprint, "POST", f"/entries/{ID}/hold", scope=DECIDES, answer=models.ApiEntry)
def hold_entry(entry_id: int) -> Response:
    """Keep an entry back until it is released."""
    return _send(entries.hold(environment(), _find(entry_id).id))


@operation(blueprint, "POST", f"/entries/{ID}/skip", scope=DECIDES, answer=models.ApiEntry)
def skip_entry(entry_id: int) -> Response:
    """Never mail an entry."""
    return _send(entries.skip(environment(), _find(entry_id).id))


@operation(blueprint, "POST", f"/entries/{ID}/release", scope=MAILS, answer=models.ApiEntry)
def release_entry(entry_id: int) -> Response:
    """Let an entry that is held or skipped go out with the next digest."""
    return _send(entries.release(environment(), _find(entry_id).id))


@operation(blueprint, "POST", f"/entries/{ID}/send", scope=MAILS, answer=models.ApiEntry)
def send_entry(entry_id: int) -> Response:
    """Mail an entry with the next digest, also one that was mailed before."""
    return _send(entries.send(environment(), _find(entry_id).id, at_once=False))


@operation(blueprint, "POST", f"/entries/{ID}/send-now", scope=MAILS, answer=models.ApiEntry)
def send_entry_now(entry_id: int) -> Response:
    """Mail an entry now, whatever cadence a subscriber has.

    A worker mails it, alone, to everybody who is owed it. Whatever else they are owed comes with
    their digest, and nobody gets this entry a second time.
    """
    return _send(entries.send(environment(), _find(entry_id).id, at_once=True))


def _find(entry_id: int) -> EntryView:
    entry = entries.get_entry(entry_id)
    if not current_caller().sees(entry.list):
        raise NotFound(f"there is no entry {entry_id}")
    return entry


def _send(entry: EntryView) -> Response:
    return send(models.ApiEntry.model_validate(entry))
