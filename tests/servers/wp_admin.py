"""WordPress's own pages in a browser, used as people use them."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Browser, Locator, Page

from tests.servers.wordpress import WordPress

PASSWORD = "a password"
SAVED = ".editor-post-saved-state.is-saved"
"""What the editor shows once a draft is stored. Who leaves earlier loses it, in any WordPress."""


@dataclass
class Admin:
    """Somebody who is logged in."""

    page: Page
    blog: WordPress

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.blog.url}/wp-admin/{path}")
        return self.page

    def write(self, title: str) -> None:
        """Begin a post in the block editor."""
        page = self.open("post-new.php")
        page.get_by_role("textbox", name="Add title").fill(title)

    def place(self, block: str) -> Locator:
        """Place a block by the inserter, and select it."""
        page = self.page
        inserter = page.get_by_role("button", name="Toggle block inserter")
        inserter.click()
        page.get_by_placeholder("Search").fill(block)
        page.get_by_role("option", name=block).click()
        inserter.click()
        placed = page.locator('[data-type="newsletter-door/form"]')
        placed.click()
        return placed

    def open_panel(self, name: str) -> None:
        """Open a panel beside the post, which may be open from the last time."""
        self.page.evaluate(
            "wp.data.dispatch('core/edit-post').openGeneralSidebar('edit-post/document')"
        )
        panel = self.page.get_by_role("button", name=name, exact=True)
        panel.wait_for()
        if panel.get_attribute("aria-expanded") == "false":
            panel.click()

    def save_draft(self) -> int:
        self.page.get_by_role("button", name="Save draft").click()
        self.page.locator(SAVED).wait_for()
        return self.post

    def publish(self) -> int:
        """Publish the post in the block editor; return its number."""
        page = self.page
        page.get_by_role("button", name="Publish", exact=True).click()
        panel = page.locator(".editor-post-publish-panel")
        panel.get_by_role("button", name="Publish", exact=True).click()
        panel.get_by_text("is now live.").wait_for()
        return self.post

    @property
    def post(self) -> int:
        number: int = self.page.evaluate("wp.data.select('core/editor').getCurrentPostId()")
        return number


def log_in(browser: Browser, blog: WordPress, user: str) -> Admin:
    """Log in with a browser of one's own."""
    page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    page.goto(f"{blog.url}/wp-login.php")
    page.get_by_label("Username or Email Address").fill(user)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log In").click()
    page.wait_for_url("**/wp-admin/**", wait_until="commit")
    page.locator("#wpadminbar").wait_for()
    return Admin(page, blog)
