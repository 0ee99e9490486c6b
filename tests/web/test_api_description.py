"""The API's OpenAPI document says what it does: schemathesis asks it everything it can think of."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from newsletter.access_vocabulary import NamedRow, TokenScope
from newsletter.app import create_app
from newsletter.db.session import transaction
from newsletter.models import Subscriber, Subscription
from newsletter.services import api_tokens, row_names
from newsletter.services.runtime import Environment
from newsletter.services.signup import forms
from newsletter.settings import Settings
from newsletter.web.api.description import describe_interface
from tests.conftest import SECRET
from tests.people import add_entry, add_feed, add_list, add_reader
from tests.web.test_api import Program, add_letter

pytestmark = pytest.mark.any_database
CHECKS = (
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
    negative_data_rejection,
    missing_required_header,
)


def describe() -> dict[str, Any]:
    settings = Settings.model_validate({"secret_key": SECRET, "database_url": "sqlite://"})
    app = create_app(settings)
    with app.test_request_context("/"):
        return describe_interface()


DOCUMENT = describe()
REFUSALS = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "429", "5xx"]
"""What a request that breaks the document may be answered with; 413 comes before it is read."""
CONFIG = SchemathesisConfig.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}}
)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)
OPERATIONS = [
    (method.upper(), path)
    for path, methods in sorted(DOCUMENT["paths"].items())
    for method in sorted(methods)
]


@pytest.fixture
def world(app: Flask, env: Environment, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a list called blog whose first of everything has the number 1; return a token for it."""
    monkeypatch.setattr(api_tokens, "REQUESTS_PER_MINUTE", 10**9)
    monkeypatch.setattr(api_tokens, "FAILURES_PER_MINUTE", 10**9)
    with transaction() as session:
        mailing_list = add_list(session, "blog")
        feed = add_feed(session, mailing_list)
        add_entry(session, feed, "First")
        add_entry(session, feed, "Second", fate="held")
        for name in "ab":
            add_reader(session, mailing_list, f"{name}@example.com")
        assert session.get(Subscriber, 1)
        assert session.get(Subscription, 1)
    forms.add_field("blog", "town", "text", "Town")
    token = api_tokens.add_token(env, "tests", TokenScope.SEND)
    add_letter(Program(app, token))
    return token


@pytest.mark.parametrize("kind", ["positive", "negative"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_operation_is_as_described(
    app: Flask, world: str, method: str, path: str, kind: str
) -> None:
    operation = SCHEMA[path][method]
    first = {
        f"{kind}_id": row_names.name_row(kind, 1)
        for kind in (NamedRow.SUBSCRIBER, NamedRow.SUBSCRIPTION)
    } | {"slug": "blog"}

    @given(case=operation.as_strategy(generation_mode=GenerationMode(kind)))
    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Case) -> None:
        if kind == "positive":
            case.path_parameters.update({name: first.get(name, 1) for name in case.path_parameters})
        headers = {"Authorization": f"Bearer {world}"}
        answer = case.call(app=app, base_url="http://localhost", headers=headers)
        case.validate_response(answer, checks=CHECKS, headers=headers)
        assert answer.status_code < 500

    ask()


def test_each_operation_is_described_in_words() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"].endswith("."), (method, path)
            assert {"401", "403", "404", "422", "429", "503"} <= set(operation["responses"])
            assert operation["security"] == [{"token": []}]
    assert DOCUMENT["openapi"] == "3.1.0"
    names = [
        operation["operationId"] for m in DOCUMENT["paths"].values() for operation in m.values()
    ]
    assert len(names) == len(set(names)) > 30


def test_the_headers_that_a_program_needs_are_described() -> None:
    paths = DOCUMENT["paths"]
    letter = paths["/api/v1/letters/{letter_id}"]
    assert "ETag" in letter["get"]["responses"]["200"]["headers"]
    assert "ETag" in letter["patch"]["responses"]["200"]["headers"]
    assert "ETag" not in paths["/api/v1/events"]["get"]["responses"]["200"]["headers"]
    headers = paths["/api/v1/letters"]["post"]["responses"]["201"]["headers"]
    assert {"ETag", "Location", "Idempotency-Replayed"} <= set(headers)
    assert "Retry-After" in letter["get"]["responses"]["429"]["headers"]


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/letters/1/send", {"again": 1}, "#/again"),
        ("/letters/1/schedule", {"at": 4102444800}, "#/at"),
        ("/feeds/1", {"page_pictures": 0}, "#/page_pictures"),
        ("/statistics?since=0", None, "#/since"),
        ("/events?cursor=x", None, "#/cursor"),
    ],
)
def test_a_value_of_another_type_is_refused(
    app: Flask, world: str, path: str, body: dict[str, Any] | None, pointer: str
) -> None:
    method = "GET" if body is None else "PATCH" if path == "/feeds/1" else "POST"
    answer = Program(app, world)(method, path, body)
    assert answer.status_code == 422
    assert [part["pointer"] for part in answer.json["errors"]] == [pointer]


def test_a_mistake_in_a_letter_is_named_by_the_line_of_its_markdown(app: Flask, world: str) -> None:
    program = Program(app, world)
    bad = {"list": "blog", "subject": "Hi", "preheader": "x", "markdown": "One\n\n{{ nope }}"}
    answer = program("POST", "/letters", bad)
    assert "line 3" in answer.json["errors"][0]["detail"]
    answer = program("PATCH", "/letters/1", {"markdown": "One\n\n{{ nope }}"})
    assert "line 3" in answer.json["errors"][0]["detail"]
