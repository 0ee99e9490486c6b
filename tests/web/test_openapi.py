"""openapi.json says what the pages do: schemathesis asks them everything it can think of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

import newsletter.web
from newsletter.db.session import transaction
from tests.people import add_list
from tests.web.test_signup import raise_ceilings

FILE = Path(newsletter.web.__file__).parent / "static" / "openapi.json"
SCHEMA = schemathesis.openapi.from_dict(json.loads(FILE.read_text()))
CHECKS = (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
pytestmark = pytest.mark.any_database


@pytest.fixture
def blog(app: Flask) -> Flask:
    with app.app_context(), transaction() as session:
        add_list(session, "blog")
    raise_ceilings(app)
    return app


ASKED = [
    ("POST", "/{list}/subscribe", "positive"),
    ("POST", "/{list}/subscribe", "negative"),
    ("GET", "/{list}/challenge", "positive"),
    ("GET", "/{list}/challenge", "negative"),
    ("GET", "/healthz", "positive"),
]


@pytest.mark.parametrize(("method", "path", "kind"), ASKED)
def test_s09_the_json_routes_are_as_described(
    blog: Flask, method: str, path: str, kind: str
) -> None:
    @given(case=SCHEMA[path][method].as_strategy(generation_mode=GenerationMode(kind)))
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Case) -> None:
        if kind == "positive" and path != "/healthz":
            case.path_parameters["list"] = "blog"
        answer = case.call(app=blog, base_url="http://localhost")
        case.validate_response(answer, checks=CHECKS)
        if path != "/healthz":  # where no worker ticks, 503 is what is described
            assert answer.status_code < 500

    ask()


def test_it_is_published_for_everybody(client: FlaskClient) -> None:
    with client.get("/openapi.json") as answer:
        assert answer.status_code == 200
        assert answer.mimetype == "application/json"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        described = json.loads(answer.data)
    assert set(described["paths"]) == {"/{list}/subscribe", "/{list}/challenge", "/healthz"}
