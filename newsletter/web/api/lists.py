"""Mailing lists and their statistics, as programs use them."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.access_vocabulary import TokenScope
from newsletter.services.lists import lists
from newsletter.services.lists.lists import ListSettings
from newsletter.services.runtime import environment
from newsletter.services.statistics import read
from newsletter.web.api import models
from newsletter.web.api import statistics_models as numbers
from newsletter.web.api.answers import change, send, send_editable
from newsletter.web.api.operations import current_caller, operation, require_list, require_unlimited

blueprint = Blueprint("api_lists", __name__)


@operation(blueprint, "GET", "/lists", scope=TokenScope.READ, answer=models.MailingLists)
def list_lists() -> Response:
    """List the mailing lists that the token is for."""
    rows = [row for row in lists.list_lists(count=False) if current_caller().sees(row.slug)]
    return send(
        models.MailingLists(data=[models.ApiMailingList.model_validate(row) for row in rows])
    )


@operation(
    blueprint,
    "POST",
    "/lists",
    scope=TokenScope.WRITE,
    answer=models.ApiMailingList,
    status=201,
)
def create_list(json: models.NewMailingList) -> Response:
    """Make a list."""
    require_unlimited()
    values = json.model_dump(exclude_unset=True, by_alias=True, exclude={"slug"})
    row = lists.add(environment(), json.slug, values)
    described = models.ApiMailingList.model_validate(row)
    return send_editable(described, 201, location=f"/lists/{row.slug}")


@operation(
    blueprint,
    "GET",
    "/lists/<slug>",
    scope=(TokenScope.READ, TokenScope.PUBLISH),
    answer=models.ApiMailingList,
)
def get_list(slug: str) -> Response:
    """Show a list and its settings."""
    return send_editable(_read(slug)[1])


@operation(
    blueprint,
    "PATCH",
    "/lists/<slug>",
    scope=TokenScope.WRITE,
    answer=models.ApiMailingList,
    refuses=(412,),
)
def edit_list(slug: str, json: models.MailingListChange) -> Response:
    """Change settings of a list.

    A token that is limited to lists keeps the domain that a list writes from.
    """
    values = json.model_dump(exclude_unset=True, by_alias=True)
    limited = current_caller().is_limited
    change(
        lambda: _read(slug),
        lambda row: lists.edit(environment(), slug, values, expected=row, keep_domain=limited),
    )
    return send_editable(_read(slug)[1])


def _read(slug: str) -> tuple[ListSettings, models.ApiMailingList]:
    row = lists.show(require_list(slug), count=False)
    return row, models.ApiMailingList.model_validate(row)


@operation(blueprint, "GET", "/statistics", scope=TokenScope.READ, answer=numbers.Statistics)
def get_statistics(query: numbers.StatisticsQuery) -> Response:
    """Show the numbers of the lists that the token is for, by default of the last 30 days."""
    slug = require_list(query.list) if query.list else None
    ids = read.get_list_ids(slug) if slug else _list_ids()
    rows = read.read_lists(environment(), ids, since=query.since)
    return send(numbers.Statistics(data=[numbers.describe_statistics(row) for row in rows]))


def _list_ids() -> list[int]:
    """Return the ids of the lists that the token is for."""
    slugs = [row.slug for row in lists.list_lists(count=False) if current_caller().sees(row.slug)]
    return [list_id for slug in slugs for list_id in read.get_list_ids(slug)]
