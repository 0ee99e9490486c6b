"""Tables about a closed set have a line for each of its members."""

from __future__ import annotations

import json
from pathlib import Path

import newsletter.web
from newsletter.authoring.segment import FIELDS
from newsletter.cli.consent import KINDS
from newsletter.services.mail_context import CADENCE_TEXT
from newsletter.vocabulary import Cadence, ConsentKind, EventKind
from newsletter.web.responses import CADENCE_WORDS

OPENAPI = Path(newsletter.web.__file__).parent / "static" / "openapi.json"


def test_each_cadence_has_its_words() -> None:
    assert list(CADENCE_TEXT) == list(Cadence)
    assert list(CADENCE_WORDS) == list(Cadence)


def test_openapi_names_each_cadence() -> None:
    schemas = json.loads(OPENAPI.read_text())
    enums = [value["enum"] for value in find_cadences(schemas)]
    assert enums
    assert all(set(Cadence) <= set(enum) for enum in enums)


def find_cadences(schema: object) -> list[dict[str, list[str]]]:
    if not isinstance(schema, dict):
        return []
    own = [schema["cadence"]] if "enum" in schema.get("cadence", {}) else []
    return own + [entry for value in schema.values() for entry in find_cadences(value)]


def test_a_segment_can_name_each_cadence() -> None:
    assert all(f'"{cadence}"' in FIELDS["cadence"] for cadence in Cadence)


def test_each_kind_of_event_is_recorded_by_a_service() -> None:
    """The failure of a delivery is written by the outbox, with its outcome."""
    package = Path(newsletter.__file__).parent
    source = "".join(
        file.read_text()
        for folder in ("services", "outbox")
        for file in (package / folder).rglob("*.py")
    )
    unused = {kind for kind in EventKind if f"EventKind.{kind.name}" not in source}
    assert unused == set()


def test_each_kind_of_consent_has_its_words() -> None:
    assert set(KINDS) == set(ConsentKind)
