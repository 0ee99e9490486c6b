"""The Blueprints of the API, which create_app registers."""

from __future__ import annotations

from newsletter.web.api import (
    campaigns,
    description,
    entries,
    feeds,
    installation,
    letters,
    lists,
    resources,
    subscribers,
    subscriptions,
)

BLUEPRINTS = (
    lists.blueprint,
    subscribers.blueprint,
    subscriptions.blueprint,
    feeds.blueprint,
    entries.blueprint,
    letters.blueprint,
    campaigns.blueprint,
    installation.blueprint,
    resources.blueprint,
    description.blueprint,
)
