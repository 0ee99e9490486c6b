"""Build the OpenAPI description of webhook messages (OpenAPI 3.1)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from newsletter.vocabulary import Actor, EventKind

_SIGNATURE = {
    "webhook-id": "The name of the message, the same each time that it is tried.",
    "webhook-timestamp": "Seconds since 1970 of this try.",
    "webhook-signature": "`v1,` and the HMAC-SHA256 (Base64) of id, timestamp and body, joined by "
    "dots, with the secret; of several that a space parts, one has to match.",
}


class EventData(BaseModel):
    """The subject of an event; what it is not about is left out."""

    model_config = ConfigDict(extra="forbid")

    list: str
    actor: Actor
    reason: str = Field(description="A short code: why it ended, what changed, an SMTP code.")
    subscriber: str = Field("", description="The `id` of a subscriber.")
    subscription: str = Field("", description="The `id` of a subscription.")
    campaign: int = Field(0, description="The `id` of a campaign.")
    entry: int = Field(0, description="The `id` of an entry.")
    email: str = Field("", description="With `--with-address` only, while the subscriber is known.")


class EventMessage(BaseModel):
    """A message to a webhook, signed as Standard Webhooks says (https://standardwebhooks.com)."""

    model_config = ConfigDict(extra="forbid")

    type: EventKind
    timestamp: datetime
    data: EventData


def describe_webhooks(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the `webhooks` of the document, and add their models to its `schemas`."""
    schema = EventMessage.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, part in schema.pop("$defs").items():
        for field in part.get("properties", {}).values():
            field.pop("default", None)
        schemas.setdefault(name, part)
    schemas["EventMessage"] = schema
    reference = {"$ref": "#/components/schemas/EventMessage"}
    headers = [
        {
            "name": name,
            "in": "header",
            "required": True,
            "schema": {"type": "string"},
            "description": what,
        }
        for name, what in _SIGNATURE.items()
    ]
    message = {
        "operationId": "receive_webhook",
        "summary": "Receive an event, at least once, and in order for each subscriber.",
        "description": "Sent to the address of `newsletter webhook add URL`, which prints the "
        "secret once. What is not taken is tried again for 3 days; see docs/webhooks.md.",
        "security": [],
        "parameters": headers,
        "requestBody": {"required": True, "content": {"application/json": {"schema": reference}}},
        "responses": {
            "2XX": {"description": "Taken, within 15 seconds; the body is not used."},
            "410": {"description": "Send nothing any more: the webhook is paused."},
            "default": {"description": "Not taken; a `Retry-After` is respected."},
        },
    }
    return {"event": {"post": message}}
