"""Tables about a closed set have a line for each of its members."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import newsletter.web
from newsletter.access_vocabulary import AuthorRole, TokenScope
from newsletter.authoring.segment import FIELDS
from newsletter.bounce_vocabulary import BounceClass
from newsletter.db.column_types import ClosedSet
from newsletter.db.session import Base
from newsletter.digest_vocabulary import DigestSections, DigestShow
from newsletter.schedule import Schedule, find_next_period
from newsletter.services.inbound.messages import MILDEST_FIRST
from newsletter.services.mail_context import CADENCE_TEXT
from newsletter.setup_vocabulary import CheckVerdict, EmbedKind, LogLevel
from newsletter.vocabulary import (
    Cadence,
    CampaignStatus,
    DeliveryStatus,
    EntryStatus,
    EventKind,
    FieldKind,
    MailKind,
    QueueState,
    SubscriptionStatus,
)
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
    direct = [schema["cadence"]] if "enum" in schema.get("cadence", {}) else []
    return direct + [entry for value in schema.values() for entry in find_cadences(value)]


def test_a_segment_can_name_each_cadence() -> None:
    assert all(f'"{cadence}"' in FIELDS["cadence"] for cadence in Cadence)


@pytest.mark.parametrize(
    ("setting", "file", "start"),
    [
        ("weekday", "docs/commands.md", "- `--day "),
        ("weekday", "newsletter/web/api/models.py", "DAY = "),
        ("weekday", "templates/pages/author/list_settings.html", '{{ choice("day", '),
        ("monthday", "docs/commands.md", "- `--monthday "),
        ("monthday", "newsletter/web/api/models.py", "MONTHDAY = "),
        ("monthday", "templates/pages/author/list_settings.html", '{{ text("monthday", '),
    ],
)
def test_texts_of_a_day_name_each_cadence_that_goes_out_on_it(
    setting: str, file: str, start: str
) -> None:
    lines = (PACKAGE.parent / file).read_text().splitlines()
    texts = [line for line in lines if line.startswith(start)]
    assert texts
    assert [
        (cadence, text)
        for cadence in Cadence
        for text in texts
        if depends_on(cadence, setting) != bool(re.search(rf"\b{cadence}\b", text))
    ] == []


def depends_on(cadence: Cadence, setting: str) -> bool:
    """Return whether a setting of a list moves the digests of a cadence."""
    if not cadence.scheduled:
        return False
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    schedules = [replace(Schedule(ZoneInfo("UTC")), **{setting: day}) for day in range(1, 7)]
    return len({find_next_period(cadence, schedule, now).due_at for schedule in schedules}) > 1


def test_each_kind_of_event_is_recorded_by_a_service() -> None:
    """The failure of a delivery is written by the outbox, with its outcome."""
    source = "".join(
        file.read_text()
        for folder in ("services", "outbox")
        for file in (PACKAGE / folder).rglob("*.py")
    )
    unused = {kind for kind in EventKind if f"EventKind.{kind.name}" not in source}
    assert unused == set()


PACKAGE = Path(newsletter.__file__).parent
PARTIAL: dict[tuple[str, str], set[str] | None] = {
    ("import_formats/column_names.py", "StatusWord"): {"PENDING", "SILENT", "UNKNOWN", "YES"},
    ("import_formats/opt_out_words.py", "StatusWord"): {"SILENT", "UNKNOWN", "YES"},
    ("import_formats/row.py", "StatusWord"): {"SILENT", "UNKNOWN"},
    ("import_formats/statuses.py", "StatusWord"): {"UNKNOWN"},
    ("services/transfer/import_rules.py", "StatusWord"): {
        "NO",
        "PENDING",
        "SILENT",
        "UNKNOWN",
        "YES",
    },
    ("outbox/depth.py", "CampaignStatus"): {"CANCELLED", "DRAFT", "SCHEDULED", "SENT"},
    ("services/mailbox_limits.py", "Allowance"): {"RETURNED"},
    ("web/why.py", "DeliveryStatus"): {"CANCELLED", "QUEUED", "SENT"},
    # Digests and letters have subjects of their own; the others are mailed to authors.
    ("web/why.py", "MailKind"): {
        "BROWSER",
        "DIGEST",
        "LETTER",
        "LOG_IN",
        "NOTICE",
        "PASSKEY",
        "REVIEW",
        "WEEKLY",
    },
    # Exceptions to a rule for all others.
    ("mail/smtp/causes.py", "Cause"): None,
    ("mail/smtp/classify.py", "Cause"): None,
    ("services/sender_state.py", "Cause"): None,
    ("services/statistics/gather.py", "Figure"): None,
    ("services/subscribers/link_requests.py", "LinkPurpose"): None,
    ("services/subscribers/story.py", "ConsentKind"): None,
}
"""The members that a table leaves out; None where it names few members, whatever others come."""


def enums() -> dict[str, set[str]]:
    """Return the members of every enum of the package, by its name."""
    return {
        node.name: {
            target.id
            for statement in node.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        for file in PACKAGE.rglob("*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith("Enum") for base in node.bases)
    }


def tables() -> Iterator[tuple[str, str, set[str]]]:
    """Yield the module, the enum and the members of every dictionary keyed by members."""
    known = enums()
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Dict) or len(node.keys) < 2:
                continue
            pairs = [ast.unparse(key).split(".") for key in node.keys if key is not None]
            names = {pair[0] for pair in pairs if len(pair) == 2 and pair[0] in known}
            if len(names) == 1 and all(len(pair) == 2 for pair in pairs):
                yield file.relative_to(PACKAGE).as_posix(), names.pop(), {pair[1] for pair in pairs}


def test_each_table_has_a_line_for_each_member() -> None:
    known = enums()
    left_out = [((file, name), known[name] - keys) for file, name, keys in tables()]
    wrong = [
        (table, members)
        for table, members in left_out
        if members != PARTIAL.get(table, set()) and PARTIAL.get(table, members) is not None
    ]
    assert not wrong, "\n".join(f"{table}: {members}" for table, members in wrong)
    assert set(PARTIAL) <= {table for table, _ in left_out}


def test_each_class_of_bounces_has_its_place_in_a_report() -> None:
    assert set(MILDEST_FIRST) == set(BounceClass)


DESCRIBED = [
    ("api.md", TokenScope),
    ("author.md", AuthorRole),
    ("bounces.md", BounceClass),
    ("design.md", Cadence),
    ("design.md", CampaignStatus),
    ("design.md", DeliveryStatus),
    ("design.md", EntryStatus),
    ("design.md", FieldKind),
    ("design.md", SubscriptionStatus),
    ("digests.md", Cadence),
    ("digests.md", DigestSections),
    ("digests.md", DigestShow),
    ("doctor.md", CheckVerdict),
    ("embed.md", EmbedKind),
    ("embed.md", FieldKind),
    ("feeds.md", EntryStatus),
    ("letters.md", Cadence),
    ("mail.md", MailKind),
    ("monitoring.md", QueueState),
    ("people.md", SubscriptionStatus),
    ("settings.md", LogLevel),
    ("webhooks.md", EventKind),
]
"""Pages that list the members of a set, in backticks."""


@pytest.mark.parametrize(("page", "members"), DESCRIBED)
def test_a_page_that_lists_members_lists_all(page: str, members: type[StrEnum]) -> None:
    code = re.findall(r"`[^`\n]+`", (PACKAGE.parent / "docs" / page).read_text())
    words = {word for span in code for word in re.findall(r"[\w.-]+", span)}
    assert set(members) - words == set()


def test_each_column_has_room_for_every_member_of_its_set() -> None:
    """SQLite would not mind."""
    columns = [
        column
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, ClosedSet)
    ]
    assert len(columns) > 20
    assert [
        f"{column} has {column.type.length}"
        for column in columns
        if max(len(member.value) for member in column.type.members) > column.type.length
    ] == []
