"""An author writes in a real browser: a picture, a segment, a schedule; somebody else writes
along.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from newsletter import demo
from newsletter.db.session import transaction
from newsletter.demo import SLUG
from newsletter.models import MailingList
from newsletter.services.campaigns import campaigns
from newsletter.services.letters import manuscripts
from newsletter.services.operations import compose_work
from newsletter.services.sending import run as sending
from tests.browser.test_author import Desk, enter
from tests.browser.test_every_page import WCAG
from tests.browser.test_story import shoot
from tests.people import add_reader
from tests.unit.authoring.test_images import picture

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

DROP = """([body, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], "Tree in fog.jpg", { type: "image/jpeg" }));
  const options = { dataTransfer: carried, bubbles: true, cancelable: true };
  for (const kind of ["dragover", "drop"]) body.dispatchEvent(new DragEvent(kind, options));
}"""


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with demo.open_stage() as scene:
        demo.run_steps(scene, lambda line: None)
        yield Desk(scene)


def judge(page: Page, name: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        violations = Axe().run(page, options=WCAG).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations] == []
    for width in (320, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    shoot(page, f"write-{name}")


def test_from_an_empty_draft_to_a_scheduled_letter(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(locale="en")
    page = enter(desk, context)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: problems.append(message.text) if message.type == "error" else None,
    )
    _write_letter(page)
    number = int(page.url.partition("/letters/")[2].partition("?")[0])
    _meet_another_author(desk, page, number)
    problems.clear()  # the browser reports every answer that refuses
    _schedule_and_undo(desk, page, number)
    assert problems == []
    page.wait_for_load_state("networkidle")  # the mail in its frame is still being asked for
    context.close()


def _write_letter(page: Page) -> None:
    """Begin a letter, with a picture, and look at the mail beside the text."""
    page.get_by_role("link", name="Write").click()
    page.get_by_label("List").select_option(SLUG)
    page.get_by_role("button", name="New letter").click()
    page.get_by_label("Subject", exact=True).fill("A pause")
    body = page.get_by_label("Text in Markdown")
    body.fill("Dear friend,\n\nrest a while, and then some more.\n\n")
    saved = page.locator("#saved")
    expect(saved).to_contain_text("Saved.")
    frame = page.frame_locator("iframe.mail")
    expect(frame.get_by_text("rest a while")).to_be_visible()
    body.evaluate(
        "(body, data) => (" + DROP + ")([body, data])", base64.b64encode(picture()).decode()
    )
    expect(body).to_have_value(
        "Dear friend,\n\nrest a while, and then some more.\n\n![](tree-in-fog.jpg)\n"
    )
    expect(page.locator("#checks")).to_contain_text("line 5")
    expect(frame.locator("img")).to_have_js_property("naturalWidth", 1072)
    page.get_by_role("link", name="Dark").press("Enter")
    expect(frame.locator("body")).to_have_css("background-color", "rgb(22, 27, 26)")
    page.get_by_label("Who gets it").fill("tags = berlin")
    expect(page.locator("#count")).to_contain_text("wants ==")
    page.get_by_label("Who gets it").fill('cadence == "weekly"')
    expect(page.locator("#count")).to_contain_text("get it now:")
    judge(page, "editor")


def _meet_another_author(desk: Desk, page: Page, number: int) -> None:
    """Write on while somebody else saves another text; keep both, then one."""
    body = page.get_by_label("Text in Markdown")
    with desk.scene.app.app_context():
        manuscript = manuscripts.get_manuscript(number)
        manuscripts.save_draft(
            number,
            manuscript.fields.__class__(subject="B", body="Their words"),
            manuscript.revision,
        )
    body.press_sequentially("More. ")
    expect(page.locator("#saved")).to_contain_text("Press Save to see both texts.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing is lost")
    expect(page.get_by_text("Their words")).to_be_visible()
    expect(page.get_by_label("Text in Markdown")).to_have_value(
        "Dear friend,\n\nrest a while, and then some more.\n\n![](tree-in-fog.jpg)\nMore. "
    )
    judge(page, "conflict")
    page.get_by_role("button", name="Save mine in its place").click()
    page.get_by_text("Done.").wait_for()


def _schedule_and_undo(desk: Desk, page: Page, number: int) -> None:
    page.get_by_role("button", name="Send or schedule").click()
    expect(page.locator("#count")).to_contain_text("get it now:")
    moment = desk.scene.env.now + timedelta(days=2)
    page.get_by_label("Day and time").fill(moment.strftime("%Y-%m-%dT%H:%M"))
    expect(page.get_by_label("At this moment:")).to_be_checked()
    judge(page, "send")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("The first message leaves at")).to_be_visible()
    with desk.scene.app.app_context():
        planned = campaigns.get_campaign(number)
        assert (planned.status, planned.segment) == ("scheduled", 'cadence == "weekly"')
    page.get_by_role("button", name="Undo").press("Enter")
    page.get_by_text("Done.").wait_for()
    with desk.scene.app.app_context():
        assert campaigns.get_campaign(number).status == "draft"


def test_a_scheduled_letter_leaves_while_a_browser_watches(browser: Browser, desk: Desk) -> None:
    """It goes at its moment and not before, to its segment, and Today shows it by itself."""
    scene = desk.scene
    with scene.app.app_context(), transaction() as session:
        mine = session.query(MailingList).filter_by(slug=SLUG).one()
        for address, cadence in (("weekly@example.com", "weekly"), ("daily@example.com", "daily")):
            add_reader(session, mine, address, cadence=cadence, now=scene.env.now)
    context = browser.new_context(locale="en")
    page = enter(desk, context)
    page.get_by_role("link", name="Write").click()
    page.get_by_label("List").select_option(SLUG)
    page.get_by_role("button", name="New letter").click()
    page.get_by_label("Subject", exact=True).fill("At its moment")
    page.get_by_label("Text in Markdown").fill("Rest a while.")
    page.get_by_label("Who gets it").fill('cadence == "weekly" and email == "weekly@example.com"')
    page.get_by_role("button", name="Send or schedule").click()
    moment = scene.env.now + timedelta(days=2)
    page.get_by_label("Day and time").fill(moment.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("The first message leaves at")).to_be_visible()
    page.goto(f"{scene.url}/author/")

    early = replace(scene.env, clock=lambda: moment - timedelta(minutes=5))
    late = replace(scene.env, clock=lambda: moment + timedelta(minutes=1))
    with scene.app.app_context():
        compose_work.compose_all(early, stop=lambda: False, postponed={})
        sending.send_due(early)
        assert _read_mailed(desk) == []
        compose_work.compose_all(late, stop=lambda: False, postponed={})
    expect(page.locator("#under-way")).to_contain_text("At its moment", timeout=10_000)
    with scene.app.app_context():
        sending.send_due(late)
    expect(page.locator("#under-way")).not_to_contain_text("At its moment", timeout=10_000)
    assert _read_mailed(desk) == ["weekly@example.com"]
    page.get_by_role("link", name="Campaigns").click()
    expect(page.get_by_role("row").filter(has_text="At its moment")).to_contain_text("sent")
    page.wait_for_load_state("networkidle")
    context.close()


def _read_mailed(desk: Desk) -> list[str]:
    """Return who got the letter."""
    mails = desk.scene.mailbox.mails
    return [mail.message["To"] for mail in mails if mail.message["Subject"] == "At its moment"]


def test_a_draft_is_written_without_javascript(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(locale="en", java_script_enabled=False)
    page = enter(desk, context)
    page.goto(f"{desk.scene.url}/author/letters")
    page.get_by_role("button", name="New letter").press("Enter")
    page.get_by_label("Subject", exact=True).fill("Without a script")
    page.get_by_label("Text in Markdown").fill("These are my words.")
    page.get_by_label("File").set_input_files(
        {"name": "fog.png", "mimeType": "image/png", "buffer": picture("PNG", (60, 40))}
    )
    page.get_by_label("What it shows").fill("Fog")
    page.get_by_role("button", name="Add picture").press("Enter")
    expect(page.get_by_label("Text in Markdown")).to_have_value(
        "These are my words.\n\n![Fog](fog.png)\n"
    )
    frame = page.frame_locator("iframe.mail")
    expect(frame.get_by_text("These are my words.")).to_be_visible()
    page.get_by_role("link", name="Text part").press("Enter")
    expect(frame.locator("body")).to_contain_text("Fog")
    page.get_by_role("button", name="Count them").press("Enter")
    expect(page.locator("#count")).to_contain_text("get it now:")
    page.wait_for_load_state("networkidle")  # the mail in its frame is still being asked for
    context.close()
