"""Writing in the browser: drafts that two may change, and nothing of theirs is lost."""

from __future__ import annotations

import html
import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.authoring.segment import parse_segment
from newsletter.db.session import reading, transaction
from newsletter.errors import ChangedMeanwhile
from newsletter.models import AuthorAct, Campaign, MailingList, Subscriber, Tag
from newsletter.services.campaigns import campaigns
from newsletter.services.letters import approve, drafts
from newsletter.services.letters import send as letters
from newsletter.services.letters.segment_examples import list_examples
from newsletter.services.lists import topics
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import requested_tests
from newsletter.services.sending import run as sending
from tests.fakes import Clock, Sink, body
from tests.people import add_reader
from tests.unit.authoring.test_images import picture
from tests.web.author.conftest import Browse, BrowserOf

SCRIPT = '<script>alert("x")</script>'
WRITTEN = {
    "subject": "A pause",
    "preheader": "Why",
    "body": "Dear friend,\r\n\r\nrest a while.\r\n",
}


@pytest.fixture
def env(app: Flask, lists: None) -> Environment:
    """Ann and Bob read `blog`, Cat reads `talks`."""
    with app.app_context(), transaction() as session:
        for slug, name in (("blog", "ann"), ("blog", "bob"), ("talks", "cat")):
            mailing_list = session.scalars(
                select(MailingList).where(MailingList.slug == slug)
            ).one()
            add_reader(session, mailing_list, f"{name}@example.com", name=name.title())
    extensions: Environment = app.extensions[EXTENSION]
    return extensions


def begin(browser: BrowserOf, slug: str = "blog", **fields: str) -> str:
    """Begin a draft, write into it, and return the address of its page."""
    answer = browser.post("/author/letters", {"list": slug}, page="/author/account")
    page = answer.headers["Location"]
    save(browser, page, **{**WRITTEN, **fields})
    return page


def save(browser: BrowserOf, page: str, *, revision: str | None = None, **fields: str):  # type: ignore[no-untyped-def]
    revision = revision or revision_of(browser, page)
    return browser.post(f"{page}/save", {**fields, "revision": revision}, page=page)


def revision_of(browser: BrowserOf, page: str) -> str:
    match = re.search(r'name="revision" value="(\d+)"', browser.get(page).text)
    assert match is not None
    return match[1]


def stored(page: str) -> Campaign:
    with reading() as session:
        return session.get_one(Campaign, int(page.rpartition("/")[2]))


def test_a_letter_is_written_looked_at_and_listed(
    app: Flask, env: Environment, browse: Browse
) -> None:
    browser = browse("editor")
    begin(browser, "talks", subject="Somebody else's")
    page = begin(browser)
    text = browser.get(page).text
    assert ">\nDear friend,\n\nrest a while.\n</textarea>" in text
    assert "the list has no postal address" not in text
    assert "A pause" in browser.get("/author/letters").text
    mail = browser.get(f"{page}/html")
    assert "rest a while" in mail.text
    assert "sandbox" in mail.headers["Content-Security-Policy"]
    assert mail.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "not all" in mail.text and "min-width: 0" in browser.get(f"{page}/html?scheme=dark").text
    plain = browser.get(f"{page}/text")
    assert plain.mimetype == "text/plain" and "rest a while." in plain.text
    with app.app_context():
        number = int(page.rpartition("/")[2])
        assert drafts.get_text(number).text == (
            "---\nsubject: A pause\npreheader: Why\n---\n\nDear friend,\n\nrest a while.\n"
        )
        assert drafts.load_draft(env, number).recipients == 2


def test_an_unfinished_text_is_kept_and_what_is_wrong_is_named_with_its_line(
    app: Flask, env: Environment, browse: Browse
) -> None:
    browser = browse("owner")
    page = begin(browser, body="One\n\nDear {{ subscriber.nam }},\n\nhalf a sen")
    text = browser.get(page).text
    assert "half a sen" in text
    assert "line 3" in browser.get(f"{page}/checks").text
    assert "line 3" in browser.get(f"{page}/html").text
    answer = browser.post(f"{page}/send", {"revision": revision_of(browser, page)}, page=page)
    assert answer.status_code == 409
    with app.app_context():
        assert stored(page).status == "draft"


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ('cadence == "weekly"', "now: 2"),
        ('"berlin" in tags', "now: 0"),
        ("tags = berlin", "wants =="),
        ('fields.shoe == "42"', "shoe"),
        ("", "now: 2"),
    ],
)
def test_a_segment_is_counted_after_the_page(
    env: Environment, browse: Browse, segment: str, expected: str
) -> None:
    browser = browse("editor")
    page = begin(browser, segment=segment)
    assert expected in browser.get(f"{page}/recipients").text
    answer = browser.post(
        f"{page}/save", {**WRITTEN, "segment": segment, "revision": "1", "next": "count"}, page=page
    )
    assert answer.headers["Location"] == f"{page}?count=1#count"
    assert expected in browser.get(f"{page}?count=1").text


