"""Manage a list's topics: groups of categories and feeds that subscribers choose from.

A subscriber who chose none gets everything. What belongs to no topic is for everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text
from newsletter.models import MailingList, Subscription, Topic, TopicSource
from newsletter.services.lookup import get_feed, get_list
from newsletter.vocabulary import SubscriptionStatus

TOPICS_AT_MOST = 40
"""The most topics of one list; their ids must fit into `Subscription.topics`."""


@dataclass(frozen=True, slots=True)
class TopicOffer:
    """A topic in a form."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic as its author sees it; `subscribers` counts those who chose it explicitly."""

    id: int
    name: str
    categories: tuple[str, ...]
    feeds: tuple[int, ...]
    subscribers: int


@dataclass(frozen=True, slots=True)
class TopicMap:
    """The topics of entries, by their categories (in lower case) and their feed."""

    categories: Mapping[str, frozenset[int]]
    feeds: Mapping[int, frozenset[int]]

    def of(self, categories: Collection[str], feed_id: int) -> frozenset[int]:
        """Return the topics of one entry."""
        by_feed = self.feeds.get(feed_id, frozenset())
        return by_feed.union(
            *(self.categories.get(name.casefold(), frozenset()) for name in categories)
        )


def find_offers(session: Session, list_id: int) -> tuple[TopicOffer, ...]:
    """Return the topics of a list in the author's order; empty if it has none."""
    return tuple(TopicOffer(topic.id, topic.name) for topic in _read_topics(session, list_id))


def find_chosen_topics(session: Session, subscription: Subscription) -> tuple[TopicOffer, ...]:
    """Return the topics that a subscriber chose, or all of them if they chose none."""
    offers = find_offers(session, subscription.list_id)
    ids = set(unpack_topics(subscription.topics))
    return tuple(offer for offer in offers if offer.id in ids) or offers


def choose_topics(session: Session, subscription: Subscription, words: Iterable[object]) -> bool:
    """Set a subscription's topics, by id or name, and return whether they changed.

    All or none of them means everything, also topics that are added later. What is owed already
    goes by the new choice. Raises `InvalidInput` for an unknown one.
    """
    choice = parse_choice(find_offers(session, subscription.list_id), words)
    changed = subscription.topics != choice
    subscription.topics = choice
    return changed


def parse_choice(offers: Sequence[TopicOffer], words: Iterable[object]) -> str:
    """Return the topics that a form names as `Subscription.topics` stores them.

    Raises `InvalidInput` for an unknown one.
    """
    ids_by_word = {str(offer.id): offer.id for offer in offers} | {
        offer.name.casefold(): offer.id for offer in offers
    }
    names = [to_plain_line(word, limit=80).casefold() for word in words]
    if any(name not in ids_by_word for name in names if name):
        raise InvalidInput({"topics": Text("Please choose one of those offered.")})
    ids = {ids_by_word[name] for name in names if name}
    return "" if len(ids) == len(offers) else pack_topics(ids)


def split_topics(value: object) -> list[object]:
    """Return the topics that a form or JSON names one by one: nothing, one, or a list.

    Raises `InvalidInput`.
    """
    if value in (None, ""):
        return []
    words = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(word, str) for word in words):
        raise InvalidInput({"topics": Text("Please choose one of those offered.")})
    return words


def add(
    slug: str | None, name: str, *, categories: Sequence[str] = (), feeds: Sequence[str] = ()
) -> TopicView:
    """Create a topic, or add categories and feeds (by number or URL) to one.

    Raises `InvalidInput`, `NotFound`.
    """
    title = to_plain_line(name, limit=80)
    if not title or title.isdecimal():
        raise InvalidInput({"name": Text("give the topic a name")})
    with transaction() as session:
        mailing_list = get_list(session, slug)
        topics = _read_topics(session, mailing_list.id)
        topic = next((topic for topic in topics if topic.name.casefold() == title.casefold()), None)
        if topic is None:
            if len(topics) >= TOPICS_AT_MOST:
                raise Refused(
                    Text(
                        "a list has %(most)s topics at most",
                        most=TOPICS_AT_MOST,
                    )
                )
            topic = Topic(list_id=mailing_list.id, name=title, position=len(topics))
            session.add(topic)
        _extend(session, mailing_list, topic, categories, feeds)
        session.flush()
        return _describe(session, topic)


