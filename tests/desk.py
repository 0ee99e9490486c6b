"""The demo's installation with an author, and something in every state: what the author's pages
show, and where each page is.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.orm import Session

from newsletter.access_vocabulary import AuthorRole
from newsletter.authoring.letter_fields import LetterFields
from newsletter.db.session import transaction
from newsletter.demo import SLUG, DemoStage
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Campaign, DigestReview, Entry, Feed, MailingList, Subscriber
from newsletter.services.authors import authors, log_in
from newsletter.services.digests.review_acts import mark_author
from newsletter.services.letters import manuscripts
from newsletter.services.transfer import import_files, import_work
from newsletter.services.transfer.import_files import ImportChoices
from tests.people import add_entry, add_list, add_reader

ANA = "ana@blog.example"


class Desk:
    """The demo's installation with an author, and something in every state."""

    def __init__(self, scene: DemoStage) -> None:
        self.scene = scene
        with scene.app.app_context():
            authors.add_author(scene.env, ANA, role=AuthorRole.OWNER)
            with transaction() as session:
                mine = session.query(MailingList).filter_by(slug=SLUG).one()
                add_list(session, "talks", title="Long Talks")
                ann = add_reader(
                    session, mine, "amal.with.a.long.address@subdomain.example.com", name="أمل"
                )
                self.subscriber = session.get_one(Subscriber, ann.subscriber_id).handle
                self._add_entries(session, mine)
                self._add_review(session, mine)
                self._add_letter(session, mine)
            self.draft = manuscripts.start_draft(
                scene.env,
                SLUG,
                LetterFields(subject="A pause", body="Rest.\n\n![](lost.jpg)", segment="tags = x"),
            )
            self._import_people()

    def _add_entries(self, session: Session, mine: MailingList) -> None:
        feed = session.query(Feed).filter_by(list_id=mine.id).first()
        assert feed is not None
        for title in ("Held back, with a title that is rather long", "أيام بطيئة"):
            add_entry(session, feed, title, fate="held")
        entry = add_entry(session, feed, "Reviewed, with a title that goes on and on")
        feed.error = "answers 404 Not Found"
        session.flush()
        self.entry = entry.id
        self.feed = feed.id

    def _add_review(self, session: Session, mine: MailingList) -> None:
        now = self.scene.env.now
        review = DigestReview(
            list_id=mine.id,
            cadence="monthly",
            key="2026-11",
            go_at=now + timedelta(days=1),
            entries=[self.entry],
            through=session.get_one(Entry, self.entry).seq,
            recipients=1,
            created_at=now,
        )
        session.add(review)
        session.flush()
        name = f"{review.handle}.{mark_author(self.scene.env, ANA)}"
        self.review = self.scene.env.tokens.sign(LinkPurpose.REVIEW, name, now)

    def _add_letter(self, session: Session, mine: MailingList) -> None:
        now = self.scene.env.now
        campaign = session.query(Campaign).filter_by(list_id=mine.id).first()
        assert campaign is not None
        self.campaign = campaign.id
        letter = Campaign(
            list_id=mine.id,
            kind="letter",
            status="sent",
            subject="أيام بطيئة, a walk",
            seed="0" * 32,
            created_at=now,
            started_at=now,
            finished_at=now,
        )
        session.add(letter)
        session.flush()
        self.letter = letter.id

    def _import_people(self) -> None:
        env = self.scene.env
        ana = authors.list_authors()[0].id
        table = io.BytesIO(b"Email,Shoe size\nzed@example.com,44\nnobody,1\n")
        choices = ImportChoices(SLUG)
        self.imported = import_files.keep_file(env, ana, table, "people.csv", choices)
        import_work.work_on_files(env)

    def link(self) -> str:
        with self.scene.app.app_context():
            return log_in.make_link(self.scene.env, ANA).partition("/author/")[2]


Place = Callable[[Desk], str]
PAGES: dict[str, Place] = {
    "today": lambda desk: "",
    "digest": lambda desk: f"digests/{SLUG}/weekly",
    "digest-over": lambda desk: f"digests/{SLUG}/instant?review=99",
    "sending": lambda desk: "sending",
    "campaigns": lambda desk: "campaigns",
    "campaign": lambda desk: f"campaigns/{desk.campaign}",
    "newcomers": lambda desk: f"campaigns/{desk.letter}/newcomers",
    "subscribers": lambda desk: "subscribers",
    "add": lambda desk: "subscribers/add",
    "search": lambda desk: "subscribers?search=zz",
    "subscriber": lambda desk: f"subscribers/{desk.subscriber}",
    "explained": lambda desk: f"subscribers/{desk.subscriber}?campaign={desk.campaign}",
    "proof": lambda desk: f"subscribers/{desk.subscriber}/proof",
    "letters": lambda desk: "letters",
    "letter": lambda desk: f"letters/{desk.draft}",
    "letter-send": lambda desk: f"letters/{desk.draft}/send",
    "sources": lambda desk: "sources",
    "held": lambda desk: "sources?fate=held",
    "feed": lambda desk: f"feeds/{desk.feed}",
    "add-feed": lambda desk: "sources/add",
    "imports": lambda desk: "imports",
    "import": lambda desk: f"imports/{desk.imported}",
    "forms": lambda desk: f"lists/{SLUG}/forms",
    "form-frame": lambda desk: f"lists/{SLUG}/forms?snippet=iframe",
    "files": lambda desk: "files",
    "health": lambda desk: "health",
    "statistics": lambda desk: "statistics?days=365",
    "settings": lambda desk: "settings",
    "list-settings": lambda desk: f"lists/{SLUG}/settings",
    "look": lambda desk: f"lists/{SLUG}/look",
    "account": lambda desk: "account",
    "audit": lambda desk: "audit",
    "passkeys": lambda desk: "passkeys",
    "correction": lambda desk: f"entries/{desk.entry}/correct",
    "again": lambda desk: "again",
    "done": lambda desk: "sources?done=1",
    "not-found": lambda desk: "campaigns/99999",
    "dead-link": lambda desk: "enter/nothing.here",
}
OPEN: dict[str, Place] = {
    "log-in": lambda desk: "log-in",
    "code": lambda desk: "code",
    "enter": lambda desk: desk.link(),
    "review-hold": lambda desk: f"../review/{desk.review}/hold",
    "review-leave-out": lambda desk: f"../review/{desk.review}/leave-out/{desk.entry}",
}
"""Pages of the way in, for a browser that is not logged in."""