@pytest.mark.parametrize("limited", [False, True])
def test_conditions_are_offered_for_a_segment(
    app: Flask, env: Environment, browse: Browse, *, limited: bool
) -> None:
    """An author limited to a list learns no tag, and nobody a topic of another list."""
    with app.app_context():
        for slug, name in (("talks", "Elsewhere"), ("blog", 'Sleep "well"'), ("blog", "Work")):
            topics.add(slug, name, categories=[name])
        with transaction() as session:
            reader = session.query(Subscriber).order_by(Subscriber.id).first()
            assert reader is not None
            session.add_all(Tag(subscriber_id=reader.id, tag=tag) for tag in ("berlin", 'a"b'))
        examples = list_examples("blog", {"tags"} if limited else set())
    assert all(parse_segment(example) is not None for example in examples)
    assert {'cadence == "weekly"', '"Work" in topics'} < set(examples)
    assert ('"berlin" in tags' in examples) is not limited
    assert '"Elsewhere" in topics' not in examples
    browser = browse("editor", "blog") if limited else browse("editor")
    page = html.unescape(browser.get(begin(browser)).text)
    assert re.findall(r'<option value="(.+?)"></option>', page) == examples


def test_the_second_of_two_saves_is_refused_and_both_texts_are_shown(
    app: Flask, env: Environment, browse: Browse
) -> None:
    ann = browse("editor")
    ben = browse("owner")
    page = begin(ann)
    revision = revision_of(ann, page)
    assert (
        save(ben, page, revision=revision, **{**WRITTEN, "body": "Ben's words"}).status_code == 303
    )
    answer = save(ann, page, revision=revision, **{**WRITTEN, "body": "Ann's words"})
    assert answer.status_code == 409
    assert "Ben&#39;s words" in answer.text and "Ann&#39;s words" in answer.text
    refused = ann.post(
        f"{page}/save",
        {**WRITTEN, "body": "Ann's words", "revision": revision},
        page=page,
        headers={"Accept": "application/json"},
    )
    assert (refused.status_code, list(refused.json or {})) == (409, ["error"])
    with app.app_context():
        assert "Ben's words" in stored(page).source
    result = ann.post(
        "/author/letters", {**WRITTEN, "list": "blog", "body": "Ann's words"}, page=page
    )
    assert "Ann&#39;s words" in ann.get(result.headers["Location"]).text
    again = re.search(r'name="revision" value="(\d+)"', answer.text)
    assert again is not None
    assert save(ann, page, revision=again[1], body="Ann's words").status_code == 303


def test_the_terminal_and_the_browser_change_one_draft(
    app: Flask, env: Environment, browse: Browse, tmp_path: Path
) -> None:
    file = tmp_path / "letter.md"
    file.write_text("---\n# mine\nsubject: From the file\nlist: blog\n---\n\nWords of the file\n")
    browser = browse("editor")
    begin(browser, "talks", subject="Somebody else's")
    with app.app_context():
        number, _ = drafts.create_draft(env, file)
    page = f"/author/letters/{number}"
    assert "Words of the file" in browser.get(page).text
    result = revision_of(browser, page)
    save(browser, page, subject="From the file", body="Words of the browser\n")
    with app.app_context():
        text = drafts.get_text(number)
        assert (
            text.text
            == "---\n# mine\nsubject: From the file\nlist: blog\n---\n\nWords of the browser\n"
        )
        assert text.folder is None, "files of the folder are not the browser's to mail"
        with pytest.raises(ChangedMeanwhile):
            drafts.create_draft(env, file)
        with pytest.raises(ChangedMeanwhile):
            letters.dispatch_letter(env, drafts.load_draft(env, file))
        drafts.edit_draft(env, number, letters.parse(text.text.replace("browser", "editor")))
    answer = save(browser, page, revision=result, subject="From the file", body="Late words")
    assert answer.status_code == 409
    assert "Words of the editor" in answer.text and "Late words" in answer.text


