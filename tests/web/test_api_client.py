"""A client that knows nothing but the OpenAPI document does the whole life of a letter.

Paths, methods, media types and bodies are taken from the document; each request and each answer is
checked against its schema.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from jsonschema_rs import Draft202012Validator

from newsletter.access_vocabulary import TokenScope
from newsletter.db.session import transaction
from newsletter.services import api_tokens
from newsletter.services.letters import send as letters
from newsletter.services.runtime import Environment
from newsletter.services.sending import requested_tests
from newsletter.services.sending import run as sending
from tests.fakes import Clock, Sink
from tests.people import add_list, add_reader

pytestmark = pytest.mark.any_database


class Described:
    """A client made of an OpenAPI document and a token."""

    def __init__(self, app: Flask, token: str) -> None:
        self.client = app.test_client()
        self.document: dict[str, Any] = json.loads(self.client.get("/api/v1/openapi.json").data)
        [(name, scheme)] = self.document["components"]["securitySchemes"].items()
        assert (name, scheme["scheme"]) == ("token", "bearer")
        self.headers = {"Authorization": f"Bearer {token}"}

    def find(self, *words: str) -> tuple[str, str, dict[str, Any]]:
        """Return the one operation whose summary has these words: method, path, description."""
        matching = [
            (method, path, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
            if all(word in operation["summary"].lower().split() for word in words)
        ]
        assert len(matching) == 1, (words, [f"{method} {path}" for method, path, _ in matching])
        return matching[0]

    def __call__(
        self, *words: str, body: object = None, etag: str = "", **values: object
    ) -> dict[str, Any]:
        """Do what is described in these words; `values` are parameters by their names."""
        method, path, operation = self.find(*words)
        query: dict[str, Any] = {}
        headers = dict(self.headers)
        for parameter in operation["parameters"]:
            name = parameter["name"]
            place = parameter["in"]
            if name not in values:
                assert not parameter["required"], (path, name)
                continue
            value = values.pop(name)
            self.check(value, parameter["schema"])
            if place == "path":
                path = path.replace(f"{{{name}}}", str(value))
            else:
                query[name] = value
        if etag:
            assert "If-Match" in {parameter["name"] for parameter in operation["parameters"]}
            headers["If-Match"] = etag
        assert not values, f"{path} is described without {values}"
        data = None
        if "requestBody" in operation:
            [(media, content)] = operation["requestBody"]["content"].items()
            self.check(body, content["schema"])
            headers["Content-Type"] = media
            data = json.dumps(body) if media == "application/json" else body
        answer = self.client.open(
            path, method=method, query_string=query, data=data, headers=headers
        )
        described = operation["responses"].get(str(answer.status_code))
        assert described is not None, (path, answer.status_code)
        assert answer.status_code < 300, answer.text
        if not described.get("content"):
            return {}
        self.check(answer.json, described["content"]["application/json"]["schema"])
        return {**answer.json, "ETag": answer.headers.get("ETag")}  # type: ignore[dict-item]

    def check(self, value: object, schema: dict[str, Any]) -> None:
        whole = {**schema, "components": self.document["components"]}
        Draft202012Validator(whole).validate(value)

    def read_all(self, *words: str, **values: object) -> list[dict[str, Any]]:
        """Every page of a listing."""
        rows: list[dict[str, Any]] = []
        page = self(*words, **values)
        rows += page["data"]
        while page["next"] is not None:
            page = self(*words, **values, cursor=page["next"])
            rows += page["data"]
        return rows


def test_the_whole_life_of_a_letter_from_the_document_alone(
    app: Flask, env: Environment, sink: Sink, clock: Clock
) -> None:
    with transaction() as session:
        add_reader(session, add_list(session, "other"), "stranger@example.com")
    api = Described(app, api_tokens.add_token(env, "client", TokenScope.SEND))

    api("make", "a", "list.", body={"slug": "news", "from": "Ana <ana@example.org>"})
    rows = "".join(f"reader{number}@example.com,Reader {number}\n" for number in range(5))
    report = api(
        "import",
        "from",
        body=f"email,name\n{rows}",
        list="news",
        because="signed a paper list at the workshop",
    )
    assert (report["rows"], report["new"], report["active"]) == (5, 5, 5)

    people = api.read_all("list", "subscribers,", list="news", limit=2)
    assert len(people) == 5
    _change_people(api, people, env.now)
    letter_id = _draft_letter(api, people)
    requested_tests.send_requested(env)
    assert [message["To"] for message in sink.messages] == ["me@example.org"]

    moment = (env.now + timedelta(hours=1)).isoformat()
    campaign = api("letter", "at", "a", "moment.", letter_id=letter_id, body={"at": moment})
    assert campaign["status"] == "scheduled"
    clock.forward(timedelta(hours=1, minutes=1))
    letters.start_due_letters(env)
    sending.send_due(env)
    _read_result(api, people, campaign["id"])
    assert "stranger@example.com" not in {message["To"] for message in sink.messages}


def _change_people(api: Described, people: list[dict[str, Any]], now: datetime) -> None:
    """Tag two subscribers, and let a third rest."""
    for person in people[:2]:
        changed = api(
            "change",
            "subscriber's",
            "tags,",
            subscriber_id=person["id"],
            body={"add_tags": ["berlin"]},
            etag=api("show", "a", "subscriber.", subscriber_id=person["id"])["ETag"],
        )
        assert changed["tags"] == ["berlin"]
    subscription = people[2]["subscriptions"][0]["id"]
    until = (now + timedelta(days=10)).isoformat()
    api(
        "change",
        "a",
        "subscription:",
        subscription_id=subscription,
        body={"paused_until": until},
    )


def _draft_letter(api: Described, people: list[dict[str, Any]]) -> int:
    """Write a letter to the tagged ones, look at it and ask for a test; return its id."""
    segment = '"berlin" in tags'
    chosen = api.read_all("list", "subscribers,", list="news", segment=segment)
    assert {row["email"] for row in chosen} == {row["email"] for row in people[:2]}
    letter = api(
        "make",
        "a",
        "draft",
        body={
            "list": "news",
            "subject": "Hello Berlin",
            "markdown": "{{ subscriber.name }}, come and see.",
            "segment": segment,
        },
    )
    assert letter["recipients"] == 2
    preview = api("letter", "would", "be", "mailed,", letter_id=letter["id"])
    assert "come and see" in preview["text"]
    checks = api("check", "a", "letter", letter_id=letter["id"])["data"]
    assert "bad" not in {check["verdict"] for check in checks}
    api("letter", "one", "address,", letter_id=letter["id"], body={"to": "me@example.org"})
    return int(letter["id"])


def _read_result(api: Described, people: list[dict[str, Any]], campaign_id: int) -> None:
    final = api("numbers", "of", "a", "campaign,", campaign_id=campaign_id)
    assert (final["status"], final["recipients"], final["sent"]) == ("sent", 2, 2)
    mailed = api.read_all("messages", "of", "a", "campaign,", campaign_id=campaign_id, limit=1)
    assert {row["email"] for row in mailed} == {row["email"] for row in people[:2]}
    kinds = [row["type"] for row in api.read_all("events,", "newest", list="news", limit=50)]
    assert "campaign.finished" in kinds


def test_the_document_explains_itself(app: Flask, env: Environment) -> None:
    api = Described(app, api_tokens.add_token(env, "client", TokenScope.READ))
    undescribed = [
        f"{method.upper()} {path} {parameter['name']}"
        for path, methods in api.document["paths"].items()
        for method, operation in methods.items()
        for parameter in operation["parameters"]
        if parameter["in"] == "path" and not parameter.get("description")
    ]
    assert undescribed == []
    for path, methods in api.document["paths"].items():
        for method, operation in methods.items():
            assert re.search(r"\bScopes?: ", operation["description"]), (method, path)
            for code, answer in operation["responses"].items():
                assert answer["description"], (path, code)
