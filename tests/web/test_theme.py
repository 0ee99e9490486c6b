"""Public pages look like the author's site, and lead back to it."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from newsletter.db.session import transaction
from tests.people import add_list


def test_pages_lead_back_and_use_colour_font_and_logo(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction() as session:
        add_list(
            session,
            site_url="https://www.blog.example/",
            logo_url="https://blog.example/logo.png",
            theme_color="#cc0000",
            theme_font="serif",
        )
        add_list(session, "plain", site_url="javascript:alert(1)")
    page = client.get("/blog/").get_data(as_text=True)
    assert '<a href="https://www.blog.example/">' in page
    assert "Back to blog.example" in page
    assert 'src="https://blog.example/logo.png"' in page
    assert '<link rel="stylesheet" href="/blog/theme.css">' in page
    style = client.get("/blog/theme.css")
    assert style.mimetype == "text/css"
    assert "--accent: #cc0000" in style.get_data(as_text=True)
    assert "Georgia" in style.get_data(as_text=True)
    other = client.get("/plain/").get_data(as_text=True)
    assert "javascript:" not in other
    assert "theme.css" not in other
    assert client.get("/plain/theme.css").get_data(as_text=True).strip() == ""
    assert client.get("/nothing/theme.css").status_code == 404