def test_what_is_sent_is_what_was_looked_at(app: Flask, env: Environment, browse: Browse) -> None:
    browser = browse("editor")
    page = begin(browser)
    with app.app_context():
        looked_at = drafts.load_draft(env, int(page.rpartition("/")[2]))
    save(browser, page, **{**WRITTEN, "body": "Other words"})
    with app.app_context(), pytest.raises(ChangedMeanwhile):
        letters.dispatch_letter(env, looked_at)


def test_a_letter_is_sent_after_a_minute_in_which_it_is_undone(
    app: Flask, env: Environment, browse: Browse, sink: Sink, clock: Clock
) -> None:
    browser = browse("owner")
    begin(browser, "talks", subject="Somebody else's")
    page = begin(browser)
    report = page.replace("letters", "campaigns")
    sent = browser.post(
        f"{page}/send", {"revision": revision_of(browser, page)}, page=f"{page}/send"
    )
    assert sent.headers["Location"] == report
    assert "Undo" in browser.get(report).text
    form = {**WRITTEN, "body": "Too late", "revision": "2"}
    late = browser.post(f"{page}/save", form, page=report)
    assert late.status_code == 409 and "Too late" in late.text
    clock.forward(timedelta(seconds=59))
    with app.app_context():
        assert letters.start_due_letters(env) == []
    undone = browser.post(f"{report}/undo", page=report)
    assert undone.headers["Location"] == f"{page}?done=1"
    clock.forward(timedelta(hours=1))
    with app.app_context():
        assert letters.start_due_letters(env) == []
        assert stored(page).status == "draft"
    owner = browse("owner", address="second@example.com")
    owner.post(f"{page}/send", {"revision": revision_of(owner, page)}, page=page)
    clock.forward(timedelta(seconds=60))
    with app.app_context():
        assert letters.start_due_letters(env) == [int(page.rpartition("/")[2])]
        sending.send_due(env)
    assert sorted(one.recipient for one in sink.accepted) == ["ann@example.com", "bob@example.com"]
    assert owner.post(f"{report}/undo", page=report).status_code == 409


def test_a_letter_is_scheduled_in_the_time_zone_of_its_list(
    app: Flask, env: Environment, browse: Browse
) -> None:
    with app.app_context(), transaction() as session:
        for row in session.scalars(select(MailingList).where(MailingList.slug == "blog")):
            row.timezone = "Europe/Berlin"
    browser = browse("owner")
    page = begin(browser)
    day = (env.now + timedelta(days=3)).date()
    form = {"revision": revision_of(browser, page), "when": "at", "at": f"{day}T09:00"}
    for wrong in ("", "soon", f"{day.replace(year=day.year - 1)}T09:00"):
        answer = browser.post(f"{page}/send", {**form, "at": wrong}, page=page)
        assert answer.status_code == 422, wrong
    unsure = browser.post(f"{page}/send", {**form, "when": "now"}, page=page)
    assert (unsure.status_code, "choose one" in unsure.text) == (422, True)
    browser.post(f"{page}/send", form, page=page)
    with app.app_context():
        moment = stored(page).scheduled_at
    assert moment is not None and moment.hour in (7, 8), "nine o'clock in Berlin"


def test_a_letter_is_refused_for_the_reasons_of_the_command(
    app: Flask, env: Environment, browse: Browse
) -> None:
    browser = browse("owner")

    def send(page: str, **more: str) -> tuple[int, str]:
        form = {"revision": revision_of(browser, page), **more}
        answer = browser.post(f"{page}/send", form, page=page)
        return answer.status_code, answer.text

    nobody = begin(browser, segment='"nobody" in tags')
    assert send(nobody)[0] == 409
    nameless = begin(browser, body="Dear {{ subscriber.fields.town }}, hello")
    assert send(nameless)[0] == 409
    empty = begin(browser, body="[]( javascript:x )\n\n![](data:x)")
    code, text = send(empty)
    assert code == 409 and 'name="anyway"' in text
    first = begin(browser, subject="Once", body="The very same words")
    assert send(first)[0] == 303
    second = begin(browser, subject="Once", body="The very same words")
    code, text = send(second)
    assert code == 409 and 'name="again"' in text
    assert send(second, again="1")[0] == 303
    twice = "The very same words\n\n[x](javascript:y)"
    for expected in (303, 409):
        mild = begin(browser, subject="Twice", body=twice)
        assert send(mild, anyway="1")[0] == expected
    code, text = send(mild, again="1")
    assert code == 409 and 'name="again" value="1" checked' in text and 'name="anyway"' in text
    assert send(mild, again="1", anyway="1")[0] == 303
    old = begin(browser, subject="Looked at")
    answer = browser.post(f"{old}/send", {"revision": "1"}, page=old)
    assert (answer.status_code, "changed after you looked" in answer.text) == (409, True)


