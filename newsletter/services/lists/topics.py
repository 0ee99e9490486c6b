"""Topics: the author says which categories and feeds belong to one; readers choose among them.

A reader who chose none gets everything. What belongs to no topic is for everybody.
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

TOPICS_AT_MOST = 40


@dataclass(frozen=True, slots=True)
class TopicOffer:
    """A topic as a form offers it.

    `field` is the name of its checkbox's value.
    """

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic as its author sees it: what belongs to it, and how many readers chose it by name."""

    id: int
    name: str
    categories: tuple[str, ...]
    feeds: tuple[int, ...]
    readers: int


@dataclass(frozen=True, slots=True)
class TopicMap:
    """Which topics an entry belongs to, by its categories (in lower case) and its feed."""

    categories: Mapping[str, frozenset[int]]
    feeds: Mapping[int, frozenset[int]]

    def of(self, categories: Collection[str], feed_id: int) -> frozenset[int]:
        """The topics of one entry."""
        found = self.feeds.get(feed_id, frozenset())
        return found.union(
            *(self.categories.get(name.casefold(), frozenset()) for name in categories)
        )


# ── for readers
# ────────────────────────────────────────────────────────────────────────────────────


def find_offers(session: Session, list_id: int) -> tuple[TopicOffer, ...]:
    """The topics readers of a list choose among, in the author's order; empty where there are none."""
    return tuple(TopicOffer(topic.id, topic.name) for topic in _ordered(session, list_id))


def offered(slug: str) -> tuple[TopicOffer, ...]:
    """The same, for a door.

    Raises `NotFound`.
    """
    with reading() as session:
        return find_offers(session, get_list(session, slug).id)


def find_chosen_topics(session: Session, subscription: Subscription) -> tuple[TopicOffer, ...]:
    """What a reader chose; all of them where she chose none."""
    offers = find_offers(session, subscription.list_id)
    ids = set(unpack_topics(subscription.topics))
    return tuple(offer for offer in offers if offer.id in ids) or offers


def choose_topics(session: Session, subscription: Subscription, wanted: Iterable[object]) -> bool:
    """Set a reader's topics, by id or name, and says whether that changed anything.

    All or none of them: everything, also what will be added. What is owed already goes by the new
    choice. Raises `InvalidInput` for an unknown one.
    """
    chosen = parse_choice(find_offers(session, subscription.list_id), wanted)
    changed = subscription.topics != chosen
    subscription.topics = chosen
    return changed


def parse_choice(offers: Sequence[TopicOffer], wanted: Iterable[object]) -> str:
    """What a form says, as it is stored (`Subscription.topics`).

    Raises `InvalidInput`.
    """
    known = {str(offer.id): offer.id for offer in offers} | {
        offer.name.casefold(): offer.id for offer in offers
    }
    words = [to_plain_line(word, limit=80).casefold() for word in wanted]
    if any(word not in known for word in words if word):
        raise InvalidInput({"topics": Text("Please choose one of those offered.")})
    ids = {known[word] for word in words if word}
    return "" if len(ids) == len(offers) else pack_topics(ids)


def split_topics(said: object) -> list[object]:
    """The topics a form or JSON names, one by one: nothing, one, or a list.

    Raises `InvalidInput`.
    """
    found = list(said) if isinstance(said, list | tuple) else [] if said in (None, "") else [said]
    if not all(isinstance(each, str) for each in found):
        raise InvalidInput({"topics": Text("Please choose one of those offered.")})
    return found


# ── for authors
# ────────────────────────────────────────────────────────────────────────────────────


