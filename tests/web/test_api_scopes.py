"""Test which token may do what: a table of every operation, held against the addresses there
are.
"""

from __future__ import annotations

import pytest
from flask import Flask

from newsletter.services.runtime import Environment
from tests.web.test_api import ROOT, blog, make, operations, snapshot

__all__ = ["blog"]

RULES = {
    "read": """
        GET /campaigns, GET /campaigns/C, GET /campaigns/C/report, GET /events, GET /letters/L,
        GET /letters/L/preview, GET /lists, GET /resources, GET /statistics""",
    "read publish": """
        GET /entries, GET /entries/E, GET /feeds, GET /feeds/F, GET /lists/S,
        POST /entries/search""",
    "write": """
        GET /campaigns/C/deliveries, GET /letters/L/preflight, GET /subscribers,
        GET /subscribers/P, GET /subscribers/export, GET /subscriptions, GET /subscriptions/P,
        GET /suppressions, POST /letters, PATCH /letters/L, POST /lists, PATCH /lists/S,
        POST /subscribers, POST /subscribers/search, POST /subscribers/import,
        PATCH /subscribers/P, DELETE /subscribers/P, PATCH /subscriptions/P,
        DELETE /subscriptions/P, POST /suppressions, POST /suppressions/lift, POST /resources,
        DELETE /resources/S, POST /feeds, PATCH /feeds/F, DELETE /feeds/F, POST /feeds/F/pause,
        POST /feeds/F/resume""",
    "write publish": """
        POST /entries/E/hold, POST /entries/E/skip, POST /feeds/F/poll""",
    "send publish": "POST /entries/E/release, POST /entries/E/send, POST /entries/E/send-now",
    "send": """
        POST /campaigns/C/pause, POST /campaigns/C/resume, POST /campaigns/C/cancel,
        POST /campaigns/C/retry, POST /letters/L/test, POST /letters/L/schedule,
        POST /letters/L/send""",
}
COVERS = {
    "read": {"read"},
    "write": {"read", "write"},
    "send": {"read", "write", "send", "publish"},
    "publish": {"publish"},
}


def name(method: str, path: str) -> str:
    """Return an operation as the table writes it: C a campaign, S a slug, P somebody."""
    letters = {"entries": "E", "feeds": "F", "campaigns": "C", "letters": "L"}
    parts = path.removeprefix(ROOT + "/").split("/")
    if len(parts) > 1 and parts[1] not in ("search", "import", "export", "lift"):
        parts[1] = letters.get(parts[0], "S" if parts[0] in ("lists", "resources") else "P")
    return f"{method} /{'/'.join(parts)}"


def test_the_table_holds_every_operation(blog: Flask, env: Environment) -> None:
    table = {
        rule.strip(): set(scopes.split())
        for scopes, rules in RULES.items()
        for rule in rules.split(",")
    }
    described = {name(method, path): set(scopes) for method, path, scopes in operations(blog)}
    assert described == table


def test_no_address_of_the_interface_is_without_a_rule(blog: Flask) -> None:
    open_to_all = {
        rule.rule
        for rule in blog.url_map.iter_rules()
        if rule.rule.startswith("/api")
        and not hasattr(blog.view_functions[rule.endpoint], "scopes")
    }
    assert open_to_all == {f"{ROOT}/", f"{ROOT}/openapi.json"}


@pytest.mark.any_database
@pytest.mark.parametrize("scope", list(COVERS))
@pytest.mark.parametrize("limited", [True, False])
def test_a_token_is_refused_what_its_scope_does_not_cover(
    blog: Flask, env: Environment, scope: str, limited: bool
) -> None:
    if scope == "publish" and not limited:
        return
    program = make(blog, env, scope, *(["blog"] if limited else []))
    before = snapshot()
    tried = 0
    for method, path, scopes in operations(blog):
        if COVERS[scope] & set(scopes):
            continue
        for body in (None, {}, {"list": "blog"}):
            response = program(method, path, None if method in ("GET", "DELETE") else body)
            assert response.status_code == 403, (method, path, response.text)
        tried += 1
    assert (tried > 30) == (scope in ("read", "publish"))
    assert snapshot() == before