def test_a_test_goes_to_its_author_alone(
    app: Flask, env: Environment, browse: Browse, sink: Sink
) -> None:
    browser = browse("editor", address="eve@writers.test")
    page = begin(browser)
    form = {**WRITTEN, "body": "Tried words", "revision": revision_of(browser, page)}
    assert browser.post(f"{page}/test", form, page=page).status_code == 303
    with app.app_context():
        assert requested_tests.send_requested(env) == 1
    [message] = sink.accepted
    assert message.recipient == "eve@writers.test"
    assert b"Tried words" in message.data and b"[Test]" in message.data


TOKEN = re.compile(r'name="csrf_token" value="[^"]+"')
"""The token of a form, which holds the second in which it was made."""


def test_letters_of_another_list_do_not_exist(env: Environment, browse: Browse) -> None:
    page = begin(browse("owner"), "talks")
    browser = browse("owner", "blog")
    for path in ("", "/html", "/text", "/checks", "/recipients", "/send"):
        mine = browser.get(f"{page}{path}")
        none = browser.get(f"/author/letters/4711{path}")
        assert mine.status_code == none.status_code == 404
        assert TOKEN.sub("", mine.text) == TOKEN.sub("", none.text)
    for path in ("/save", "/test", "/discard", "/send"):
        assert browser.post(f"{page}{path}", {**WRITTEN, "revision": "2"}).status_code == 404
    new = browser.post("/author/letters", {"list": "talks"}, page="/author/account")
    assert new.status_code == 404
    assert "A pause" not in browser.get("/author/letters").text
    assert browser.get(f"/author/letters/{10**20}").status_code == 404


def test_viewers_read_and_change_nothing(app: Flask, env: Environment, browse: Browse) -> None:
    page = begin(browse("editor"), segment='email == "ann@example.com"')
    viewer = browse("viewer", address="eye@viewer.test")
    text = viewer.get(page).text
    assert "rest a while" in text
    assert "ann@example.com" not in text, "viewers see no address"
    assert viewer.get(f"{page}/html").status_code == 200
    for path in ("/save", "/test", "/discard", "/send"):
        assert viewer.post(f"{page}{path}", WRITTEN, page="/author/account").status_code == 403
    editor = browse("editor", address="ed@editor.test")
    assert editor.post(f"{page}/send", {"revision": "2"}, page=page).status_code == 403
    for path in ("/save", "/test"):
        bare = editor.client.post(
            f"{page}{path}", base_url="https://news.example.com", data=WRITTEN
        )
        assert bare.status_code == 400, "a form without its token"


def test_hostile_words_stay_words(env: Environment, browse: Browse) -> None:
    browser = browse("owner")
    page = begin(
        browser,
        subject=f"A {SCRIPT}",
        preheader=SCRIPT,
        segment=SCRIPT,
        body=f"</textarea>{SCRIPT} \0\u202e{{{{ 7*7 }}}}",
    )
    for path in (
        page,
        f"{page}/html",
        f"{page}/checks",
        f"{page}/recipients",
        f"{page}/send",
        "/author/letters",
    ):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert SCRIPT not in answer.text, path
    conflict = save(browser, page, revision="1", subject=SCRIPT, body=f"</textarea>{SCRIPT}")
    assert conflict.status_code == 409 and SCRIPT not in conflict.text
    assert save(browser, page, subject="x" * 1001, body="kept words").status_code == 422
    assert "kept words" in save(browser, page, subject="x" * 1001, body="kept words").text
    for length, status in ((290_000, 303), (300_001, 422)):
        form = {"subject": "x", "body": "e" * length, "revision": revision_of(browser, page)}
        answer = browser.post(f"{page}/save", form, page=page)
        assert answer.status_code == status