def add(
    slug: str | None, name: str, *, categories: Sequence[str] = (), feeds: Sequence[str] = ()
) -> TopicView:
    """Make a topic, or adds categories and feeds (by number or address) to one.

    Raises `InvalidInput`, `NotFound`.
    """
    title = to_plain_line(name, limit=80)
    if not title or title.isdecimal():
        raise InvalidInput({"name": "give the topic a name"})
    with transaction() as session:
        mailing_list = get_list(session, slug)
        topics = _ordered(session, mailing_list.id)
        topic = next((topic for topic in topics if topic.name.casefold() == title.casefold()), None)
        if topic is None:
            if len(topics) >= TOPICS_AT_MOST:
                raise Refused(f"a list has {TOPICS_AT_MOST} topics at most")
            topic = Topic(list_id=mailing_list.id, name=title, position=len(topics))
            session.add(topic)
        _extend(session, mailing_list, topic, categories, feeds)
        session.flush()
        return _view(session, topic)


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
                f"{mailing_list.slug} has no feed {which}", hint="see `newsletter feed ls`"
            )
        if feed.id not in numbers:
            topic.sources.append(TopicSource(feed_id=feed.id))
            numbers.add(feed.id)


def remove(slug: str | None, name: str) -> int:
    """Remove a topic.

    Returns how many readers had chosen nothing else, and so get everything again.
    """
    with transaction() as session:
        mailing_list = get_list(session, slug)
        topic = _find(session, mailing_list, name)
        here = (Subscription.list_id == mailing_list.id, Subscription.topics != "")
        freed = 0
        for subscription in session.scalars(select(Subscription).where(*here)):
            left = set(unpack_topics(subscription.topics)) - {topic.id}
            freed += not left
            subscription.topics = pack_topics(left)
        session.delete(topic)
        return freed


def order(slug: str | None, names: Sequence[str]) -> list[TopicView]:
    """Put the topics named first, in that order; the others follow as they were."""
    with transaction() as session:
        mailing_list = get_list(session, slug)
        first = [_find(session, mailing_list, name).id for name in names]
        topics = _ordered(session, mailing_list.id)
        topics.sort(
            key=lambda topic: (
                first.index(topic.id) if topic.id in first else len(first) + topic.position
            )
        )
        for position, topic in enumerate(topics):
            topic.position = position
        session.flush()
        return [_view(session, topic) for topic in topics]


def list_topics(slug: str | None = None) -> list[TopicView]:
    """A list's topics, in their order."""
    with reading() as session:
        return [_view(session, topic) for topic in _ordered(session, get_list(session, slug).id)]


def build_topic_map(session: Session, list_id: int) -> TopicMap:
    """Which entries of a list belong to which topics."""
    categories: dict[str, set[int]] = {}
    feeds: dict[int, set[int]] = {}
    for topic in _ordered(session, list_id):
        for source in topic.sources:
            if source.feed_id is not None:
                feeds.setdefault(source.feed_id, set()).add(topic.id)
            elif source.category is not None:
                categories.setdefault(source.category, set()).add(topic.id)
    return TopicMap(
        {name: frozenset(ids) for name, ids in categories.items()},
        {feed: frozenset(ids) for feed, ids in feeds.items()},
    )


def _ordered(session: Session, list_id: int) -> list[Topic]:
    query = select(Topic).where(Topic.list_id == list_id).order_by(Topic.position, Topic.id)
    return list(session.scalars(query))


def _find(session: Session, mailing_list: MailingList, name: str) -> Topic:
    for topic in _ordered(session, mailing_list.id):
        if name.strip().casefold() in (topic.name.casefold(), str(topic.id)):
            return topic
    raise NotFound(f"{mailing_list.slug} has no topic {name}", hint="see `newsletter topic ls`")


def _view(session: Session, topic: Topic) -> TopicView:
    chosen = (literal(",") + Subscription.topics + ",").contains(f",{topic.id},")
    here = (Subscription.list_id == topic.list_id, Subscription.status == "active")
    count = session.scalar(select(func.count()).where(*here, chosen))
    return TopicView(
        topic.id,
        topic.name,
        tuple(source.category for source in topic.sources if source.category is not None),
        tuple(source.feed_id for source in topic.sources if source.feed_id is not None),
        count or 0,
    )


def pack_topics(topics: Collection[int]) -> str:
    """A choice of topics as it is stored: ids, ascending, with commas between."""
    return ",".join(map(str, sorted(set(topics))))


def unpack_topics(chosen: str) -> tuple[int, ...]:
    """The ids in a stored choice, or in what a group missed."""
    return tuple(int(part) for part in chosen.split(",") if part)