def _extend(
    session: Session,
    mailing_list: MailingList,
    topic: Topic,
    categories: Sequence[str],
    feeds: Sequence[str],
) -> None:
    names = {source.category for source in topic.sources} | {None}
    numbers = {source.feed_id for source in topic.sources}
    for category in dict.fromkeys(to_plain_line(word, limit=100).casefold() for word in categories):
        if category and category not in names:
            topic.sources.append(TopicSource(category=category))
    for which in feeds:
        feed = get_feed(session, which)
        if feed.list_id != mailing_list.id:
            raise NotFound(
                f"{mailing_list.slug} has no feed {which}",
                hint="see `newsletter feed ls`",
            )
        if feed.id not in numbers:
            topic.sources.append(TopicSource(feed_id=feed.id))
            numbers.add(feed.id)


def remove(slug: str | None, name: str) -> int:
    """Remove a topic.

    Returns how many subscribers had chosen nothing else, and so get everything again.
    """
    with transaction() as session:
        mailing_list = get_list(session, slug)
        topic = _get_topic(session, mailing_list, name)
        freed = 0
        query = select(Subscription).where(
            Subscription.list_id == mailing_list.id, Subscription.topics != ""
        )
        for subscription in session.scalars(query):
            left = set(unpack_topics(subscription.topics)) - {topic.id}
            freed += not left
            subscription.topics = pack_topics(left)
        session.delete(topic)
        return freed


def order(slug: str | None, names: Sequence[str]) -> list[TopicView]:
    """Move the named topics to the front, in that order."""
    with transaction() as session:
        mailing_list = get_list(session, slug)
        first = [_get_topic(session, mailing_list, name).id for name in names]
        topics = _read_topics(session, mailing_list.id)
        topics.sort(
            key=lambda topic: (
                first.index(topic.id) if topic.id in first else len(first) + topic.position
            )
        )
        for position, topic in enumerate(topics):
            topic.position = position
        session.flush()
        return [_describe(session, topic) for topic in topics]


def list_topics(slug: str | None = None) -> list[TopicView]:
    """Return a list's topics in their order."""
    with reading() as session:
        return [
            _describe(session, topic) for topic in _read_topics(session, get_list(session, slug).id)
        ]


def build_topic_map(session: Session, list_id: int) -> TopicMap:
    """Read which entries of a list belong to which topics."""
    categories: dict[str, set[int]] = {}
    feeds: dict[int, set[int]] = {}
    for topic in _read_topics(session, list_id):
        for source in topic.sources:
            if source.feed_id is not None:
                feeds.setdefault(source.feed_id, set()).add(topic.id)
            elif source.category is not None:
                categories.setdefault(source.category, set()).add(topic.id)
    return TopicMap(
        {name: frozenset(ids) for name, ids in categories.items()},
        {feed: frozenset(ids) for feed, ids in feeds.items()},
    )


def _read_topics(session: Session, list_id: int) -> list[Topic]:
    query = select(Topic).where(Topic.list_id == list_id).order_by(Topic.position, Topic.id)
    return list(session.scalars(query))


def _get_topic(session: Session, mailing_list: MailingList, name: str) -> Topic:
    for topic in _read_topics(session, mailing_list.id):
        if name.strip().casefold() in (topic.name.casefold(), str(topic.id)):
            return topic
    raise NotFound(
        f"{mailing_list.slug} has no topic {name}",
        hint="see `newsletter topic ls`",
    )


def _describe(session: Session, topic: Topic) -> TopicView:
    is_chosen = (literal(",") + Subscription.topics + ",").contains(f",{topic.id},")
    query = select(func.count()).where(
        Subscription.list_id == topic.list_id,
        Subscription.status == SubscriptionStatus.ACTIVE,
        is_chosen,
    )
    count = session.scalar(query)
    return TopicView(
        topic.id,
        topic.name,
        tuple(source.category for source in topic.sources if source.category is not None),
        tuple(source.feed_id for source in topic.sources if source.feed_id is not None),
        count or 0,
    )


def pack_topics(topics: Collection[int]) -> str:
    """Return a choice of topics as it is stored: ascending ids, separated by commas."""
    return ",".join(map(str, sorted(set(topics))))


def unpack_topics(chosen: str) -> tuple[int, ...]:
    """Return the ids in a stored choice, or in what a group missed."""
    return tuple(int(part) for part in chosen.split(",") if part)
