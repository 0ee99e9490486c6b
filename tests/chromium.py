"""A real browser: Debian's chromium through Playwright.

Missing, it is a skip with a reason; never in CI. Playwright can be started once in a process,
so that all tests of one share it, those with WordPress as well.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.programs import need
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE * 1000)
    need(available=CHROMIUM is not None, what="Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
            ],
        )
        patient: Any = browser
        patient.new_context = _wait_longer(browser.new_context)
        patient.new_page = _wait_longer(browser.new_page)
        yield browser
        browser.close()


def _wait_longer(make: Callable[..., Any]) -> Callable[..., Any]:
    """Let pages wait for more than 30 seconds: a busy machine is no fault of theirs."""

    def make_patient(**options: Any) -> Any:
        pages = make(**options)
        pages.set_default_timeout(PATIENCE * 1000)
        return pages

    return make_patient
