"""The tables, by neighbourhood: columns and constraints, and no verbs."""

from newsletter.models.campaigns import Campaign, CampaignEntry, Edition, Period
from newsletter.models.events import Event
from newsletter.models.feeds import Entry, Feed
from newsletter.models.letters import Picture, Step, StepTaken
from newsletter.models.lists import FormField, MailingList
from newsletter.models.operation import Counter, Installation, InstallationKey, LastingKey, Rest, SenderState, WorkerRow
from newsletter.models.outbox import Delivery, Lease
from newsletter.models.resources import Resource
from newsletter.models.subscribers import (
    AddressChange,
    ConsentEvent,
    Mailbox,
    RetiredHandle,
    Subscriber,
    Subscription,
    SubscriptionRequest,
    Suppression,
    Tag,
    Wording,
)
from newsletter.models.topics import DigestIntro, Topic, TopicSource

__all__ = [
    "AddressChange",
    "Campaign",
    "CampaignEntry",
    "ConsentEvent",
    "Counter",
    "Delivery",
    "DigestIntro",
    "Edition",
    "Entry",
    "Event",
    "Feed",
    "FormField",
    "Installation",
    "InstallationKey",
    "LastingKey",
    "Lease",
    "Mailbox",
    "MailingList",
    "Period",
    "Picture",
    "Resource",
    "Rest",
    "RetiredHandle",
    "SenderState",
    "Step",
    "StepTaken",
    "Subscriber",
    "Subscription",
    "SubscriptionRequest",
    "Suppression",
    "Tag",
    "Topic",
    "TopicSource",
    "Wording",
    "WorkerRow",
]