def test_saving_again_and_again_is_one_act(
    app: Flask, env: Environment, browse: Browse, clock: Clock
) -> None:
    browser = browse("editor")
    page = begin(browser)
    for number in range(3):
        save(browser, page, **{**WRITTEN, "body": f"Words {number}"})
    clock.forward(timedelta(minutes=11))
    save(browser, page, **{**WRITTEN, "body": "Words later"})
    begin(browse("owner"), "talks")
    with app.app_context(), reading() as session:
        subject = f"campaign {page.rpartition('/')[2]}"
        acts = session.scalars(select(AuthorAct.act).where(AuthorAct.subject == subject)).all()
    assert acts == ["letters.save"] * 2


def test_a_discarded_draft_is_in_no_listing(app: Flask, env: Environment, browse: Browse) -> None:
    browser = browse("editor")
    page = begin(browser)
    begin(browser, subject="The other one")
    browser.post(f"{page}/discard", page=page)
    text = browser.get("/author/letters").text
    assert "A pause" not in text and "The other one" in text
    assert browser.get(page).status_code == 404
    with app.app_context():
        assert campaigns.get_campaign(int(page.rpartition("/")[2])).status == "cancelled"


def send_picture(
    browser: BrowserOf, page: str, data: bytes, name: str, *, json: bool = False, **fields: str
):  # type: ignore[no-untyped-def]
    editor = browser.get(page).text
    match = re.search(r'formaction="(/author/upload/[^"]+)"', editor)
    assert match is not None
    form = {**fields, "revision": revision_of(browser, page), "picture": (io.BytesIO(data), name)}
    headers = {"Accept": "application/json"} if json else {}
    return browser.post(html.unescape(match[1]), form, page=page, headers=headers)


def test_a_picture_is_kept_by_its_content_and_mailed(
    app: Flask, env: Environment, browse: Browse, sink: Sink
) -> None:
    browser = browse("owner")
    page = begin(browser)
    photo = picture("PNG", (90, 60))
    answer = send_picture(
        browser, page, photo, "../Mein Bäum.PHP", **WRITTEN, description="A tree]"
    )
    assert answer.headers["Location"] == f"{page}?done=1"
    assert "rest a while.\n\n![A tree](mein-baum.png)\n" in browser.get(page).text
    other = send_picture(browser, page, picture("PNG", (80, 60)), "mein baum.png", json=True)
    assert other.json == {"markdown": "![](mein-baum-2.png)"}
    again = send_picture(browser, page, photo, "mein baum.png", json=True)
    assert again.json == {"markdown": "![](mein-baum.png)"}
    match = re.search(
        r'src="https://news\.example\.com(/blog/[^"]+\.png)"', browser.get(f"{page}/html").text
    )
    assert match is not None
    assert browser.get(match[1]).mimetype == "image/png"
    other_letter = begin(browser, "talks", body="![](mein-baum.png)")
    assert "no such picture" in browser.get(f"{other_letter}/checks").text
    with app.app_context():
        letters.dispatch_letter(env, drafts.load_draft(env, int(page.rpartition("/")[2])))
        sending.send_due(env)
    assert match[1] in body(sink.to("ann@example.com")[0], "html")


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "x.svg"),
        (b"<html>" + SCRIPT.encode(), "tree.jpg"),
        (b"", "tree.png"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 500, f"{SCRIPT}.png"),
    ],
)
def test_what_is_no_picture_is_refused_and_the_text_is_kept(
    app: Flask, env: Environment, browse: Browse, data: bytes, name: str
) -> None:
    browser = browse("editor")
    page = begin(browser)
    answer = send_picture(browser, page, data, name, subject="New subject", body="New words")
    assert answer.status_code == 422
    assert "New words" in answer.text and SCRIPT not in answer.text
    assert send_picture(browser, page, data, name, json=True).status_code == 422
    with app.app_context():
        campaign = stored(page)
        assert "New words" in campaign.source and not campaign.pictures


def test_a_letter_goes_to_those_who_joined_since(
    app: Flask, env: Environment, browse: Browse, sink: Sink, clock: Clock
) -> None:
    browser = browse("owner")
    page = begin(browser)
    newcomers = page.replace("letters", "campaigns") + "/newcomers"
    assert browser.get(newcomers).status_code == 404, "nobody has had it yet"
    with app.app_context():
        letters.dispatch_letter(env, drafts.load_draft(env, int(page.rpartition("/")[2])))
        sending.send_due(env)
    nobody = browser.post(newcomers, page=newcomers)
    assert (nobody.status_code, "nobody would get it" in nobody.text) == (409, True)
    with app.app_context(), transaction() as session:
        mailing_list = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        add_reader(session, mailing_list, "dan@example.com")
    sink.accepted.clear()
    assert "now: 1" in browser.get(f"{newcomers}/count").text
    answer = browser.post(newcomers, page=newcomers)
    assert "Undo" in browser.get(answer.headers["Location"]).text
    clock.forward(timedelta(seconds=61))
    with app.app_context():
        letters.start_due_letters(env)
        sending.send_due(env)
    assert [one.recipient for one in sink.accepted] == ["dan@example.com"]


