"""The tables of the database: columns and constraints, without logic."""

from newsletter.models.authors import (
    Author,
    AuthorAct,
    AuthorList,
    AuthorLogin,
    AuthorPasskey,
    AuthorSession,
)
from newsletter.models.bounces import BounceEvent, BounceReceiver, ForwardedReply, SeenMail
from newsletter.models.campaigns import (
    Campaign,
    CampaignEntry,
    DigestPeriod,
    DigestReview,
    Edition,
)
from newsletter.models.events import Event
from newsletter.models.feeds import Entry, Feed, HubSubscription
from newsletter.models.figures import CampaignFigures, DailyFigure, FigureNote
from newsletter.models.imports import ImportFile
from newsletter.models.letters import Picture, SeriesLetter, SeriesLetterSent
from newsletter.models.lists import FormField, MailingList
from newsletter.models.operation import (
    Counter,
    DomainBackoff,
    Installation,
    InstallationKey,
    LastingKey,
    SeenDkimKey,
    SenderState,
    Worker,
)
from newsletter.models.outbox import Delivery, FoldedDelivery, Lease
from newsletter.models.programs import (
    ApiToken,
    IdempotencyKey,
    RequestedTest,
    Webhook,
    WebhookMessage,
)
from newsletter.models.resources import Resource
from newsletter.models.subscribers import (
    AddressChange,
    ConsentEvent,
    ConsentText,
    Mailbox,
    RetiredHandle,
    Subscriber,
    Subscription,
    SubscriptionRequest,
    Suppression,
    Tag,
)
from newsletter.models.tapped_answers import TappedAnswer, TappedTotal
from newsletter.models.topics import DigestIntro, Topic, TopicSource

__all__ = [
    "AddressChange",
    "ApiToken",
    "Author",
    "AuthorAct",
    "AuthorList",
    "AuthorLogin",
    "AuthorPasskey",
    "AuthorSession",
    "BounceEvent",
    "BounceReceiver",
    "Campaign",
    "CampaignEntry",
    "CampaignFigures",
    "ConsentEvent",
    "ConsentText",
    "Counter",
    "DailyFigure",
    "Delivery",
    "DigestIntro",
    "DigestPeriod",
    "DigestReview",
    "DomainBackoff",
    "Edition",
    "Entry",
    "Event",
    "Feed",
    "FigureNote",
    "FoldedDelivery",
    "FormField",
    "ForwardedReply",
    "HubSubscription",
    "IdempotencyKey",
    "ImportFile",
    "Installation",
    "InstallationKey",
    "LastingKey",
    "Lease",
    "Mailbox",
    "MailingList",
    "Picture",
    "RequestedTest",
    "Resource",
    "RetiredHandle",
    "SeenDkimKey",
    "SeenMail",
    "SenderState",
    "SeriesLetter",
    "SeriesLetterSent",
    "Subscriber",
    "Subscription",
    "SubscriptionRequest",
    "Suppression",
    "Tag",
    "TappedAnswer",
    "TappedTotal",
    "Topic",
    "TopicSource",
    "Webhook",
    "WebhookMessage",
    "Worker",
]
