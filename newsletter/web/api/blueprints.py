"""The Blueprints of the interface, which create_app registers."""

from __future__ import annotations

from newsletter.web.api import (
    campaigns,
    description,
    entries,
    installation,
    letters,
    lists,
    subscribers,
    subscriptions,
)

BLUEPRINTS = (
    lists.blueprint,
    subscribers.blueprint,
    subscriptions.blueprint,
    entries.blueprint,
    letters.blueprint,
    campaigns.blueprint,
    installation.blueprint,
    description.blueprint,
)