def test_fields_of_a_large_list_are_filled_in_before_the_first_message(
    app: Flask,
    env: Environment,
    browse: Browse,
    sink: Sink,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with app.app_context(), transaction() as session:
        mailing_list = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        add_reader(session, mailing_list, "nameless@example.com")
    browser = browse("owner")
    page = begin(browser, body="Dear {{ subscriber.name }}, here are a few words for you.")
    form = {"revision": revision_of(browser, page)}
    refused = browser.post(f"{page}/send", form, page=page)
    assert (refused.status_code, "1 of 3 subscribers" in refused.text) == (409, True)
    monkeypatch.setattr(approve, "FIELDS_AT_MOST", 2)
    assert browser.post(f"{page}/send", form, page=page).status_code == 303
    clock.forward(timedelta(seconds=60))
    with app.app_context():
        letters.start_due_letters(env)
        sending.send_due(env)
        campaign = stored(page)
        assert (campaign.status, "1 subscribers cannot get it" in campaign.reason) == (
            "paused",
            True,
        )
    assert sink.accepted == []
    report = page.replace("letters", "campaigns")
    assert browser.post(f"{report}/undo", page=report).status_code == 303


def test_a_letter_that_cannot_be_rendered_can_still_be_mended(
    app: Flask, env: Environment, browse: Browse
) -> None:
    browser = browse("owner")
    page = begin(browser, body='First\n\n[read it]({{ resource("no-such-file") }})')
    for path in ("", "/html", "/text", "/checks", "/send"):
        answer = browser.get(f"{page}{path}")
        assert (answer.status_code, "no-such-file" in answer.text) == (200, True), path
    form = {
        **WRITTEN,
        "body": "{{ resource('no-such-file') }}",
        "revision": revision_of(browser, page),
    }
    tested = browser.post(f"{page}/test", form, page=page)
    assert (tested.status_code, "no-such-file" in tested.text) == (409, True)
    form = {"revision": revision_of(browser, page)}
    assert browser.post(f"{page}/send", form, page=page).status_code == 409
    mended = save(browser, page, **WRITTEN)
    assert mended.status_code == 303


def test_a_text_is_given_back_where_the_log_in_has_ended(
    app: Flask, env: Environment, browse: Browse
) -> None:
    browser = browse("editor")
    page = begin(browser)
    token = browser.token(page)
    browser.post("/author/log-out", page="/author/account")
    form = {**WRITTEN, "body": f"Words of an hour {SCRIPT}", "csrf_token": token, "revision": "2"}
    answer = browser.client.post(f"{page}/save", base_url="https://news.example.com", data=form)
    assert (answer.status_code, "Words of an hour" in answer.text) == (400, True)
    assert SCRIPT not in answer.text
    with app.app_context():
        assert "Words of an hour" not in stored(page).source


@pytest.mark.parametrize(
    "content",
    [
        {"segment": '"patient" in tags'},
        {"segment": 'email == "x@example.com" and not (cadence == "weekly" or tags == none)'},
        {"body": '{% if "patient" in subscriber.tags %}{{ 1 / 0 }}{% endif %}'},
        {"subject": '{{ subscriber["tags"][0] }}'},
        {"subject": "Hello", "subject_b": "{% set one = subscriber %}{{ one.tags|length }}"},
    ],
    ids=lambda content: list(content.values())[-1],
)
def test_a_draft_of_a_limited_author_counts_by_nothing_of_all_lists(
    env: Environment, browse: Browse, content: dict[str, str]
) -> None:
    """The number of recipients, or of those for whom a letter fails, would be the answer."""
    for browser, refused in ((browse("editor", "blog"), True), (browse("editor"), False)):
        answer = browser.post("/author/letters", {"list": "blog", **content})
        assert answer.status_code == (422 if refused else 303)
        path = browser.post("/author/letters", {"list": "blog"}).headers["Location"]
        saved = browser.post(f"{path}/save", {"revision": "1", **content}, page=path)
        assert saved.status_code == (422 if refused else 303)
        assert ("limited to some" in saved.text) is refused
